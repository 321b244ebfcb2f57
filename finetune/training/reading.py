"""Figures of a model on held-out examples from one forward pass each, without writing a word.

Greedy decoding writes exactly the gold answer when each of its tokens is the likeliest after those before it; so
exact match costs no generation. A refusal is told from the first token.

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
        right_a = best_a == torch.from_numpy(row.targets_a)
        owners_a = torch.from_numpy(row.owners_a)
        for owner in owners_a.unique().tolist():
            of_owner_a = owners_a == owner
            first = int(of_owner_a.nonzero()[0])
            made.append(
                Prediction(
                    examples[owner].refuses,
                    bool(right_a[of_owner_a].all()),
                    int(best_a[first]) == refusal_token,
                    float(losses_a[of_owner_a].sum()),
                    int(of_owner_a.sum()),
                )
            )
    return made


def figures(made: Sequence[Prediction]) -> dict[str, float]:
    """`loss` per token; `exact` of the answerable; both refusal rates; `balanced`: the mean of `exact` and of the
    refused unanswerable ones, or the one that there is."""
    answerable = [one for one in made if not one.refuses]
    unanswerable = [one for one in made if one.refuses]
    found = {"loss": sum(one.loss_sum for one in made) / max(1, sum(one.tokens for one in made))}
    if answerable:
        found["exact"] = sum(one.exact for one in answerable) / len(answerable)
        found["answerable_refused"] = sum(one.refused for one in answerable) / len(answerable)
    if unanswerable:
        found["unanswerable_refused"] = sum(one.refused for one in unanswerable) / len(unanswerable)
    parts = [found[name] for name in ("exact", "unanswerable_refused") if name in found]
    return {**found, "balanced": sum(parts) / len(parts) if parts else 0.0}
