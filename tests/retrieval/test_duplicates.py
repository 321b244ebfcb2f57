"""Results are different passages, and what differs in what matters stays."""

from __future__ import annotations

from datetime import date

from ragvoice.datatypes import Passage
from ragvoice.retrieval.duplicates import distinct

WORDS = "employees may carry over days of annual leave until the end of march when the manager has agreed in writing"


def passage(doc_id: str, text: str, score: float = 0.5, title: str = "Leave", section: str = "") -> Passage:
    return Passage(doc_id, doc_id, title, section, None, None, text, 0, score)


def names(found: list[Passage]) -> list[str]:
    return [hit.doc_id for hit in found]


def indifferent(_: Passage) -> tuple[bool, date]:
    return True, date.min


def test_near_identical_passages_come_once_and_make_room() -> None:
    # 19 different words, the title's among them: with one more 19/20 = .95 are shared, with three more 19/22 = .86
    hits = [passage("a", WORDS), passage("b", WORDS), passage("c", WORDS + " Indeed"), passage("d", WORDS + " x y z")]
    assert names(distinct(hits, 2, indifferent)) == ["a", "d"]
    assert names(distinct(hits, 10, indifferent)) == ["a", "d"]
    assert names(distinct(hits, 1, indifferent)) == ["a"]
    assert distinct(hits, 0, indifferent) == []


def test_the_preferred_one_stands_where_the_first_stood() -> None:
    newest = {"old": date(2022, 1, 1), "new": date(2025, 1, 1), "x": date.min}
    hits = [passage("old", WORDS, 0.9), passage("x", "something else", 0.8), passage("new", WORDS, 0.7)]
    found = distinct(hits, 5, lambda hit: (True, newest[hit.doc_id]))
    assert names(found) == ["new", "x"]
    assert found[0].score == 0.9


def test_another_number_or_another_heading_is_another_passage() -> None:
    hits = [passage("a", WORDS + " 5 days"), passage("b", WORDS + " 8 days")]
    assert names(distinct(hits, 5, indifferent)) == ["a", "b"]
    hits = [passage("a", "Two years.", title="Loggers"), passage("b", "Two years.", title="Sensors")]
    assert names(distinct(hits, 5, indifferent)) == ["a", "b"]


def test_reading_ends_with_the_first_passage_too_many() -> None:
    read = 0

    def endless():  # type: ignore[no-untyped-def]
        nonlocal read
        while True:
            read += 1
            yield passage(str(read), f"passage number {read}")

    assert len(distinct(endless(), 3, indifferent)) == 3
    assert read == 4
