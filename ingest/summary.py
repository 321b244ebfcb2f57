"""What one ingest did."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Skipped:
    doc_id: str
    reason: str


@dataclass
class IngestSummary:
    """Counts of documents; `chunks` is the size of the index afterwards."""

    added: int = 0
    changed: int = 0
    removed: int = 0
    unchanged: int = 0
    skipped: list[Skipped] = field(default_factory=list)
    chunks: int = 0
    seconds: float = 0.0
    generation: str = ""
    embedded: int = 0
    """Chunks whose text was not known yet."""
    warnings: list[str] = field(default_factory=list)
