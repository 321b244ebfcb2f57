"""A run of a few seconds: a byte-level model with random weights, three small documents."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from finetune.data.examples import Example, write_parts
from finetune.run import Training
from finetune.training.callbacks import Step
from finetune.training.finished import Trained
from finetune.training.job import train
from ragvoice.datatypes import Message, Passage
from ragvoice.generation.answering import ABSTENTION

PROVENANCE = {"run": "tiny", "base": "tiny-model", "base_fingerprint": "b", "data": "d", "prompt": "p"}
FAST = Training(
    rank=4, alpha=8, dropout=0.0, precision="fp32", max_steps=4, learning_rate=0.01, warmup=0, row_tokens=1500,
    fill_tokens=0, row_examples=3, evaluate_every=2, patience=9,
)  # fmt: skip


def passage(document: str, text: str) -> Passage:
    return Passage(document, f"{document}.md", document, "", None, None, text, 0, 1.0)


LEAVE = passage("leave", "You have 25 days of leave.")
TRAVEL = passage("travel", "Trains are booked in second class.")
PARKING = passage("parking", "A permit costs 9 euro.")


def example(id_: str, question: str, answer: str, *passages: Passage, **more: Any) -> Example:
    kept = {"style": "short", "document": passages[0].doc_id, "source": "hand", "accepted": (answer,), **more}
    return Example(id_, question, passages, answer, **kept)


TRAIN = (
    example("1", "How many days?", "25 days", LEAVE, TRAVEL),
    example("2", "Days of leave?", "25", LEAVE, TRAVEL),
    example("3", "Which class?", ABSTENTION, LEAVE, TRAVEL, document="travel", refuses=True, accepted=()),
    example("4", "Which class?", "second class", TRAVEL),
    example("5", "Who books?", ABSTENTION, TRAVEL, refuses=True, accepted=()),
    example("6", "And by bus?", "Trains", TRAVEL, history=(Message("user", "Train?"), Message("agent", "Yes."))),
)
HELD = (
    example("7", "What is the cost?", "9 euro", PARKING, LEAVE),
    example("8", "What is the fine?", ABSTENTION, PARKING, LEAVE, refuses=True, accepted=()),
)


def make_run(folder: Path) -> Path:
    (folder / "data").mkdir(parents=True)
    write_parts(folder / "data", {"train": TRAIN, "validation": HELD, "test": HELD})
    return folder


def trained(folder: Path, base: Path, resume: bool = False, steps: list[Step] | None = None, **options: Any) -> Trained:
    """:param options: Of `Training`, in place of those of `FAST`."""
    settings = Training.model_validate({**FAST.model_dump(), **options})
    shown: list[Step] = [] if steps is None else steps
    return train(folder, base, settings, 1, {}, PROVENANCE, resume=resume, progress=shown.append)
