"""Questions through the same objects as the application, and the figures that come out."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from statistics import mean, median

from ragvoice.datatypes import Answer, Passage, Style
from ragvoice.evaluation.answer_metrics import contains, exact_match, f1
from ragvoice.evaluation.datasets import Dataset, Question, is_gold
from ragvoice.voicebot import VoiceBot

CUTOFFS = (1, 3, 5, 10)


@dataclass(frozen=True)
class QuestionResult:
    """One question; `hits` are 0 or 1 by cut-off, None where there is no gold document."""

    id: str
    question: str
    answerable: bool
    hits: dict[int, float] | None
    outcome: str
    answer: str
    golds: tuple[str, ...]
    confidence: float
    exact_match: float
    f1: float
    contains: float
    cites_gold: float | None
    """Share of the citations that name a gold document; None when nothing is cited."""
    seconds: float


@dataclass(frozen=True)
class Scores:
    """Means over the questions that each figure is defined for; None when there are none."""

    questions: int
    hit_at: dict[int, float | None]
    """Share of answerable questions with a gold document among the first k documents (each counted once)."""
    exact_match: float | None
    """Over answerable questions; an abstention counts 0."""
    f1: float | None
    contains: float | None
    refused_unanswerable: float | None
    """Higher is better."""
    refused_answerable: float | None
    """Lower is better."""
    cites_gold: float | None
    seconds_median: float | None


def hits_at(passages: Sequence[Passage], golds: Sequence[str]) -> dict[int, float]:
    """Whether a gold document is among the first k; several chunks of one document count once, at the best rank."""
    keys: list[str] = []
    for passage in passages:
        named = next((gold for gold in golds if is_gold(passage, gold)), None)
        key = f"gold:{named}" if named else passage.doc_id
        if key not in keys:
            keys.append(key)
    return {k: float(any(key.startswith("gold:") for key in keys[:k])) for k in CUTOFFS}


def evaluate(
    dataset: Dataset,
    bot: VoiceBot,
    search: Callable[[str, Sequence[str]], Sequence[Passage]],
    style: Style = "short",
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[QuestionResult]:
    """:param search: (standalone question, groups) -> enough chunks for the largest cut-off."""
    results = []
    for number, question in enumerate(dataset.questions):
        progress(number, len(dataset.questions))
        started = time.perf_counter()
        answer = bot.ask(question.text, question.history, question.groups, style)
        seconds = time.perf_counter() - started
        results.append(_result(question, answer, search(answer.standalone_question, question.groups), seconds))
    progress(len(dataset.questions), len(dataset.questions))
    return results


def summarise(results: Sequence[QuestionResult]) -> Scores:
    answerable = [result for result in results if result.answerable]
    unanswerable = [result for result in results if not result.answerable]
    found = [result.hits for result in results if result.hits is not None]
    cited = [result.cites_gold for result in answerable if result.cites_gold is not None]
    return Scores(
        len(results),
        {k: _mean([hits[k] for hits in found]) for k in CUTOFFS},
        _mean([result.exact_match for result in answerable]),
        _mean([result.f1 for result in answerable]),
        _mean([result.contains for result in answerable]),
        _mean([float(result.outcome != "answered") for result in unanswerable]),
        _mean([float(result.outcome != "answered") for result in answerable]),
        _mean(cited),
        round(median(result.seconds for result in results), 3) if results else None,
    )


def report_json(dataset: Dataset, style: Style, results: Sequence[QuestionResult]) -> dict[str, object]:
    return {
        "dataset": dataset.name,
        "style": style,
        "scores": asdict(summarise(results)),
        "questions": [asdict(result) for result in results],
    }


def _result(question: Question, answer: Answer, hits: Sequence[Passage], seconds: float) -> QuestionResult:
    said = "" if answer.abstained else answer.answer
    golds = question.answers if question.answerable else ()
    cited = [float(any(_names(c.doc_id, c.page, gold) for gold in question.gold_ids)) for c in answer.citations]
    return QuestionResult(
        question.id,
        question.text,
        question.answerable,
        hits_at(hits, question.gold_ids) if question.answerable and question.gold_ids else None,
        answer.outcome,
        answer.answer,
        golds,
        answer.confidence,
        exact_match(said, golds) if said else 0.0,
        f1(said, golds) if said else 0.0,
        contains(said, golds) if said else 0.0,
        _mean(cited),
        round(seconds, 4),
    )


def _names(doc_id: str, page: int | None, gold: str) -> bool:
    return is_gold(Passage(doc_id, "", "", "", page, None, "", 0, 0.0), gold)


def _mean(values: Sequence[float]) -> float | None:
    return round(mean(values), 4) if values else None
