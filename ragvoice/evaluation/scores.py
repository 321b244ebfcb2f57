"""The figures of a set: a list of measures, each a mean over questions or a statistic of all of them, with an interval.

A measure is named once, here; tables, gates, comparisons and the report follow this list.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np

from ragvoice.evaluation.abstention_metrics import (
    area_under_risk_coverage,
    auroc,
    expected_calibration_error,
    refusal_scores,
)
from ragvoice.evaluation.answer_metrics import corpus_bleu
from ragvoice.evaluation.bootstrap import interval, interval_of
from ragvoice.evaluation.results import QuestionResult
from ragvoice.evaluation.retrieval_metrics import CUTOFFS

Rows = Sequence[QuestionResult]
PerQuestion = Callable[[QuestionResult], float | None]
Statistic = Callable[[Rows], float | None]


@dataclass(frozen=True)
class Figure:
    """A value with its 95 % bootstrap interval over questions; None where nothing defines it."""

    value: float | None
    low: float | None
    high: float | None
    n: int
    """Questions that it rests on."""


@dataclass(frozen=True)
class Measure:
    name: str
    group: str
    better: Literal["higher", "lower"]
    of: PerQuestion
    """Value of one question, None where it does not count; for a statistic any value marks the questions it takes."""
    statistic: Statistic | None = None
    """Of all the questions that count; None: the mean of their values."""
    samples: int = 1000
    """Of the bootstrap; fewer where the statistic takes long."""

    def rows(self, results: Rows) -> list[QuestionResult]:
        return [result for result in results if self.of(result) is not None]


def figure(measure: Measure, results: Rows) -> Figure:
    rows = measure.rows(results)
    if measure.statistic is None:
        found = interval([value for row in rows if (value := measure.of(row)) is not None])
    else:
        found = interval_of(measure.statistic, rows, samples=measure.samples)
    if found is None:
        return Figure(None, None, None, len(rows))
    return Figure(round(found.value, 4), round(found.low, 4), round(found.high, 4), len(rows))


def summarise(results: Rows) -> dict[str, Figure]:
    """Every measure that at least one question defines, in the order of `MEASURES`."""
    figures = {measure.name: figure(measure, results) for measure in MEASURES}
    return {name: value for name, value in figures.items() if value.value is not None}


def confidence_and_right(results: Rows) -> tuple[list[float], list[bool]]:
    """How sure the system was of what it would have said, and whether that was right.

    Over every question that the model answered, also where the answer was held back, so that coverage can go to 1; of
    a system that keeps no drafts over what it said. What is said to an unanswerable question is wrong.
    """
    taken = [result for result in results if _judged(result) is not None]
    return [result.confidence for result in taken], [bool(_judged(result)) for result in taken]


def _judged(result: QuestionResult) -> float | None:
    if result.answerable and result.right is None:
        return None
    if result.evidence:
        return float(bool(result.right_draft))
    return float(bool(result.right)) if result.answered else None


def _retrieved(name: str, result: QuestionResult) -> float | None:
    return None if result.retrieval is None else result.retrieval.get(name)


def _followup(name: str, which: str, result: QuestionResult) -> float | None:
    """:param which: A field of the result: how the follow-up was searched for."""
    scores: Mapping[str, float] | None = getattr(result, which)
    return scores.get(name) if result.history and scores is not None else None


def _attribute(name: str, result: QuestionResult) -> float | None:
    value = getattr(result, name)
    return None if value is None else float(value)


def _refused(kinds: tuple[str, ...], result: QuestionResult) -> float | None:
    return float(result.refused) if result.kind in kinds and result.error is None else None


def _asked_back(kinds: tuple[str, ...], result: QuestionResult) -> float | None:
    return float(result.outcome == "clarify") if result.kind in kinds and result.error is None else None


def _right_when_answered(result: QuestionResult) -> float | None:
    if not result.answered or (result.answerable and result.right is None):
        return None
    return float(bool(result.right))


def _finished(result: QuestionResult) -> float | None:
    return None if result.error else 1.0


def _refusals(which: Literal["precision", "recall", "f1"], rows: Rows) -> float | None:
    scores = refusal_scores([row.answerable for row in rows], [row.refused for row in rows])
    value: float | None = getattr(scores, which)
    return value


def _balanced(rows: Rows) -> float | None:
    right = [bool(row.right) for row in rows if row.answerable and row.right is not None]
    declined = [row.refused for row in rows if not row.answerable]
    return (sum(right) / len(right) + sum(declined) / len(declined)) / 2 if right and declined else None


def _aurc(rows: Rows) -> float | None:
    confidence, right = confidence_and_right(rows)
    return area_under_risk_coverage(confidence, right)


def _ece(rows: Rows) -> float | None:
    confidence, right = confidence_and_right(rows)
    return expected_calibration_error(confidence, right)


def _auroc(rows: Rows) -> float | None:
    confidence, right = confidence_and_right(rows)
    return auroc(confidence, right)


def _seconds(stage: str, result: QuestionResult) -> float | None:
    return (result.timings or {}).get(stage)


def _bleu(rows: Rows) -> float | None:
    return corpus_bleu([row.answer if row.answered else "" for row in rows], [row.golds for row in rows])


def _percentile(stage: str, percent: int, rows: Rows) -> float | None:
    return float(np.percentile([value for row in rows if (value := _seconds(stage, row)) is not None], percent))


def _mean_of(group: str, better: Literal["higher", "lower"], **names: PerQuestion) -> list[Measure]:
    return [Measure(name, group, better, of) for name, of in names.items()]


_ANSWERABLE = ("answerable", "partial")
_RANKINGS = [f"{kind}@{k}" for kind in ("hit", "recall") for k in CUTOFFS] + ["mrr", "ndcg@10"]
STAGES = ("transcribe", "retrieve", "first_token", "first_audio", "total")

MEASURES: tuple[Measure, ...] = (
    *(Measure(name, "Retrieval", "higher", partial(_retrieved, name)) for name in _RANKINGS),
    *(
        Measure(f"followup_{name}{suffix}", "Follow-ups", "higher", partial(_followup, name, which))
        for name in ("hit@1", "hit@5", "mrr")
        for suffix, which in (
            ("", "retrieval"),
            ("_without_history", "retrieval_without_history"),
            ("_of_standalone", "retrieval_of_standalone"),
        )
    ),
    *_mean_of(
        "Answers",
        "higher",
        **{n: partial(_attribute, n) for n in ("exact_match", "f1", "rouge_l", "chrf", "contains", "right")},
        right_when_answered=_right_when_answered,
    ),
    Measure("balanced", "Answers", "higher", _finished, _balanced),
    Measure("corpus_bleu", "Answers", "higher", partial(_attribute, "bleu"), _bleu, samples=100),
    *_mean_of(
        "Grounding",
        "higher",
        **{
            n: partial(_attribute, n)
            for n in ("grounded", "citation_precision", "citation_recall", "cites_gold", "quotes_found")
        },
    ),
    *_mean_of("Refusals", "lower", refused_answerable=partial(_refused, _ANSWERABLE)),
    *_mean_of(
        "Refusals",
        "higher",
        refused_unanswerable=partial(_refused, ("unanswerable",)),
        refused_underspecified=partial(_refused, ("underspecified",)),
        asked_back_underspecified=partial(_asked_back, ("underspecified",)),
    ),
    *_mean_of("Refusals", "lower", asked_back_answerable=partial(_asked_back, _ANSWERABLE)),
    Measure("refusal_precision", "Refusals", "higher", _finished, partial(_refusals, "precision")),
    Measure("refusal_recall", "Refusals", "higher", _finished, partial(_refusals, "recall")),
    Measure("refusal_f1", "Refusals", "higher", _finished, partial(_refusals, "f1")),
    *_mean_of("Refusals", "lower", leak_rate=partial(_attribute, "leaked")),
    Measure("aurc", "Confidence", "lower", _judged, _aurc),
    Measure("ece", "Confidence", "lower", _judged, _ece),
    Measure("auroc", "Confidence", "higher", _judged, _auroc, samples=200),
    *_mean_of("Judge", "higher", **{n: partial(_attribute, n) for n in ("judge_correct", "judge_faithful")}),
    *_mean_of("Errors", "lower", failed=lambda result: float(result.error is not None)),
    *(
        Measure(
            f"{stage}_p{percent}", "Seconds", "lower", partial(_seconds, stage), partial(_percentile, stage, percent)
        )
        for stage in STAGES
        for percent in (50, 95)
    ),
)
"""`refused_...` counts whatever was not answered, a question back too. Refusing is right for a question that is not
answerable: precision and recall are those of the refusals. balanced: the mean of `right` over the answerable questions
and of the refusals over the others, so that both kinds weigh alike. corpus_bleu counts a refusal as an empty answer,
chrf is the mean over the questions. aurc, ece and auroc: `confidence_and_right`."""

BY_NAME = {measure.name: measure for measure in MEASURES}
