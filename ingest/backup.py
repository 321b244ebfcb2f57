"""An index as one file: a tar archive of the current generation, checked when it is written and when it comes back."""

from __future__ import annotations

import json
import os
import shutil
import tarfile
from pathlib import Path

from ingest.writer import writing
from ragvoice.errors import UsageError, VectorIndexError
from ragvoice.retrieval.generations import (
    Manifest,
    check_files,
    current_generation,
    is_current,
    read_manifest,
    switch,
    sync_all,
)

_MANIFEST = "manifest.json"
_LONGEST_MANIFEST_BYTES = 64 * 2**20


def export(index: Path, file: Path) -> Manifest:
    """Write `file` as a whole or not at all; readers and writers of the index go on meanwhile.

    :raises VectorIndexError: when the index is damaged. :raises UsageError: when it has parts that are elsewhere.
    """
    folder = current_generation(index)
    manifest = read_manifest(folder)
    if manifest.vector_store != "faiss":
        raise UsageError(f"The vectors of this index are in {manifest.vector_store}: back them up there.")
    file = file.expanduser()
    staged = file.with_name(file.name + ".part")
    try:
        check_files(folder, manifest, hashed_bytes=2**62)
        with tarfile.open(staged, "w") as archive:
            archive.add(folder / _MANIFEST, _MANIFEST)
            for name in manifest.files:
                archive.add(folder / name, name)
        with staged.open("rb") as stream:
            os.fsync(stream.fileno())
        os.replace(staged, file)
    except (FileNotFoundError, VectorIndexError) as error:
        if not file.parent.is_dir():
            raise UsageError(f"There is no folder {file.parent} to write the backup to.") from error
        if is_current(index, folder.name):
            raise
        raise VectorIndexError(
            "A newer generation was published while this one was copied; nothing was written. Run the command again."
        ) from error
    finally:
        staged.unlink(missing_ok=True)
    return manifest


def restore(file: Path, index: Path, *, replace: bool = False, wait_s: float = 0.0) -> Manifest:
    """The index of a backup becomes the current generation of `index`.

    :param replace: Also where there is an index already; its readers go on with what they have open.
    :raises UsageError: when it is no backup, or there is an index and `replace` was not said.
    :raises VectorIndexError: when the backup is damaged; an index that was there is unharmed.
    """
    if (index / "CURRENT").is_file() and not replace:
        raise UsageError(f"There is an index in {index} already. To replace it, add --replace.")
    with writing(index, wait_s):
        try:
            with tarfile.open(file.expanduser(), "r:") as archive:
                return _restore(archive, index)
        except tarfile.TarError as error:
            raise UsageError(f"{file.name} is not a backup that `ragvoice index export` has made ({error}).") from error


def _restore(archive: tarfile.TarFile, index: Path) -> Manifest:
    first = archive.next()
    stream = archive.extractfile(first) if first and first.name == _MANIFEST and first.isreg() else None
    if first is None or stream is None or first.size > _LONGEST_MANIFEST_BYTES:
        raise UsageError("This is not a backup that `ragvoice index export` has made: it does not begin as one.")
    data = stream.read()
    staged = index / "generations" / _name(data)
    if is_current(index, staged.name):
        raise UsageError("The index is the one of the backup already.")
    shutil.rmtree(staged, ignore_errors=True)  # an older generation; who reads it has its files open
    staged.mkdir(parents=True)
    try:
        (staged / _MANIFEST).write_bytes(data)
        manifest = read_manifest(staged)
        for member in archive:
            # Only what the manifest names, and only files: a name cannot lead out of the folder.
            if member.name in manifest.files and member.isreg():
                archive.extract(member, staged, filter="data")
        check_files(staged, manifest, hashed_bytes=2**62)
        sync_all(staged)
        switch(index, staged.name, forgets=True)
    except BaseException:
        if not is_current(index, staged.name):  # an interruption may come after the switch
            shutil.rmtree(staged, ignore_errors=True)
        raise
    return manifest


def _name(manifest: bytes) -> str:
    try:
        name = str(json.loads(manifest)["generation"])
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(
            "This is not a backup that `ragvoice index export` has made: its manifest is unreadable."
        ) from error
    if not name or Path(name).name != name:
        raise UsageError("This is not a backup that `ragvoice index export` has made: a generation has another name.")
    return name
