"""One evaluated question: what was asked, what came back, and every figure of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from ragvoice.datatypes import Message, Style
from ragvoice.evaluation.datasets import Kind


@dataclass(frozen=True)
class ReadPassage:
    """A retrieved chunk as the report shows it."""

    doc_id: str
    section: str
    page: int | None
    score: float
    text: str
    gold: bool
    """It comes from a gold document, or from the gold page where one is named."""


@dataclass(frozen=True)
class Cited:
    doc_id: str
    section: str
    page: int | None
    quote: str
    gold: bool


@dataclass(frozen=True)
class QuestionResult:
    """A figure is None where it is not defined: no gold, nothing said, nothing cited."""

    id: str
    style: Style
    question: str
    history: tuple[Message, ...]
    groups: tuple[str, ...]
    standalone_question: str
    answerable: bool
    kind: Kind
    outcome: str
    """As in `Answer`, or `failed`."""
    answer: str
    draft: str
    golds: tuple[str, ...]
    gold_ids: tuple[str, ...]
    confidence: float
    evidence: dict[str, float]
    citations: tuple[Cited, ...] = ()
    passages: tuple[ReadPassage, ...] = ()
    retrieval: dict[str, float] | None = None
    """Of the question as the system searched for it: hit@k, recall@k, mrr, ndcg@10."""
    retrieval_without_history: dict[str, float] | None = None
    """Of a follow-up's own words alone."""
    retrieval_of_standalone: dict[str, float] | None = None
    """Of the follow-up as the dataset rewrites it."""
    exact_match: float | None = None
    """This and the other figures of the words are 0 for a refusal."""
    f1: float | None = None
    contains: float | None = None
    rouge_l: float | None = None
    bleu: float | None = None
    chrf: float | None = None
    right: bool | None = None
    """False for a refusal; None for a question that is not answerable."""
    right_draft: bool | None = None
    """Of the draft, whether or not it was said; False for a question that is not answerable."""
    grounded: float | None = None
    """Share of the answer's sentences that the passages support."""
    citation_precision: float | None = None
    citation_recall: float | None = None
    cites_gold: float | None = None
    """Share of the citations that name a gold document."""
    quotes_found: float | None = None
    """Share of the citations whose quote stands in a retrieved passage."""
    leaked: bool | None = None
    """An unanswerable question was answered from the model's own knowledge."""
    heard: str | None = None
    """What the recogniser understood of a spoken question."""
    judge_correct: float | None = None
    judge_faithful: float | None = None
    judge_reason: str | None = None
    timings: dict[str, float | None] | None = None
    """Seconds, as in `Timings`."""
    error: str | None = None
    """Why there is no answer at all."""
    failure: str | None = None
    """What kind of failure this is (`failures.KINDS`); None when nothing is wrong."""

    @property
    def answered(self) -> bool:
        return self.outcome == "answered"

    @property
    def refused(self) -> bool:
        """Not answered: abstained, asked back, or heard nothing; an error is neither."""
        return not self.answered and self.error is None

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def question_result(row: Mapping[str, Any]) -> QuestionResult:
    """The inverse of `as_json`; fields that this version does not know are left out.

    :raises TypeError, KeyError: when it is no such object.
    """
    known = {field.name for field in fields(QuestionResult)}
    values = {name: value for name, value in row.items() if name in known}
    values["history"] = tuple(Message(**line) for line in row["history"])
    values["citations"] = tuple(Cited(**citation) for citation in row["citations"])
    values["passages"] = tuple(ReadPassage(**passage) for passage in row["passages"])
    for name in ("groups", "golds", "gold_ids"):
        values[name] = tuple(row[name])
    return QuestionResult(**values)
