"""What a model may be called: a catalogue name, a hub id with or without a revision, or a local folder."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from ragvoice.errors import ModelError
from ragvoice.models.catalogue import Catalogue, CatalogueEntry

HUB_ID = re.compile(r"(?P<repo>[\w.-]+/[\w.-]+)(@(?P<revision>[\w./-]+))?")


@dataclass(frozen=True)
class CatalogueReference:
    entry: CatalogueEntry

    @property
    def slug(self) -> str:
        """A name for this model that is safe as a folder's name."""
        return self.entry.name


@dataclass(frozen=True)
class FolderReference:
    folder: Path

    @property
    def slug(self) -> str:
        digest = hashlib.sha256(str(self.folder).encode()).hexdigest()[:8]
        return f"{re.sub(r'[^A-Za-z0-9._-]', '_', self.folder.name)}-{digest}"


@dataclass(frozen=True)
class HubReference:
    repo: str
    revision: str | None

    @property
    def slug(self) -> str:
        name = self.repo.replace("/", "--")
        return f"{name}@{self.revision.replace('/', '--')}" if self.revision else name


Reference = CatalogueReference | FolderReference | HubReference


def parse(text: str, catalogue: Catalogue) -> Reference:
    """Raises ModelError when `text` is none of the three."""
    if text in catalogue:
        return CatalogueReference(catalogue.get(text))
    folder = Path(text).expanduser()
    if folder.is_dir():
        return FolderReference(folder.resolve())
    if folder.is_absolute() or text.startswith((".", "~")):
        raise ModelError(f"the model folder {text} does not exist.")
    match = HUB_ID.fullmatch(text)
    if match:
        return HubReference(match["repo"], match["revision"])
    known = ", ".join(sorted(catalogue.entries))
    raise ModelError(f"{text!r} is no model of the catalogue ({known}), no folder, and no hub id (ORG/NAME).")
