"""Does it refuse what it should, and does its confidence know when it is right? Pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from ragvoice.evaluation.answer_metrics import contains


@dataclass(frozen=True)
class RefusalScores:
    """Refusing as the class to be found, each 0 to 1; None where it is 0 / 0."""

    precision: float | None
    """Share of the refused questions that are unanswerable."""
    recall: float | None
    """Share of the unanswerable questions that are refused: the same as `refused_unanswerable`."""
    f1: float | None
    refused_answerable: float | None
    """Share of the answerable questions that are refused; lower is better."""
    refused_unanswerable: float | None
    """Higher is better."""


@dataclass(frozen=True)
class ReliabilityBin:
    """Answers of about the same confidence."""

    confidence: float
    """Mean."""
    accuracy: float
    """Share that is right."""
    count: int


def refusal_scores(answerable: Sequence[bool], refused: Sequence[bool]) -> RefusalScores:
    """:raises ValueError: when the two differ in length."""
    pairs = list(zip(answerable, refused, strict=True))
    rightly, wrongly = pairs.count((False, True)), pairs.count((True, True))
    missed, answered = pairs.count((False, False)), pairs.count((True, False))
    recall = _share(rightly, rightly + missed)
    return RefusalScores(
        _share(rightly, rightly + wrongly),
        recall,
        _share(2 * rightly, 2 * rightly + wrongly + missed),
        _share(wrongly, wrongly + answered),
        recall,
    )


def risk_coverage(confidence: Sequence[float], right: Sequence[bool]) -> list[tuple[float, float]]:
    """(coverage, risk) for every threshold that makes a difference, strictest first (El-Yaniv and Wiener 2010).

    Coverage is the share of questions whose confidence reaches the threshold, risk the share of wrong ones among them.
    """
    points = []
    kept = wrong = 0
    for count, errors in _tied(confidence, right):
        kept, wrong = kept + count, wrong + errors
        points.append((kept / len(right), wrong / kept))
    return points


def area_under_risk_coverage(confidence: Sequence[float], right: Sequence[bool]) -> float | None:
    """AURC: mean risk of the k most confident answers over k = 1 .. n (Geifman and El-Yaniv 2017, arXiv 1705.08500).

    Lower is better; always answering at random has the share of wrong answers. The errors among equally confident
    answers are spread evenly over their places, so the order of the questions does not matter. None without answers.
    """
    total = 0.0
    kept = wrong = 0
    for count, errors in _tied(confidence, right):
        total += sum((wrong + errors * n / count) / (kept + n) for n in range(1, count + 1))
        kept, wrong = kept + count, wrong + errors
    return total / kept if kept else None


def reliability_bins(confidence: Sequence[float], right: Sequence[bool], bins: int = 10) -> list[ReliabilityBin]:
    """Answers by confidence in intervals of equal width, ((m - 1) / bins, m / bins] and 0 in the first, as Guo et al.
    2017 (arXiv 1706.04599) cut them; empty intervals are left out.

    :param confidence: Shape (n,), 0 to 1.
    """
    import numpy as np

    p, hit = np.asarray(confidence, dtype=float), np.asarray(right, dtype=float)
    if p.shape != hit.shape:
        raise ValueError(f"{len(p)} confidences for {len(hit)} answers.")
    which = np.digitize(p, np.linspace(0, 1, bins + 1)[1:-1], right=True)
    groups = [which == number for number in range(bins) if (which == number).any()]
    return [ReliabilityBin(float(p[group].mean()), float(hit[group].mean()), int(group.sum())) for group in groups]


def expected_calibration_error(confidence: Sequence[float], right: Sequence[bool], bins: int = 10) -> float | None:
    """Mean gap between confidence and accuracy over the bins, weighted by their answers; None without answers."""
    cut = reliability_bins(confidence, right, bins)
    gaps = sum(group.count * abs(group.accuracy - group.confidence) for group in cut)
    return gaps / len(right) if cut else None


def auroc(confidence: Sequence[float], right: Sequence[bool]) -> float | None:
    """P(a right answer has the higher confidence than a wrong one), ties count half; None unless there are both."""
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(right, confidence)) if len(set(right)) == 2 else None


def leaked(said: str, golds: Sequence[str]) -> bool:
    """Whether an answer gives the model's knowledge of the world instead of refusing.

    :param said: The answer to a question that the documents do not answer; empty when it was refused.
    :param golds: What the world knows the answer to be.
    """
    return bool(contains(said, golds))


def leak_rate(said: Sequence[str], golds: Sequence[Sequence[str]]) -> float | None:
    """Share of off-topic questions that leaked; None without questions.

    :raises ValueError: when the two differ in length.
    """
    found = [leaked(answer, known) for answer, known in zip(said, golds, strict=True)]
    return _share(sum(found), len(found))


def _tied(confidence: Sequence[float], right: Sequence[bool]) -> list[tuple[int, int]]:
    """(answers, wrong ones among them) by confidence, highest first."""
    ranked = sorted(zip(confidence, right, strict=True), reverse=True)
    groups = [[hit for _, hit in group] for _, group in groupby(ranked, key=lambda pair: pair[0])]
    return [(len(group), group.count(False)) for group in groups]


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
