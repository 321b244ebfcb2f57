"""Files that are written whole or not at all, and their sizes in words."""

from __future__ import annotations

import json
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def replacing(file: Path, *, mode: int = 0o666, durable: bool = True) -> Iterator[BinaryIO]:
    """What is written within the block is the file's content after it; until then, and after an error, the old one is.

    :param mode: Of a new file, less the umask; one that is replaced keeps its own.
    :param durable: On the disk before it has its name, so that a power cut leaves no empty file.
    :raises OSError: when the folder is missing or cannot be written, or the disk is full.
    """
    staged = file.with_name(f".{file.name[:200]}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as out:
        try:
            if file.exists():
                os.fchmod(out.fileno(), stat.S_IMODE(file.stat().st_mode))
            yield out
            out.flush()
            if durable:
                os.fsync(out.fileno())
            os.replace(staged, file)
        finally:
            staged.unlink(missing_ok=True)


def write_whole(file: Path, text: str, *, mode: int = 0o666, durable: bool = True) -> None:
    """In UTF-8; as `replacing`."""
    with replacing(file, mode=mode, durable=durable) as out:
        out.write(text.encode())


def write_json(file: Path, content: object) -> None:
    """Whole or not at all; its folder is made if it is missing."""
    file.parent.mkdir(parents=True, exist_ok=True)
    write_whole(file, json.dumps(content, indent=1) + "\n")


def megabytes(size_bytes: float) -> str:
    """`0.4 MB`, `12 MB`, `1.3 GB`"""
    if size_bytes >= 1e9:
        return f"{size_bytes / 1e9:.1f} GB"
    return f"{size_bytes / 1e6:.0f} MB" if size_bytes >= 1e7 else f"{size_bytes / 1e6:.1f} MB"
