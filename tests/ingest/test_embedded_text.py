from __future__ import annotations

from ingest.embedded_text import embedded_text


def test_the_words_come_first_and_what_they_stand_under_follows() -> None:
    assert embedded_text("Handbook", "Leave > Sick", "Call us.") == "Call us.\nLeave > Sick\nHandbook"
    assert embedded_text("T", "", "| 1 |", "| a |\n| --- |") == "| 1 |\nT\n| a |"


def test_runs_of_dots_dashes_and_underscores_are_cut_to_three() -> None:
    assert embedded_text("", "", "Leave ........ 7\n-----\nName: ____\nreally... ok") == (
        "Leave ... 7\n---\nName: ___\nreally... ok"
    )
    assert embedded_text("", "", "1000000 aaaaaa") == "1000000 aaaaaa"
