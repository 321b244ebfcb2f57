"""Training by AdamW with a linear schedule; a checkpoint after every epoch.

Legend: `n` examples.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from finetune.cross_encoder.data import Example
from finetune.cross_encoder.model import Reader, batch_of
from ragvoice.retrieval.cross_encoder import best_span

SPAN_WEIGHT, RELEVANCE_WEIGHT = 0.5, 0.3
WARM_UP = 0.1
"""Share of the steps in which the learning rate rises."""


@dataclass(frozen=True)
class Recipe:
    epochs: int = 2
    batch: int = 16
    learning_rate: float = 8e-4
    rank: int = 16
    alpha: int = 32
    frozen_layers: int = 3
    seed: int = 0


@dataclass(frozen=True)
class Predictions:
    """Logits."""

    answers_n: NDArray[np.float32]
    relevance_n: NDArray[np.float32]
    span_margin_n: NDArray[np.float32]
    """Best span minus null span."""
    spans: list[str]


def train(
    examples: Sequence[Example], base: Path, recipe: Recipe, checkpoint: Path, told: Callable[[str], None] = print
) -> Reader:
    """A reader trained on these examples; goes on from `checkpoint` if that is of the same recipe and data."""
    torch.manual_seed(recipe.seed)
    reader = Reader(base, frozen_layers=recipe.frozen_layers, rank=recipe.rank, alpha=recipe.alpha)
    examples = [example for example in examples if not example.missed]
    optimiser = torch.optim.AdamW(
        [parameter for parameter in reader.parameters() if parameter.requires_grad],
        lr=recipe.learning_rate,
        weight_decay=0.01,
    )
    steps = recipe.epochs * -(-len(examples) // recipe.batch)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: _rate(step, steps))
    made_of = {**asdict(recipe), "examples": _hash(examples)}
    done = _resume(checkpoint, made_of, reader, optimiser, schedule)
    states = reader.lower(examples)
    for epoch in range(done, recipe.epochs):
        reader.train()
        losses = []
        for chosen in _batches(examples, recipe.batch, random.Random(recipe.seed + epoch)):
            loss = _loss(reader, [examples[i] for i in chosen], [states[i] for i in chosen])
            loss.backward()
            torch.nn.utils.clip_grad_norm_(reader.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            optimiser.zero_grad()
            losses.append(loss.item())
        told(f"epoch {epoch + 1} of {recipe.epochs}: loss {np.mean(losses):.3f} over {len(examples)} examples")
        _save(checkpoint, made_of, epoch + 1, reader, optimiser, schedule)
    reader.eval()
    return reader


@torch.no_grad()  # type: ignore[untyped-decorator]
def predict(reader: Reader, examples: Sequence[Example]) -> Predictions:
    reader.eval()
    states = reader.lower(examples)
    answers, relevance, margins = (np.zeros(len(examples), dtype=np.float32) for _ in range(3))
    spans = [""] * len(examples)
    for chosen in _batches(examples, 32, random.Random(0)):
        batch = batch_of([examples[i] for i in chosen], [states[i] for i in chosen])
        start_bl, end_bl, pair_b2 = (logits.numpy() for logits in reader(batch))
        for row, i in enumerate(chosen):
            answers[i], relevance[i] = pair_b2[row]
            found, score = best_span(start_bl[row], end_bl[row], examples[i].offsets_l)
            margins[i] = score - start_bl[row, 0] - end_bl[row, 0]
            spans[i] = examples[i].text[slice(*found)] if found else ""
    return Predictions(answers, relevance, margins, spans)


def _loss(reader: Reader, examples: Sequence[Example], states: Sequence[Tensor]) -> Tensor:
    """Binary cross-entropy of the two logits, and cross-entropy of start and end where these are known."""
    start_bl, end_bl, pair_b2 = reader(batch_of(examples, states))
    wanted_b2 = torch.tensor([[float(example.answers), float(example.relevant)] for example in examples])
    each_2 = functional.binary_cross_entropy_with_logits(pair_b2, wanted_b2, reduction="none").mean(dim=0)
    loss = each_2[0] + RELEVANCE_WEIGHT * each_2[1]
    known = [i for i, example in enumerate(examples) if example.span or not example.answers]
    if known:
        spans = torch.tensor([examples[i].span or (0, 0) for i in known])
        at_start = functional.cross_entropy(start_bl[known], spans[:, 0])
        loss = loss + SPAN_WEIGHT * (at_start + functional.cross_entropy(end_bl[known], spans[:, 1]))
    return loss


def _batches(examples: Sequence[Example], size: int, chance: random.Random) -> Iterator[list[int]]:
    """Indices in random order, texts of similar length together."""
    order = list(range(len(examples)))
    chance.shuffle(order)
    batches = []
    for start in range(0, len(order), 20 * size):
        pool = sorted(order[start : start + 20 * size], key=lambda i: len(examples[i].token_ids_l))
        batches += [pool[first : first + size] for first in range(0, len(pool), size)]
    chance.shuffle(batches)
    yield from batches


def _rate(step: int, steps: int) -> float:
    return min(1.0, (step + 1) / (WARM_UP * steps)) * max(0.0, 1 - step / steps)


def _hash(examples: Sequence[Example]) -> str:
    digest = hashlib.sha256()
    for example in examples:
        digest.update(repr((example.token_ids_l, example.span, example.answers, example.relevant)).encode())
    return digest.hexdigest()


def _save(
    checkpoint: Path, made_of: dict[str, Any], epochs: int, reader: Reader, optimiser: Any, schedule: Any
) -> None:
    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    written = checkpoint.with_suffix(".part")
    state = {"made_of": made_of, "epochs": epochs, "reader": reader.state_dict()}
    torch.save({**state, "optimiser": optimiser.state_dict(), "schedule": schedule.state_dict()}, written)
    written.replace(checkpoint)


def _resume(checkpoint: Path, made_of: dict[str, Any], reader: Reader, optimiser: Any, schedule: Any) -> int:
    """Epochs that are done already."""
    if not checkpoint.is_file():
        return 0
    state = torch.load(checkpoint, weights_only=True)
    if state["made_of"] != made_of:
        return 0
    reader.load_state_dict(state["reader"])
    optimiser.load_state_dict(state["optimiser"])
    schedule.load_state_dict(state["schedule"])
    return int(state["epochs"])
