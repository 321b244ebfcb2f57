"""Results of the voice evaluation and the figures drawn from them. Pure functions.

Legend: `q` questions, `b` bootstrap samples.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import mean

import numpy as np

from ragvoice.evaluation.bootstrap import paired_difference
from ragvoice.evaluation.speech_metrics import Errors, KeptMeaning, pooled

TEXT = "text"
"""The condition that the others are compared with."""


@dataclass(frozen=True)
class HeardQuestion:
    """One question under one condition."""

    id: str
    condition: str
    answerable: bool
    asked: str
    heard: str
    """Empty when the recogniser heard nobody; the question itself under the condition `text`."""
    recogniser_confidence: float | None
    words: Errors
    numbers: Errors
    names: Errors
    hit_at_5: float | None
    """0 or 1; None where there is no gold document."""
    outcome: str | None
    """None where the question was not answered in this run, and so are the next three."""
    answer: str | None
    f1: float | None
    """None for an unanswerable question too; an abstention counts 0."""
    contains: float | None
    refused: float | None
    """0 or 1, of an unanswerable question."""


@dataclass(frozen=True)
class SpokenAnswer:
    """One answer of the condition `text`, and what is heard when it is said aloud."""

    id: str
    outcome: str
    said: str
    heard: str
    words: Errors
    kept: KeptMeaning


@dataclass(frozen=True)
class Loss:
    """What is lost against text, mean over the same questions; positive is worse."""

    mean: float
    low: float
    """Ends of the 95 % interval of a paired bootstrap."""
    high: float
    questions: int


@dataclass(frozen=True)
class ConditionScores:
    """Figures of one condition; None where no question defines them."""

    condition: str
    questions: int
    wer: float | None
    number_error_rate: float | None
    name_error_rate: float | None
    hit_at_5: float | None
    f1: float | None
    contains: float | None
    refused_unanswerable: float | None
    lost_hit_at_5: Loss | None
    lost_f1: Loss | None
    lost_contains: Loss | None
    lost_refusals: Loss | None


@dataclass(frozen=True)
class AnswerScores:
    """Shares of the spoken answers whose meaning arrives."""

    answers: int
    wer: float | None
    numbers_kept: float | None
    negations_kept: float | None
    refusals_kept: float | None
    meaning_kept: float | None
    """All three."""


@dataclass(frozen=True)
class Separation:
    """How well the recogniser's confidence tells misheard questions from the others."""

    questions: int
    misheard: float
    """Share of them."""
    auroc: float | None
    """P(a misheard question has the lower confidence than one that is not); None when all are alike."""
    threshold: float | None
    """Where caught minus disturbed is largest (Youden's J): below it, ask. None where asking does not pay anywhere."""
    caught: float | None
    """Share of the misheard questions below the threshold."""
    disturbed: float | None
    """Share of the others below it: those are asked for nothing."""


def condition_scores(results: Sequence[HeardQuestion]) -> list[ConditionScores]:
    """One row a condition, in the order in which they first come."""
    text = {result.id: result for result in results if result.condition == TEXT}
    rows = []
    for condition in dict.fromkeys(result.condition for result in results):
        these = [result for result in results if result.condition == condition]

        def lost(value: Callable[[HeardQuestion], float | None], these: Sequence[HeardQuestion] = these) -> Loss | None:
            pairs = [(value(text[one.id]), value(one)) for one in these if one.id in text]
            return paired_loss([(before, after) for before, after in pairs if before is not None and after is not None])

        spoken = condition != TEXT
        rows.append(
            ConditionScores(
                condition,
                len(these),
                _rounded(pooled(one.words for one in these).rate),
                _rounded(pooled(one.numbers for one in these).rate),
                _rounded(pooled(one.names for one in these).rate),
                _mean([one.hit_at_5 for one in these]),
                _mean([one.f1 for one in these]),
                _mean([one.contains for one in these]),
                _mean([one.refused for one in these]),
                lost(lambda one: one.hit_at_5) if spoken else None,
                lost(lambda one: one.f1) if spoken else None,
                lost(lambda one: one.contains) if spoken else None,
                lost(lambda one: one.refused) if spoken else None,
            )
        )
    return rows


def answer_scores(spoken: Sequence[SpokenAnswer]) -> AnswerScores:
    return AnswerScores(
        len(spoken),
        _rounded(pooled(one.words for one in spoken).rate),
        _mean([float(one.kept.numbers) for one in spoken]),
        _mean([float(one.kept.negations) for one in spoken]),
        _mean([float(one.kept.refusal) for one in spoken]),
        _mean([float(one.kept.whole) for one in spoken]),
    )


def paired_loss(pairs: Sequence[tuple[float, float]]) -> Loss | None:
    """Mean of before minus after over pairs (before, after) of one question each; None without pairs."""
    found = paired_difference([before for before, _ in pairs], [after for _, after in pairs])
    if found is None:
        return None
    return Loss(round(found.value, 4), round(found.low, 4), round(found.high, 4), len(pairs))


def separation(confidences: Sequence[float], misheard: Sequence[bool]) -> Separation:
    """:param confidences: Of the recogniser, one a question. :param misheard: Whether that question was."""
    from sklearn.metrics import roc_auc_score, roc_curve

    share = sum(misheard) / len(misheard) if misheard else 0.0
    if not 0 < share < 1:
        return Separation(len(misheard), share, None, None, None, None)
    doubt_q = -np.asarray(confidences, np.float64)
    disturbed, caught, limits = roc_curve(misheard, doubt_q)
    best = int(np.argmax(caught - disturbed))
    # roc_curve takes what is at least the limit, and "below the threshold" must take the same questions.
    # At no limit at all nothing is taken: no threshold does better than asking nobody.
    threshold = float(np.nextafter(-limits[best], np.inf)) if np.isfinite(limits[best]) else None
    return Separation(
        len(misheard), share, float(roc_auc_score(misheard, doubt_q)), threshold, float(caught[best]),
        float(disturbed[best]),
    )  # fmt: skip


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return round(mean(known), 4) if known else None


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
