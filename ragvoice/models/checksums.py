"""SHA-256 of files and of folders."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from ragvoice.files import write_json

FINGERPRINT_DIGITS = 16
"""64 bits: enough to tell models apart; not a defence against a forger, the full hashes are."""


def file_sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def matches(file: Path, size: int, sha256: str) -> bool:
    """Whether the file is there with this content."""
    return file.is_file() and file.stat().st_size == size and file_sha256(file) == sha256


def fingerprint(hashes: Iterable[tuple[str, str]]) -> str:
    """Short SHA-256 over (path, SHA-256) pairs, in any order."""
    lines = "".join(f"{sha256}  {path}\n" for path, sha256 in sorted(hashes))
    return hashlib.sha256(lines.encode()).hexdigest()[:FINGERPRINT_DIGITS]


def folder_fingerprint(folder: Path, cache_file: Path, names: Sequence[str] = ()) -> str:
    """Fingerprint of all files under a folder, hidden ones left out; or of those of these names that it has.

    A file whose size and modification time (ns) stand in `cache_file` is not read again.
    """
    try:
        known = json.loads(cache_file.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        known = {}
    current: dict[str, list[int | str]] = {}
    files = [folder / name for name in names if (folder / name).is_file()] if names else visible_files(folder)
    for file in files:
        stat = file.stat()
        name, stamp = file.relative_to(folder).as_posix(), [stat.st_size, stat.st_mtime_ns]
        seen = known.get(name)
        current[name] = seen if seen and seen[:2] == stamp else [*stamp, file_sha256(file)]
    if current != known:
        write_json(cache_file, current)
    return fingerprint((name, str(stamped[2])) for name, stamped in current.items())


def visible_files(folder: Path) -> list[Path]:
    """Files at any depth of which no part of the relative path begins with a dot, sorted."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return sorted(file for file in files if not any(part.startswith(".") for part in file.relative_to(folder).parts))
