"""ZIP archives within limits: every member is a part, read by the loader that suits it."""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from langchain_core.document_loaders import BaseLoader
from langchain_core.documents import Document

from ingest.loaders.mail import LoadPart
from ingest.loaders.options import LoadOptions
from ragvoice.errors import DocumentError

_PIECE = 2**20


class ArchiveLoader(BaseLoader):
    """Sizes are counted while unpacking, as the archive's own figures may lie. Names never become paths on the disk."""

    def __init__(self, path: Path, options: LoadOptions, load_part: LoadPart):
        self._path = path
        self._options = options
        self._load_part = load_part

    def lazy_load(self) -> Iterator[Document]:
        with zipfile.ZipFile(self._path) as archive, tempfile.TemporaryDirectory() as folder:
            members = [info for info in archive.infolist() if not info.is_dir() and not _is_litter(info.filename)]
            if len(members) > self._options.max_members:
                raise DocumentError(
                    f"{len(members)} files in the archive, more than the limit of {self._options.max_members}"
                )
            left = self._options.max_unpacked_bytes
            for number, info in enumerate(members):
                name = info.filename
                if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts or "\\" in name:
                    yield _skipped(name, "its path leads out of the archive")
                    continue
                if info.flag_bits & 1:
                    yield _skipped(name, "encrypted; save the archive without a password")
                    continue
                file = Path(folder) / str(number) / PurePosixPath(name).name[-100:]
                file.parent.mkdir()
                try:
                    left -= _unpack(archive, info, file, left)
                except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
                    yield _skipped(name, f"a damaged member of the archive ({error})")
                    continue
                yield from self._load_part(file, name)
                file.unlink()


def _unpack(archive: zipfile.ZipFile, info: zipfile.ZipInfo, file: Path, limit: int) -> int:
    """Bytes written.

    :raises DocumentError: when the archive unpacks to more than it may.
    """
    written = 0
    with archive.open(info) as packed, file.open("wb") as target:
        while piece := packed.read(_PIECE):
            written += len(piece)
            if written > limit:
                raise DocumentError("unpacks to more than the limit for one archive; unpack it and ingest the folder")
            target.write(piece)
    return written


def _is_litter(name: str) -> bool:
    return name.startswith("__MACOSX/") or PurePosixPath(name).name.startswith((".", "~$"))


def _skipped(name: str, reason: str) -> Document:
    return Document("", metadata={"part": name, "skipped": reason})
