"""What a reader's predictions are worth. Pure functions.

Legend: `n` examples.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from finetune.cross_encoder.data import Example
from ragvoice.evaluation.answer_metrics import exact_match, f1

WRONGLY_REFUSED = 0.1


def folds(groups: Sequence[str], count: int) -> list[NDArray[np.int64]]:
    """Held-out indices of each fold; a group is never torn apart, folds are about equal."""
    from sklearn.model_selection import GroupKFold

    return [held for _, held in GroupKFold(count).split(groups, groups=groups)]


def figures(
    examples: Sequence[Example], answers_n: ArrayLike, margin_n: ArrayLike, spans: Sequence[str]
) -> dict[str, float]:
    """By set and figure, for example `squad2 AUROC`; wrong passages that were drawn count nowhere.

    Exact match and F1 (Rajpurkar et al. 2016, arXiv 1606.05250) are of the answerable questions whose gold answer
    stands in the passage, with the best span as the answer.
    """
    found: dict[str, float] = {}
    scores = {"": np.asarray(answers_n), "span ": np.asarray(margin_n)}
    for source in sorted({example.source for example in examples}):
        chosen = [i for i, example in enumerate(examples) if example.source == source and not example.drawn]
        answerable = np.array([examples[i].answers for i in chosen])
        found[f"{source} questions"] = len(chosen)
        if answerable.any() and not answerable.all():
            for name, score in scores.items():
                found[f"{source} {name}AUROC"] = auroc(answerable, score[chosen])
                found[f"{source} {name}refused"] = refused(answerable, score[chosen])
        spoken = [i for i in chosen if any(gold in examples[i].text for gold in examples[i].golds)]
        if spoken:
            found[f"{source} exact match"] = float(np.mean([exact_match(spans[i], examples[i].golds) for i in spoken]))
            found[f"{source} F1"] = float(np.mean([f1(spans[i], examples[i].golds) for i in spoken]))
    return {name: round(value, 4) for name, value in found.items()}


def auroc(answerable_n: NDArray[np.bool_], score_n: NDArray[np.float32]) -> float:
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(answerable_n, score_n))


def refused(answerable_n: NDArray[np.bool_], score_n: NDArray[np.float32]) -> float:
    """Share of the unanswerable that scores below the threshold under which a tenth of the answerable lies."""
    answerable = np.sort(score_n[answerable_n])
    threshold = answerable[int(WRONGLY_REFUSED * len(answerable))]
    return float((score_n[~answerable_n] < threshold).mean())
