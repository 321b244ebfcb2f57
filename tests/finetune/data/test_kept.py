"""A candidate is kept when retrieval finds its passage and its answer stands there."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest
from langchain_core.embeddings import Embeddings

from finetune.data.candidates import Candidate
from finetune.data.kept import holds, kept, may_answer
from ragvoice.datatypes import Message, Passage
from ragvoice.retrieval.index import DocumentIndex
from ragvoice.retrieval.retriever import HybridRetriever

LEAVE = Passage(
    "a.md", "a.md", "Handbook", "Leave", None, None, "Employees get 25 days of annual leave. It is paid.", 0, 0.9
)
OTHER = Passage("a.md", "a.md", "Handbook", "Pay", None, None, "Salaries arrive on the 26th of the month.", 60, 0.8)
STRANGE = Passage("b.md", "b.md", "Leave", "", None, None, "Employees of Oslo get 30 days of annual leave.", 0, 0.7)
ASKED = Candidate(
    "1", "How many days of leave do employees get?", ("25 days of annual leave",), True, ("a.md",),
    "Employees get 25 days of annual leave.", style="short",
)  # fmt: skip


class Found:
    def __init__(self, *passages: Passage):
        self.passages = list(passages)
        self.asked: list[tuple[str, int | None, tuple[str, ...]]] = []

    def search(self, query: str, k: int | None = None, groups: Iterable[str] | None = None) -> list[Passage]:
        self.asked.append((query, k, tuple(groups or ())))
        return self.passages[:k]


def reasons(candidate: Candidate, *found: Passage, k: int = 5) -> dict[str, int]:
    passed, dropped = kept([candidate], Found(*found), k)
    assert len(passed) + sum(dropped.values()) == 1
    return dict(dropped)


def test_found_and_grounded_it_is_kept() -> None:
    assert reasons(ASKED, OTHER, LEAVE) == {}


@pytest.mark.parametrize("found", [(OTHER,), (STRANGE,), (OTHER, LEAVE)])
def test_without_its_passage_among_the_first_it_is_not(found: tuple[Passage, ...]) -> None:
    assert reasons(ASKED, *found, k=1) == {"passage not found": 1}


@pytest.mark.parametrize("answer", ["27 days", "Employees of Oslo get 25 days.", "They get 25 days. They get a car."])
def test_nor_with_an_answer_that_its_passage_does_not_support(answer: str) -> None:
    # Oslo stands in another document only
    assert reasons(replace(ASKED, answers=(answer,)), LEAVE, STRANGE) == {"answer not grounded": 1}


def test_one_right_answer_is_enough() -> None:
    assert reasons(replace(ASKED, answers=("27 days", "25 days of annual leave")), LEAVE) == {}


def test_what_names_no_document_may_rest_on_any() -> None:
    assert reasons(replace(ASKED, gold_doc_ids=(), gold_text="", answers=("30 days",)), STRANGE) == {}


def test_a_follow_up_is_searched_for_with_its_history_and_by_its_groups() -> None:
    said = (Message("user", "How many days of leave do employees get?"), Message("agent", "25 days."))
    search = Found(LEAVE)
    kept([replace(ASKED, question="Is it paid?", history=said, groups=("hr",))], search, 3)
    assert ("How many days of leave do employees get? Is it paid?", 3, ("hr",)) in search.asked


def test_a_twin_must_have_no_answer_after_all() -> None:
    twin = Candidate("1~name", "How many days do employees of Oslo get?", (), False, ("a.md",), absent="Oslo")
    assert reasons(twin, LEAVE) == {}
    assert reasons(twin, LEAVE, STRANGE) == {"the unanswerable may be answered": 1}
    assert reasons(replace(twin, absent=""), STRANGE) == {}  # nothing is known to look for


def test_a_row_for_the_others_answers_a_twin_about_a_table() -> None:
    twin = Candidate("1", "What is the limit for Oslo?", (), False, ("a.md",), "| Leeds | £165 |", absent="Oslo")
    rows = "| Place | Limit |\n| --- | --- |\n| Leeds | £165 |"
    assert reasons(twin, replace(LEAVE, text=rows)) == {}
    others = f"{rows}\n| Other countries | ask |"
    assert reasons(twin, replace(LEAVE, text=others)) == {"the unanswerable may be answered": 1}


def test_a_negated_twin_must_find_no_denial() -> None:
    twin = Candidate("1~negation", "Which leave is not paid?", (), False, absent="not")
    assert not may_answer(twin, [LEAVE])
    assert may_answer(twin, [replace(LEAVE, text="Annual leave is paid. Sabbatical leave is not paid.")])


def test_a_passage_holds_its_own_quote_and_a_piece_of_a_longer_one() -> None:
    assert holds(LEAVE, "Employees get 25 days of annual leave.")
    assert holds(LEAVE, "Nothing of it.\nEmployees get 25 days of annual leave.")
    assert holds(LEAVE, f"{LEAVE.text} And much more about bicycles, canteens, parking and the weather.")
    assert not holds(OTHER, "Employees get 25 days of annual leave.")


def test_what_is_written_of_the_sample_company_is_mostly_found_again(
    sample: DocumentIndex, embeddings: Embeddings
) -> None:
    from finetune.data.open_documents import open_to
    from finetune.data.written import written

    found = written(open_to(sample))[::6]
    passed, dropped = kept(found, HybridRetriever(index=sample, embeddings=embeddings))
    assert len(passed) >= 0.7 * len(found)
    assert dropped.keys() <= {"passage not found", "answer not grounded"}
