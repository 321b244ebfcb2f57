"""Which files belong to a root, and what each document is called."""

from __future__ import annotations

import os
from collections.abc import Iterator
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


def resolve_root(path: Path, prefix: str = "") -> Root:
    """:raises UsageError: when nothing is there or it cannot be read."""
    resolved = path.expanduser().resolve()
    if not resolved.exists():
        raise UsageError(f"{path} does not exist. Name a folder or a file that holds documents.")
    if not os.access(resolved, os.R_OK):
        raise UsageError(f"{path} cannot be read. Check its permissions.")
    return Root(resolved, prefix.strip("/"))


def walk(root: Root) -> Iterator[SourceFile]:
    """Every candidate file in a stable order. Hidden files, rules files and links out of the root are left out."""
    if root.path.is_file():
        yield SourceFile(root.path, root.path.name)
        return
    for folder, subfolders, names in os.walk(root.path):
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        for name in sorted(names):
            path = Path(folder) / name
            if name.startswith((".", "~$")) or name == RULES_FILE:
                continue
            if Path(folder) == root.path and any(fnmatch(name, pattern) for pattern in _NOT_DOCUMENTS_AT_TOP):
                continue
            if path.is_symlink() and not path.resolve().is_relative_to(root.path):
                continue
            if path.is_file():
                yield SourceFile(path, path.relative_to(root.path).as_posix())
