"""ZIP and tar archives and compressed files: every member is a part, read by the loader that suits it."""

from __future__ import annotations

import bz2
import gzip
import lzma
import re
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from io import BufferedIOBase
from pathlib import Path

from langchain_core.documents import Document

from ingest.loaders.options import LoadOptions
from ingest.loaders.unpacking import BudgetExceeded, Unpacking, chunks_of, leads_out
from ragvoice.errors import DocumentError

_LITTER = re.compile(r"(?:^|/)(?:__MACOSX/|\.|~\$|Thumbs\.db$|desktop\.ini$)", re.IGNORECASE)
"""What systems leave in archives, and hidden files: passed over as in a folder."""
_LEADS_OUT = "its path leads out of the archive"
_TAR_BLOCK = 512


def load_zip(path: Path, options: LoadOptions, unpacking: Unpacking) -> Iterator[Document]:
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            unpacking.count_member()
            name = _zip_name(info)
            if leads_out(name):
                yield unpacking.skip(name, _LEADS_OUT)
            elif info.is_dir() or _LITTER.search(name):
                continue
            elif info.flag_bits & 1:
                yield unpacking.skip(name, "encrypted: it opens only with a password; pack it without one")
            elif stat.S_ISLNK(info.external_attr >> 16):
                yield unpacking.skip(name, "a link, which is not followed")
            else:
                yield from unpacking.part(name, _unzipped(archive, info))


def _unzipped(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Iterator[bytes]:
    try:
        with archive.open(info) as member:
            yield from chunks_of(member.read)
    except NotImplementedError as error:
        raise DocumentError("packed with a method that is not supported") from error
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, RuntimeError, ValueError) as error:
        raise DocumentError("a damaged member of the archive") from error


def _zip_name(info: zipfile.ZipInfo) -> str:
    """Names without the mark of UTF-8 are read as DOS wrote them, yet most packers write UTF-8."""
    if info.flag_bits & 0x800:
        return info.filename
    try:
        return info.filename.encode("cp437").decode("utf-8")
    except UnicodeError:
        return info.filename


def load_tar(path: Path, options: LoadOptions, unpacking: Unpacking) -> Iterator[Document]:
    with path.open("rb") as stream:
        yield from _untarred(stream, unpacking)


def load_compressed(path: Path, options: LoadOptions, unpacking: Unpacking) -> Iterator[Document]:
    """A gzip, bzip2 or xz file: a tar archive inside is opened at once, anything else is the one part."""
    try:
        with _opened(path) as stream:
            head = stream.read(_TAR_BLOCK)
        with _opened(path) as stream:
            if head[257:262] == b"ustar":
                yield from _untarred(_Counted(stream, options), unpacking)
            else:
                unpacking.count_member()
                yield from unpacking.part(_inner_name(path), _readable(stream))
    except (OSError, EOFError, zlib.error, lzma.LZMAError, ValueError) as error:
        raise DocumentError("a damaged archive") from error


def _opened(path: Path) -> BufferedIOBase:
    with path.open("rb") as stream:
        mark = stream.read(3)
    if mark.startswith(b"\x1f\x8b"):
        return gzip.open(path)
    return bz2.open(path) if mark == b"BZh" else lzma.open(path)


def _readable(stream: BufferedIOBase) -> Iterator[bytes]:
    try:
        yield from chunks_of(stream.read)
    except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
        raise DocumentError("a damaged archive") from error


def _inner_name(path: Path) -> str:
    return path.stem if path.suffix.lower() in {".gz", ".bz2", ".xz"} and path.stem else "content"


def _untarred(stream: BufferedIOBase, unpacking: Unpacking) -> Iterator[Document]:
    try:
        with tarfile.open(fileobj=stream, mode="r|") as archive:
            for info in archive:
                unpacking.count_member()
                if leads_out(info.name):
                    yield unpacking.skip(info.name, _LEADS_OUT)
                    continue
                if info.isdir() or _LITTER.search(info.name.removeprefix("./")):
                    continue
                if not info.isreg():
                    kind = "a link, which is not followed" if info.issym() or info.islnk() else "not a file"
                    yield unpacking.skip(info.name, kind)
                    continue
                member = archive.extractfile(info)
                if member is not None:
                    yield from unpacking.part(info.name, chunks_of(member.read))
    except tarfile.TarError as error:
        raise DocumentError("a damaged archive") from error


class _Counted(BufferedIOBase):
    """A stream that ends the file when it gives more than the limit: members that are passed over cost time as well."""

    def __init__(self, stream: BufferedIOBase, options: LoadOptions):
        self._stream = stream
        # Twice, because members that are read are counted by the budget, and tar adds its own blocks.
        self._left = 2 * options.max_unpacked_bytes
        self._limit = options.max_unpacked_bytes

    def read(self, size: int | None = -1, /) -> bytes:
        data = self._stream.read(size)
        self._left -= len(data)
        if self._left < 0:
            raise BudgetExceeded(f"unpacks to more than the limit of {self._limit // 2**20} MiB")
        return data
