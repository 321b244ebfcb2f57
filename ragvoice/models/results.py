"""What the store answers with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True)
class PulledModel:
    name: str
    path: Path
    state: Literal["installed", "already installed"]
    duration_s: float
    """Wall clock, conversions and waiting for another process included."""


@dataclass(frozen=True)
class ModelStatus:
    name: str
    task: str
    licence: str
    size_bytes: int
    """Of the model's own files, conversions not counted."""
    default: bool
    installed: bool
    """Every file is there with the right size; `verify` also reads the content."""
    path: Path
    """Where it is, or would be."""
    converted: tuple[str, ...]
    """Formats that have been made."""


@dataclass(frozen=True)
class VerifyResult:
    name: str
    file: str
    """Relative to the model's folder; `FORMAT/FILE` for a file of a conversion."""
    state: Literal["ok", "missing", "changed"]
    expected_sha256: str
    found_sha256: str | None
    """None when the file is missing."""
