"""Models with an adapter merged into them, as the store keeps them: what each is needed for, and their removal.

None is lost by a removal: what is asked for again is merged again.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from ragvoice.errors import ModelError
from ragvoice.models.adapters import SHOWN_DIGITS
from ragvoice.models.checksums import visible_files
from ragvoice.models.conversion import merged_adapter
from ragvoice.models.promoted import PromotedAdapters
from ragvoice.models.store import ModelStore

_PROMOTED = ("in service", "for --rollback")


@dataclass(frozen=True)
class MergedModel:
    name: str
    """Slugs of the base and of the adapter, with a plus between them."""
    folder: Path
    size_bytes: int
    """Of all its formats."""
    needed: str
    """What for, in words; empty when nothing needs it."""


def merged_models(home: Path, store: ModelStore) -> list[MergedModel]:
    """By name. One is needed when its adapter is promoted, or was until the last promotion, or still lies where it was
    merged from: a run's latest, a configured folder, the one that comes with the package.

    :param home: RAGVOICE_HOME.
    :raises ModelError: when it cannot be read which adapters are promoted.
    """
    folders = sorted((store.root / "converted").glob("*+*"))
    return [MergedModel(one.name, one, _size_bytes(one), _needed(one, home, store)) for one in folders]


def remove(model: MergedModel, store: ModelStore) -> None:
    """At once: a kill leaves no half of it. A process that has loaded it goes on answering: what it has read or mapped
    of the files stays with it to its end."""
    gone = store.root / ".partial" / f"removing-{model.name}"
    shutil.rmtree(gone, ignore_errors=True)
    gone.parent.mkdir(parents=True, exist_ok=True)
    os.rename(model.folder, gone)
    shutil.rmtree(gone)


def _size_bytes(folder: Path) -> int:
    return sum(file.stat().st_size for file in visible_files(folder))


def _needed(folder: Path, home: Path, store: ModelStore) -> str:
    base, _, adapter = folder.name.rpartition("+")

    def holds(place: Path) -> bool:
        """Whether the adapter that was merged lies there."""
        try:
            return adapter.endswith(f"-{store.fingerprint(str(place))[:SHOWN_DIGITS]}")
        except ModelError:  # nothing is there any more
            return False

    for words, promotion in zip(_PROMOTED, PromotedAdapters(home, base).history(), strict=False):
        if holds(promotion.adapter):
            return words
    copies = home.resolve() / "adapters"  # of everything that was ever promoted
    places = {place for made in folder.iterdir() if (place := merged_adapter(made))}
    return "its adapter is there" if any(place.parent != copies and holds(place) for place in places) else ""
