"""Which files belong to a root, and what each document is called."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from ragvoice.errors import UsageError

RULES_FILE = "access.toml"

_NOT_DOCUMENTS_AT_TOP = ("questions*.jsonl", "manifest.jsonl", "SOURCE.txt")
"""A dataset's answer key and description stand beside its documents; they must never be found by a search."""


@dataclass(frozen=True)
class Root:
    """A folder or a single file that the user named."""

    path: Path
    prefix: str = ""
    """Put before every doc_id of this root, with a `/`."""

    def doc_id(self, relative: str) -> str:
        return f"{self.prefix}/{relative}" if self.prefix else relative


@dataclass(frozen=True)
class SourceFile:
    path: Path
    relative: str
    """Path below the root with `/`; the file's name when the root is a file."""
    size: int
    """In bytes."""
    mtime_ns: int


def resolve_root(path: Path, prefix: str = "") -> Root:
    """:raises UsageError: when nothing is there, it cannot be read, or its name cannot be stored."""
    resolved = path.expanduser().resolve()
    if not resolved.exists():
        raise UsageError(f"{path} does not exist. Name a folder or a file that holds documents.")
    if not os.access(resolved, os.R_OK):
        raise UsageError(f"{path} cannot be read. Check its permissions.")
    if readable_name(str(resolved)) != str(resolved):
        raise UsageError(f"The name of {readable_name(str(path))} is not valid UTF-8. Rename it.")
    return Root(resolved, prefix.strip("/"))


def walk(root: Root, unreadable: Callable[[str, str], None] = lambda relative, reason: None) -> Iterator[SourceFile]:
    """Every candidate file in a stable order.

    Hidden files, rules files, indexes and links out of the root are left out.

    :param unreadable: Called with (path below the root, `.` for itself, reason) for what cannot be listed or looked at.
    """
    if root.path.is_file():
        status = root.path.stat()
        yield SourceFile(root.path, readable_name(root.path.name), status.st_size, status.st_mtime_ns)
        return

    def on_error(error: OSError) -> None:
        relative = os.path.relpath(error.filename or root.path, root.path)
        unreadable(readable_name(relative), f"cannot be read: {error.strerror or error}")

    for folder, subfolders, names in os.walk(root.path, onerror=on_error):
        here = Path(folder)
        subfolders[:] = sorted(name for name in subfolders if not name.startswith(".") and not is_index(here / name))
        for name in sorted(names):
            path = here / name
            if name.startswith((".", "~$")) or name == RULES_FILE:
                continue
            if here == root.path and any(fnmatch(name, pattern) for pattern in _NOT_DOCUMENTS_AT_TOP):
                continue
            if os.path.islink(path) and not Path(os.path.realpath(path)).is_relative_to(root.path):
                continue
            relative = readable_name(path.relative_to(root.path).as_posix())
            try:
                status = path.stat()
            except FileNotFoundError:  # gone meanwhile, or a link to nothing
                continue
            except OSError as error:
                unreadable(relative, f"cannot be read: {error.strerror or error}")
                continue
            if stat.S_ISREG(status.st_mode):
                yield SourceFile(path, relative, status.st_size, status.st_mtime_ns)


def is_index(folder: Path) -> bool:
    """Whether the folder holds an index, or one that is being written for the first time; no when it cannot be told."""
    there = os.path.isdir(folder / "generations")  # `Path.is_dir` raises where the folder must not be entered
    return there and (os.path.isfile(folder / "CURRENT") or os.path.isfile(folder / "lock"))


def readable_name(name: str) -> str:
    r"""A file name that can be stored and printed: bytes that are not UTF-8 become `\xNN`."""
    return os.fsencode(name).decode("utf-8", errors="backslashreplace")
