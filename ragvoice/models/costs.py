"""What each model of the catalogue costs: to fetch, on the disk, in memory; and under which licence."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ragvoice.models.catalogue import Task
from ragvoice.models.store import ModelStore


@dataclass(frozen=True)
class ModelCost:
    name: str
    licence: str
    installed: bool
    download_bytes: int
    """Of the model's own files."""
    disk_bytes: int
    """On this machine now, with every conversion."""
    weights_bytes: int
    """Of the smallest form that is on this machine, which is the one that the default runtimes load: about what it
    takes in memory, working space not counted. Of a model that is not here, the size of its own files."""


def model_costs(store: ModelStore, task: Task) -> list[ModelCost]:
    """Of one task, the installed ones first, then by name."""
    found = []
    for model in store.list():
        if model.task != task:
            continue
        converted = [_size_bytes(store.root / "converted" / model.name / format_) for format_ in model.converted]
        own = model.size_bytes if model.installed else 0
        weights = min([model.size_bytes, *(size for size in converted if size)])
        found.append(
            ModelCost(model.name, model.licence, model.installed, model.size_bytes, own + sum(converted), weights)
        )
    return sorted(found, key=lambda cost: (not cost.installed, cost.name))


def _size_bytes(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
