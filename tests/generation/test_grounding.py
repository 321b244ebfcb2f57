"""Which words of the passages support a sentence, and whether its numbers are there."""

from __future__ import annotations

import pytest

from ragvoice.datatypes import Passage
from ragvoice.generation.grounding import (
    column_names,
    content_words,
    coverage,
    numbers,
    speaks_of_another,
    support,
)


def passage(
    text: str, title: str = "Handbook", section: str = "Leave", doc_id: str = "a.md", start: int = 0
) -> Passage:
    return Passage(doc_id, doc_id, title, section, None, None, text, start, 0.8)


LEAVE = passage("Leave is generous. Employees get 25 days of annual leave a year. Ask your lead first.", start=100)
PAY = passage("Salaries are paid on the 26th. The bonus is 1,250.00 euros.", section="Pay", doc_id="b.md")


def test_content_words_are_stems_without_the_common_ones() -> None:
    assert content_words("The employees' leaves are 1,250 days") == content_words("employee leave 1250 day")


def test_the_quote_is_the_sentence_that_says_it_with_its_offset_in_the_document() -> None:
    found = support("You get 25 days of annual leave.", "How many days of leave do I get?", [PAY, LEAVE])
    assert found.citation is not None
    assert found.citation.quote == "Employees get 25 days of annual leave a year."
    assert found.citation.doc_id == "a.md"
    assert found.citation.start_index == 100 + LEAVE.text.index("Employees")
    assert found.numbers_found
    assert found.score == pytest.approx(1.0)


def test_a_number_that_no_passage_holds_is_noticed() -> None:
    found = support("You get 30 days of annual leave.", "How much leave do I get?", [LEAVE, PAY])
    assert not found.numbers_found


def test_a_number_of_another_passage_does_not_count() -> None:
    assert not support("You get 26 days of annual leave.", "How much leave?", [LEAVE, PAY]).numbers_found


def test_a_number_from_the_question_may_be_repeated() -> None:
    found = support("In 2026 employees get 25 days of annual leave.", "How much leave is there in 2026?", [LEAVE])
    assert found.numbers_found


def test_the_same_number_in_two_spellings() -> None:
    assert numbers("1,250.00 and 3") == numbers("1250.00 and 3")
    assert numbers("12:30, 2025-09-01, 1.5") == {"12:30", "2025-09-01", "1.5"}
    assert support("The bonus is 1250.00 euros.", "How high is the bonus?", [PAY]).numbers_found


def test_repeating_the_question_is_no_support() -> None:
    question = "Who approves the purchase of a helicopter?"
    assert support("The purchase of a helicopter.", question, [LEAVE, PAY]).citation is None
    assert support("Napoleon approves the purchase.", question, [LEAVE, PAY]).score < 0.5


def test_nothing_in_common_means_no_citation() -> None:
    found = support("Bananas ripen quickly.", "What ripens?", [LEAVE, PAY])
    assert (found.score, found.citation) == (0.0, None)
    assert support("Anything.", "What?", []).citation is None


def test_a_long_sentence_is_quoted_from_its_start_word_by_word() -> None:
    text = "The rule about visitors " + "and more visitors " * 40 + "ends."
    found = support("Rule about visitors", "What?", [passage(text)])
    assert found.citation is not None
    quote = found.citation.quote
    assert len(quote) <= 320
    assert text.startswith(quote + " ")


def test_coverage_is_the_share_of_the_questions_words() -> None:
    assert coverage("annual leave helicopter salary", [LEAVE]) == pytest.approx(2 / 4)
    assert coverage("leave", [LEAVE]) == 1.0
    assert coverage("what is it", [LEAVE]) == 1.0


TABLE = passage("| Country | Days per year (full time) |\n| --- | --- |\n| Germany | 30 |\n| Poland | 26 |")


def test_a_row_is_quoted_for_its_number_below_its_columns() -> None:
    found = support("In Poland, full-time employees get 26 days a year.", "And in Poland?", [TABLE])
    assert found.citation is not None
    assert found.citation.quote == "| Poland | 26 |"
    assert found.numbers_found
    assert column_names(TABLE, TABLE.text.index("| Poland")) == "| Country | Days per year (full time) |"
    assert column_names(TABLE, 0) == ""
    assert column_names(LEAVE, 0) == ""


def test_a_number_of_the_next_sentence_is_quoted_with_it() -> None:
    cover = passage("Private medical cover starts after probation. It costs 100 pounds per head. Ask HR.")
    found = support("Private medical cover costs 100 pounds.", "What about medical cover?", [cover])
    assert found.citation is not None
    assert "100 pounds" in found.citation.quote
    assert found.citation.quote in cover.text
    assert found.numbers_found


def test_a_number_far_away_in_the_passage_is_no_support() -> None:
    text = "Hotels in London have a limit. Ask first. Keep it. Send it. Room 140 is closed."
    found = support("The limit for hotels in London is 140 pounds.", "What is the limit?", [passage(text)])
    assert found.citation is not None
    assert found.citation.quote == "Hotels in London have a limit."
    assert not found.numbers_found


def test_a_sentence_about_another_country_is_no_source() -> None:
    quote = "In the United Kingdom you get one extra day after five years."
    assert speaks_of_another("In Poland you get one extra day after five years.", quote)
    assert not speaks_of_another("In the United Kingdom you get one extra day.", quote)
    assert not speaks_of_another("You get one extra day after five years.", quote)
    assert not speaks_of_another("In Poland you get one extra day.", "You get one extra day after five years.")
    assert not speaks_of_another("In Poland you get 26 days.", "| Poland | 26 |. Leave in Europe")
