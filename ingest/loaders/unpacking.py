"""Files inside a file: each is written to a private temporary folder and loaded like any other, within one budget.

What a member claims about itself (its size, its path) is not believed: bytes are counted as they come, and its path
becomes a name in the index but never a path on the disk.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from langchain_core.documents import Document

from ingest.loaders.options import LoadOptions
from ragvoice.errors import DocumentError

NESTED = "!/"
"""Between the name of a container and the path inside it, in the `part` of a document."""
_CHUNK_BYTES = 2**20


class BudgetExceeded(DocumentError):
    """A limit of the whole file is reached: it ends the file, not just the member."""


class _Budget:
    """What the file on disk has left, shared by everything nested in it."""

    def __init__(self, options: LoadOptions):
        self._options = options
        self._bytes = self._members = 0

    def count_member(self) -> None:
        self._members += 1
        if self._members > self._options.max_members:
            raise BudgetExceeded(f"more files in it than the limit of {self._options.max_members:,}")

    def count_bytes(self, count: int) -> None:
        self._bytes += count
        if self._bytes > self._options.max_unpacked_bytes:
            limit = self._options.max_unpacked_bytes // 2**20
            raise BudgetExceeded(f"unpacks to more than the limit of {limit} MiB")


class Unpacking:
    """Given to the loader of a container: `part` turns one member into its documents."""

    def __init__(
        self,
        options: LoadOptions,
        load: Callable[[Path, Unpacking], Iterator[Document]],
        budget: _Budget | None = None,
        depth: int = 0,
    ):
        self.options = options
        self._load = load
        self._budget = budget or _Budget(options)
        self._depth = depth
        self._names: set[str] = set()

    def count_member(self) -> None:
        """:raises BudgetExceeded: call it for each entry, also for those that are passed over."""
        self._budget.count_member()

    def part(self, name: str, chunks: Iterable[bytes], suffix: str | None = None) -> Iterator[Document]:
        """The documents of one member; one with `skipped` when it cannot be read.

        :param chunks: Its bytes, read only as far as the budget allows.
        :param suffix: Of the temporary file, where the name has none that fits.
        :raises BudgetExceeded: the file as a whole is beyond a limit.
        """
        name = self.claim(name)
        if self._depth >= self.options.max_nesting:
            yield skipped(name, f"more than {self.options.max_nesting} archives or mails inside one another")
            return
        inner = Unpacking(self.options, self._load, self._budget, self._depth + 1)
        with tempfile.TemporaryDirectory(prefix="part-", ignore_cleanup_errors=True) as folder:
            path = Path(folder) / f"part{_suffix(name) if suffix is None else suffix}"
            try:
                self._write(path, chunks)
                for document in self._load(path, inner):
                    below = document.metadata.get("part", "")
                    document.metadata["part"] = f"{name}{NESTED}{below}" if below else name
                    yield document
            except BudgetExceeded:
                raise
            except DocumentError as error:
                yield skipped(name, str(error))

    def skip(self, name: str, reason: str) -> Document:
        return skipped(self.claim(name), reason)

    def claim(self, name: str) -> str:
        """A name of a part that no other one has: two attachments of one name are two documents."""
        unique = name = part_name(name)
        count = 1
        while unique in self._names:
            count += 1
            stem, dot, suffix = name.rpartition(".")
            unique = f"{stem} ({count}){dot}{suffix}" if stem and "/" not in suffix else f"{name} ({count})"
        self._names.add(unique)
        return unique

    def _write(self, path: Path, chunks: Iterable[bytes]) -> None:
        written = 0
        with path.open("xb") as file:
            for chunk in chunks:
                self._budget.count_bytes(len(chunk))
                written += len(chunk)
                if written > self.options.max_file_bytes:
                    limit = self.options.max_file_bytes // 2**20
                    raise DocumentError(f"more than the limit of {limit} MiB for one file (the setting max_file_mib)")
                file.write(chunk)


def skipped(part: str, reason: str) -> Document:
    return Document("", metadata={"part": part, "skipped": reason})


def leads_out(name: str) -> bool:
    """Whether a member's path is absolute or climbs upwards."""
    path = name.replace("\\", "/")
    return path.startswith("/") or re.match(r"[A-Za-z]:", path) is not None or ".." in path.split("/")


def chunks_of(read: Callable[[int], bytes]) -> Iterator[bytes]:
    """What an open stream holds, in pieces of at most a mebibyte."""
    while chunk := read(_CHUNK_BYTES):
        yield chunk


def part_name(name: str) -> str:
    """A member's path as a name: relative, with forward slashes, without control characters and steps upwards."""
    printable = "".join(character if character.isprintable() else "_" for character in name.replace("\\", "/"))
    pieces = [piece.strip() for piece in printable.replace(NESTED, "!_").split("/")]
    return "/".join(piece for piece in pieces if piece not in {"", ".", ".."})[-500:] or "unnamed"


def _suffix(name: str) -> str:
    match = re.search(r"\.[A-Za-z0-9]{1,10}$", name)
    return match[0].lower() if match else ""
