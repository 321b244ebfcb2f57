"""Fits P(the answer is right) and the threshold below which nothing is said, from questions that were answered.

Two models are compared on questions of documents that they were not fitted on: a logistic regression and a small
multi-layer perceptron. The better one, by log loss, is fitted on everything and kept.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ragvoice.errors import UsageError
from ragvoice.evaluation.abstention_metrics import auroc, expected_calibration_error
from ragvoice.evaluation.results import QuestionResult
from ragvoice.generation.confidence import FEATURES, ConfidenceModel

FOLDS = 5
LEAST_ROWS = 60
"""Fewer say nothing about a threshold."""


@dataclass(frozen=True)
class Observation:
    """One answer, said or not."""

    evidence: dict[str, float]
    right: bool
    """Whether what the model wrote was right."""
    answerable: bool
    group: str
    """Questions of one group, such as those of one document, are never on both sides of a split."""


@dataclass(frozen=True)
class Validation:
    """Of one kind of model, on held-out answers."""

    kind: str
    log_loss: float
    accuracy: float
    """Share of answers that `P >= 0.5` calls rightly."""
    auroc: float
    ece: float
    refused_unanswerable: float
    """At the threshold that was chosen."""
    refused_answerable: float
    refused_right: float
    """Of the answers that were right."""
    threshold: float


@dataclass(frozen=True)
class Fit:
    model: ConfidenceModel
    chosen: Validation
    rejected: Validation
    rows: int
    right: int


def observed(name: str, results: Sequence[QuestionResult]) -> list[Observation]:
    """The questions of a set that the model was asked, with an answer that can be called right or wrong.

    :param name: Of the set.
    """
    return [
        Observation(
            result.evidence,
            bool(result.right_draft),
            result.answerable,
            f"{name}/{result.gold_ids[0] if result.gold_ids else result.id}",
        )
        for result in results
        if result.evidence and result.right_draft is not None
    ]


def fit_abstention(
    observations: Sequence[Observation], made_for: dict[str, str], most_refused: float = 0.1, seed: int = 0
) -> Fit:
    """:param most_refused: The threshold holds back at most this share of the right answers, and as many of the wrong
    ones as that allows.
    :raises UsageError: when there are too few answers, only right or only wrong ones, or too few documents.
    """
    if len(observations) < LEAST_ROWS or len({row.right for row in observations}) < 2:
        right = sum(row.right for row in observations)
        raise UsageError(
            f"{len(observations)} answers, {right} of them right, are too few to learn from: it takes {LEAST_ROWS} of "
            "both kinds. Take more questions (raise --limit), with unanswerable ones among them."
        )
    names = [name for name in FEATURES if len({row.evidence[name] for row in observations}) > 1]
    x_nf = np.array([[row.evidence[name] for name in names] for row in observations])
    right_n = np.array([row.right for row in observations])
    answerable_n = np.array([row.answerable for row in observations])
    folds = _folds(right_n, [row.group for row in observations], seed)
    validated = []
    for kind, fresh in _kinds(seed).items():
        held_out_n = np.empty(len(right_n))
        for train, test in folds:
            held_out_n[test] = fresh().fit(x_nf[train], right_n[train]).predict_proba(x_nf[test])[:, 1]
        validated.append(_validated(kind, held_out_n, right_n, answerable_n, most_refused))
    chosen, rejected = sorted(validated, key=lambda row: row.log_loss)
    pipeline = _kinds(seed)[chosen.kind]().fit(x_nf, right_n)
    model = _exported(pipeline, names, chosen.threshold, made_for)
    return Fit(model, chosen, rejected, len(observations), int(right_n.sum()))


def _folds(
    right_n: NDArray[np.bool_], groups: Sequence[str], seed: int
) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """(train, test) rows. :raises UsageError: when one side would have nothing to learn from."""
    from sklearn.model_selection import GroupKFold

    documents = len(set(groups))
    splits = GroupKFold(min(FOLDS, documents), shuffle=True, random_state=seed) if documents > 1 else None
    folds = list(splits.split(right_n, right_n, groups)) if splits else []
    if not folds or any(len(set(right_n[train])) < 2 for train, _ in folds):
        raise UsageError(
            "The questions are about too few documents: when those of some are held out, the other answers are all "
            "right or all wrong. Take questions about more documents."
        )
    return folds


def threshold_for(p_n: NDArray[np.float64], right_n: NDArray[np.bool_], most_refused: float) -> float:
    """The highest threshold below which at most `most_refused` of the right answers are."""
    kept = np.sort(p_n[right_n])
    return float(kept[int(most_refused * len(kept))]) if len(kept) else 0.5


def _kinds(seed: int) -> dict[str, Callable[[], Any]]:
    from sklearn.linear_model import LogisticRegression
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return {
        "logistic regression": lambda: make_pipeline(StandardScaler(), LogisticRegression(C=0.1)),
        "multi-layer perceptron": lambda: make_pipeline(
            StandardScaler(),
            # A hidden layer this small, held back this much: there are hundreds of answers, not thousands.
            MLPClassifier((8,), solver="lbfgs", alpha=10.0, max_iter=2000, random_state=seed),
        ),
    }


def _validated(
    kind: str,
    p_n: NDArray[np.float64],
    right_n: NDArray[np.bool_],
    answerable_n: NDArray[np.bool_],
    most_refused: float,
) -> Validation:
    from sklearn.metrics import log_loss

    threshold = threshold_for(p_n, right_n, most_refused)
    refused_n = p_n < threshold
    return Validation(
        kind,
        float(log_loss(right_n, p_n)),
        float(((p_n >= 0.5) == right_n).mean()),
        auroc(p_n.tolist(), right_n.tolist()) or 0.5,
        expected_calibration_error(p_n.tolist(), right_n.tolist()) or 0.0,
        float(refused_n[~answerable_n].mean()) if (~answerable_n).any() else 0.0,
        float(refused_n[answerable_n].mean()) if answerable_n.any() else 0.0,
        float(refused_n[right_n].mean()),
        threshold,
    )


def _exported(pipeline: Any, names: Sequence[str], threshold: float, made_for: dict[str, str]) -> ConfidenceModel:
    scaler, classifier = pipeline[0], pipeline[-1]
    if hasattr(classifier, "coefs_"):
        weights, biases = tuple(classifier.coefs_), tuple(classifier.intercepts_)
    else:
        weights, biases = (classifier.coef_.T,), (classifier.intercept_,)
    return ConfidenceModel(tuple(names), scaler.mean_, scaler.scale_, weights, biases, threshold, made_for)
