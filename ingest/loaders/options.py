"""How one file is read, and within which limits."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class LoadOptions:
    ocr: bool = True
    """Read pages and pictures that have no text of their own."""
    max_file_bytes: int = 100 * 2**20
    max_unpacked_bytes: int = 2**30
    """Of an archive; counted while it is unpacked."""
    max_members: int = 10_000
    """Files in an archive."""
    max_nesting: int = 4
    """Archives (or mails) inside one another."""


DEFAULT_OPTIONS = LoadOptions()
