"""The bytes of the model `tiny` and what the tests ask about a store."""

from __future__ import annotations

import random
from pathlib import Path

from ragvoice.models import PullEvent

WEIGHTS = random.Random(7).randbytes(300_000)
CONFIG = b'{"model_type": "tiny"}'
CUT = 160_000
"""Where the weights are split over the two wheels."""


class Recorder:
    """Keeps every event."""

    def __init__(self) -> None:
        self.events: list[PullEvent] = []

    def update(self, event: PullEvent) -> None:
        self.events.append(event)


def add_source(home: Path, lines: str) -> None:
    """Append a source to the catalogue's only model."""
    with (home / "catalogue.toml").open("a") as file:
        file.write(f"\n[[models.tiny.sources]]\n{lines}\n")


def visible_files(folder: Path) -> list[str]:
    """Every file of the store but locks, hidden folders included."""
    files = (file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file())
    return sorted(file for file in files if not file.startswith(".locks/"))
