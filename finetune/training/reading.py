"""Figures of a model on held-out examples from one forward pass each, without writing a word.

Greedy decoding writes exactly the gold answer when each of its tokens is the likeliest after those before it; so
exact match costs no generation. A refusal is told from the first token. Serving weighs how probable it is
(`Evidence.refusal`), so a model is judged at the best threshold for it, not at the one that greedy decoding has.

Legend: `a` predicted tokens, `v` vocabulary.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from finetune.training.encoding import Encoded
from finetune.training.packing import Row


@dataclass(frozen=True)
class Prediction:
    """Of one example."""

    refuses: bool
    """Whether the right answer is the refusal."""
    exact: bool
    """Whether greedy decoding writes the right answer, token by token."""
    refused: bool
    """Whether it begins as a refusal does."""
    exact_answer: bool
    """Whether it writes the right answer when it may not begin as a refusal does."""
    refusal: float
    """Probability that it begins so."""
    loss_sum: float
    """Negative log likelihood of the answer in nats."""
    tokens: int


def predictions(rows: Iterable[Row], logits: Any, examples: Sequence[Encoded], refusal_token: int) -> list[Prediction]:
    """:param logits: Function of a row -> tensor of shape (a, v).
    :param refusal_token: The first token of the refusal.
    """
    import torch

    made = []
    for row in rows:
        logits_av = logits(row).float()
        targets_a = torch.from_numpy(row.targets_a).to(logits_av.device)
        losses_a = torch.nn.functional.cross_entropy(logits_av, targets_a, reduction="none").cpu()
        best_a = logits_av.argmax(dim=-1).cpu()
        refusal_a = logits_av.softmax(dim=-1)[:, refusal_token].cpu()
        logits_av[:, refusal_token] = -torch.inf
        answer_a = logits_av.argmax(dim=-1).cpu()
        targets_a = torch.from_numpy(row.targets_a)
        right_a = best_a == targets_a
        owners_a = torch.from_numpy(row.owners_a)
        for owner in owners_a.unique().tolist():
            of_owner_a = owners_a == owner
            first = int(of_owner_a.nonzero()[0])
            rest_right = bool(right_a[of_owner_a][1:].all())
            made.append(
                Prediction(
                    examples[owner].refuses,
                    bool(right_a[of_owner_a].all()),
                    int(best_a[first]) == refusal_token,
                    rest_right and bool(answer_a[first] == targets_a[first]),
                    float(refusal_a[first]),
                    float(losses_a[of_owner_a].sum()),
                    int(of_owner_a.sum()),
                )
            )
    return made


def figures(made: Sequence[Prediction]) -> dict[str, float]:
    """`loss` per token; `exact` of the answerable; both refusal rates; `separation`: P(an unanswerable one is the more
    likely to be refused of two); `balanced`: the mean of exact answers and of the refused unanswerable ones at the
    probability of refusing that makes it highest. Where one kind is missing, `balanced` is the figure of the other."""
    from sklearn.metrics import roc_auc_score

    answerable = [one for one in made if not one.refuses]
    unanswerable = [one for one in made if one.refuses]
    found = {"loss": sum(one.loss_sum for one in made) / max(1, sum(one.tokens for one in made))}
    if answerable:
        found["exact"] = _mean([one.exact for one in answerable])
        found["answerable_refused"] = _mean([one.refused for one in answerable])
    if unanswerable:
        found["unanswerable_refused"] = _mean([one.refused for one in unanswerable])
    if not answerable or not unanswerable:
        return {**found, "balanced": found.get("exact", found.get("unanswerable_refused", 0.0))}
    separation = roc_auc_score([one.refuses for one in made], [one.refusal for one in made])
    thresholds = {one.refusal for one in made} | {2.0}
    balanced = max(
        _mean([one.exact_answer and one.refusal < threshold for one in answerable])
        + _mean([one.refusal >= threshold for one in unanswerable])
        for threshold in thresholds
    )
    return {**found, "separation": float(separation), "balanced": balanced / 2}


def _mean(values: Sequence[bool]) -> float:
    return sum(values) / len(values)
