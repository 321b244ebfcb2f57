"""The order in which pairs are trained. Pure functions."""

from __future__ import annotations

import random
from collections.abc import Sequence

from finetune.embedder.mining import Pair
from ragvoice.errors import UsageError


def batches(pairs: Sequence[Pair], size: int, epochs: int, seed: int) -> list[list[Pair]]:
    """Full batches of all epochs, one after the other, shuffled anew in each.

    In-batch negatives take every passage of another question for a wrong one, so within a batch no question's right
    passage is a passage of another one. What does not fit so any more is left out of that epoch.

    :raises UsageError: when not even one batch can be filled.
    """
    drawn = random.Random(seed)
    made: list[list[Pair]] = []
    for _ in range(epochs):
        waiting = list(pairs)
        drawn.shuffle(waiting)
        while len(batch := _batch(waiting, size)) == size:
            made.append(batch)
            taken = {pair.question_id for pair in batch}
            waiting = [pair for pair in waiting if pair.question_id not in taken]
    if not made:
        passages = len({pair.positive for pair in pairs})
        raise UsageError(
            f"{len(pairs)} questions on {passages} passages do not fill a batch of {size} different passages. "
            "Take a smaller --batch, or more questions."
        )
    return made


def _batch(waiting: Sequence[Pair], size: int) -> list[Pair]:
    """The first pairs that go together; fewer than `size` when there are no more."""
    batch: list[Pair] = []
    right: set[str] = set()
    seen: set[str] = set()
    for pair in waiting:
        if len(batch) == size:
            break
        if pair.positive not in seen and right.isdisjoint(pair.negatives):
            batch.append(pair)
            right.add(pair.positive)
            seen |= {pair.positive, *pair.negatives}
    return batch
