"""Rated turns become candidates; nobody's name does."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import UTC, datetime

from finetune.data.asked import from_log
from ragvoice.datatypes import Answer, Citation, Message, Passage
from ragvoice.turns.records import Circumstances, Turn, turn_of

PASSAGE = Passage("a.pdf", "a.pdf", "Handbook", "Leave", 3, None, "Employees get 25 days of leave.", 0, 0.9)
QUOTE = Citation("a.pdf", "a.pdf", "Handbook", "Leave", 3, None, "Employees get 25 days of leave.", 0)
HISTORY = (Message("user", "Hello"), Message("agent", "Yes?"))


def turn(id_: str, rating: int | None, question: str = "How many days?", **changes: object) -> Turn:
    answer = Answer(id_, question, question, "answered", "You get 25 days.", 0.7, (QUOTE, QUOTE), (PASSAGE,))
    noon = datetime(2026, 11, 24, 12, tzinfo=UTC)
    logged = turn_of(answer, Circumstances({}, {}, "0.1.0", "c0de"), "1d", noon, person="ada", groups=["hr"])
    return replace(logged, rating=rating, **changes)  # type: ignore[arg-type]


def test_what_was_called_right_has_its_answer_and_what_it_cites() -> None:
    (found,), dropped = from_log([turn("t1", 1, history=HISTORY, style="short")])
    assert (found.id, found.question, found.answers, found.answerable) == (
        "t1", "How many days?", ("You get 25 days.",), True,
    )  # fmt: skip
    assert (found.gold_doc_ids, found.history, found.style, found.groups, found.source) == (
        ("a.pdf",), HISTORY, "short", ("hr",), "log",
    )  # fmt: skip
    assert found.gold_text.split("\n") == [QUOTE.quote] * 2
    assert not dropped


def test_an_abstention_that_was_called_right_is_unanswerable() -> None:
    refused = turn("t1", 1, outcome="abstained", answer="That is not in the documents.", citations=())
    (found,), _ = from_log([refused])
    assert not found.answerable
    assert (found.answers, found.gold_doc_ids, found.gold_text) == ((), (), "")


def test_the_others_are_left_out_and_counted() -> None:
    turns = [
        turn("t1", None),
        turn("t2", -1, reason="wrong year"),
        turn("t3", 1, outcome="clarify"),
        turn("t4", 1, citations=()),
        turn("t8", 1, answer="You get", confidence=0.0),
        turn("t5", 1),
        turn("t6", 1, "how many days"),  # the same words
        turn("t7", 1, history=HISTORY),  # the same words after others
    ]
    found, dropped = from_log(turns)
    assert [candidate.id for candidate in found] == ["t5", "t7"]
    assert dropped == {
        "not rated": 1,
        "rated bad, without a corrected answer": 1,
        "neither answered nor declined": 1,
        "answered without a citation": 1,
        "interrupted": 1,
        "asked again": 1,
    }


def test_no_name_is_copied() -> None:
    (found,), _ = from_log([turn("t1", 1)])
    assert "ada" not in str(asdict(found))
