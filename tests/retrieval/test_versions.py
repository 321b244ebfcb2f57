"""What holds today goes first, and what does not is found when somebody asks for it."""

from __future__ import annotations

from datetime import date

import pytest

from ragvoice.retrieval.facts import DocumentFacts
from ragvoice.retrieval.versions import OLDER_EDITION, OUT_OF_FORCE, asks_for_the_past, in_force, standing

TODAY = date(2026, 11, 24)


def facts(doc_id: str, title: str = "", **metadata: object) -> DocumentFacts:
    return DocumentFacts.of(doc_id, title, 100, metadata)


def factors(query: str, *documents: DocumentFacts) -> list[float]:
    return [pytest.approx(float(factor)) for factor in standing(documents, query, TODAY)]


@pytest.mark.parametrize(
    ("query", "past"),
    [
        ("What was the hotel limit in 2023?", True),
        ("What did the old policy say?", True),
        ("Which form did we previously use?", True),
        ("What is the hotel limit in 2026?", False),
        ("What will change in 2027?", False),
        ("How old must I be to drive the van?", False),
        ("What is the hotel limit?", False),
    ],
)
def test_who_asks_for_the_past(query: str, past: bool) -> None:
    assert asks_for_the_past(query, TODAY) is past


def test_dates_are_in_force_on_their_first_and_last_day() -> None:
    assert in_force(facts("a", valid_from="2026-11-24", valid_until="2026-11-24"), TODAY)
    assert not in_force(facts("a", valid_until="2026-11-23"), TODAY)
    assert not in_force(facts("a", valid_from="2026-11-25"), TODAY)
    assert in_force(facts("a"), TODAY)


def test_what_is_over_or_archived_comes_behind() -> None:
    documents = facts("a.md"), facts("b.md", valid_until="2025-12-31"), facts("archive/c.md")
    assert factors("hotel limit", *documents) == [1.0, OUT_OF_FORCE, OUT_OF_FORCE]
    assert factors("hotel limit in the old policy", *documents) == [1.0, 1.0, 1.0]


def test_of_two_editions_the_newer_one_that_holds_goes_first() -> None:
    old, new = facts("a.pdf", "Price list 2025"), facts("b.pdf", "Price list 2026")
    coming = facts("c.pdf", "Price list 2027", valid_from="2027-01-01")
    assert factors("price of a probe", old, new, coming) == [OLDER_EDITION, 1.0, OUT_OF_FORCE]
    assert factors("price of a probe", old, facts("x.pdf", "Discounts 2026")) == [1.0, 1.0]


def test_a_year_in_the_question_chooses_the_edition() -> None:
    old, new, other = facts("a.pdf", "Price list 2025"), facts("b.pdf", "Price list 2026"), facts("c.md", "Prices")
    assert factors("price of a probe in 2025", old, new, other) == [1.0, OLDER_EDITION, 1.0]
    assert factors("price of a probe in 2026", old, new, other) == [OLDER_EDITION, 1.0, 1.0]
    assert factors("price of a probe in 2019", old, new, other) == [1.0, 1.0, 1.0]


def test_each_chunk_has_the_factor_of_its_document() -> None:
    old, new = facts("archive/a.md"), facts("b.md")
    assert factors("limit", old, new, old) == [OUT_OF_FORCE, 1.0, OUT_OF_FORCE]
    assert standing([], "limit", TODAY).shape == (0,)
