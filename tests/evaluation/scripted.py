"""Results, answers and a system that a test writes down."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from ragvoice.datatypes import Answer, Citation, Message, Passage, Style
from ragvoice.evaluation.results import QuestionResult

BLANK = QuestionResult(
    id="1",
    style="short",
    question="How many days?",
    history=(),
    groups=(),
    standalone_question="How many days?",
    answerable=True,
    kind="answerable",
    outcome="answered",
    answer="25 days",
    draft="25 days",
    golds=("25 days",),
    gold_ids=("a",),
    confidence=0.9,
    evidence={},
)
REFUSAL = Answer("t", "q", "q", "abstained", "That is not in the documents.", 0.1)


def result(**changes: Any) -> QuestionResult:
    return replace(BLANK, **changes)


def passage(doc_id: str, page: int | None = None, text: str = "", score: float = 0.5) -> Passage:
    return Passage(doc_id, doc_id, "", "", page, None, text, 0, score)


def answered(text: str, *cited: str, quote: str = "", **changes: Any) -> Answer:
    """An answer that quotes the whole text of a passage of each document."""
    quote = quote or text
    citations = tuple(Citation(doc_id, doc_id, "", "", None, None, quote, 0) for doc_id in cited)
    passages = tuple(passage(doc_id, text=quote) for doc_id in cited)
    return replace(Answer("t", "q", "q", "answered", text, 0.9, citations, passages, draft=text), **changes)


class ScriptedSystem:
    """Answers from a table; an exception in it is raised. Counts what it was asked."""

    name = "scripted"

    def __init__(self, answers: dict[str, Answer | Exception], found: Sequence[Passage] = ()):
        self.answers = answers
        self.found = found
        self.asked: list[tuple[str, Style]] = []
        self.searched: list[str] = []

    def ask(
        self, question: str, history: Sequence[Message] = (), groups: Iterable[str] = (), style: Style = "spoken"
    ) -> Answer:
        self.asked.append((question, style))
        answer = self.answers[question]
        if isinstance(answer, Exception):
            raise answer
        standalone = question if answer.standalone_question == "q" else answer.standalone_question
        return replace(answer, question=question, standalone_question=standalone)

    def search(self, query: str, groups: Iterable[str], k: int) -> Sequence[Passage]:
        self.searched.append(query)
        return self.found
