"""What the page says in words, and what it makes of hostile text."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest
from ask_desk import LEAVE, passage

from ragvoice.errors import AudioError, BusyError, GenerationError
from ragvoice.ui.examples import example_questions
from ragvoice.ui.wording import confidence_words, day_words, label, trouble, waiting_words


@pytest.mark.parametrize(
    ("confidence", "words"),
    [(0.75, "High"), (0.7499, "Fair"), (0.5, "Fair"), (0.4999, "Low"), (0.0, "Low"), (1.0, "High")],
)
def test_confidence_in_words(confidence: float, words: str) -> None:
    assert confidence_words(confidence).label == f"{words} confidence"


def test_the_explanation_says_the_share_and_what_to_do() -> None:
    assert confidence_words(0.31).explanation.startswith("Answers like this one are right in about 3 of 10 cases.")
    assert "Check the source" in confidence_words(0.31).explanation


def test_who_waits_learns_how_many_come_first() -> None:
    assert waiting_words(1) == "One question is answered before yours"
    assert waiting_words(2) == "2 questions are answered before yours"


def test_known_errors_say_what_to_do_and_unknown_ones_keep_their_details() -> None:
    assert trouble(AudioError("a.wav: no sound")).message == "a.wav: no sound"
    assert "moment" in trouble(BusyError("16 wait")).advice
    assert trouble(GenerationError("down")).title == "The language model did not answer"
    full = trouble(OSError(28, "No space left on device", "/srv/secret"))
    assert (full.message, "disk" in full.advice, "secret" in str(full)) == ("No space left on device.", True, False)
    assert "disk" in full.title
    for error in (
        PermissionError(13, "Permission denied", "/srv/secret"),
        ConnectionRefusedError(111, "Connection refused"),
        OSError("of a library, about /srv/secret"),
    ):
        words = trouble(error)
        text = f"{words.title} {words.message} {words.advice}"
        assert "disk" not in text
        assert "secret" not in text
        assert (error.strerror or "A file or a connection") in words.message
    unknown = trouble(ZeroDivisionError("secret"))
    assert "secret" not in unknown.title + unknown.message + unknown.advice


def test_labels_are_one_line_without_markdown() -> None:
    assert label("![x](http://evil/)\n# a *b*") == r"\!\[x\]\(http\://evil/\) \# a \*b\*"
    assert label(":material/home: $x$") == r"\:material/home\: \$x\$"
    assert label("How long is parental leave in Poland?", 25) == "How long is parental…"


def test_days_are_those_of_the_reader() -> None:
    now = datetime(2026, 11, 24, 0, 30, tzinfo=timezone(timedelta(hours=2)))
    assert day_words("2026-11-23T22:15:00.000Z", now) == "Today"
    assert day_words("2026-11-23T21:45:00.000Z", now) == "Yesterday"
    assert day_words("2026-03-01T12:00:00.000Z", now) == "1 March"
    assert day_words("2025-12-31T12:00:00.000Z", now) == "31 December 2025"


def test_examples_are_headings_that_ask_then_sections_of_other_documents() -> None:
    found = example_questions(
        {},
        [
            passage("it.md", "IT policy", "2 Passwords", "", 0),
            passage("it.md", "IT policy", "3 VPN", "", 9),
            LEAVE,
            passage("c.md", "Code of conduct", "Introduction", "", 0),
            passage("c.md", "Code of conduct", "§ 4.2 Gifts and favours", "", 0),
            passage("d.md", "", "Parking", "", 0),
            passage("e.md", "Travel and Expenses Policy", "What happens then", "", 0),
            passage("e.md", "Travel and Expenses Policy", "5 Meals", "", 0),
        ],
        count=9,
    )
    assert found == [
        "How much leave do I get?",
        "What does the IT policy say about passwords?",
        "What does the code of conduct say about gifts and favours?",
        "What does the Travel and Expenses Policy say about meals?",
    ]
    assert example_questions({}, [LEAVE, LEAVE], count=3) == ["How much leave do I get?"]
    assert example_questions({}, []) == []


def test_what_people_ask_everywhere_comes_first_where_the_documents_speak_of_it() -> None:
    policy = passage("it.md", "IT policy", "2 Passwords", "", 0)
    common = {
        "May I have a cat?": replace(passage("c.md", "Code of conduct", "1 Animals", "", 0), similarity=0.5),
        "Who may see my password?": replace(policy, similarity=0.6),
        "How long must a password be?": replace(policy, similarity=0.7),
        "May I work from home?": replace(passage("home.md", "Home", "1", "", 0), similarity=0.65),
    }
    assert example_questions(common, [policy, LEAVE]) == [
        "How long must a password be?",
        "May I work from home?",
        "How much leave do I get?",
    ]
