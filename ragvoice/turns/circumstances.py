"""What the installed package is."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.metadata import version
from pathlib import Path

_DECIDES = (".py", ".json", ".toml")


def package_version() -> str:
    return version("ragvoice")


@cache
def code_hash() -> str:
    """SHA-256, 16 digits, over the package's code and data files: a version number alone misses a local change."""
    folder = Path(__file__).resolve().parents[1]
    digest = hashlib.sha256()
    for file in sorted(file for file in folder.rglob("*") if file.suffix in _DECIDES):
        digest.update(f"{file.relative_to(folder).as_posix()}\0".encode() + file.read_bytes() + b"\0")
    return digest.hexdigest()[:16]
