"""Which documents somebody wants to search, besides those that they may read."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from fnmatch import fnmatchcase

from ragvoice.retrieval.facts import DocumentFacts


@dataclass(frozen=True)
class Scope:
    """All that is given must hold; nothing given admits every document."""

    sources: tuple[str, ...] = ()
    """Patterns of doc_ids, one of which must match: `*` is anything, folders too; a plain path covers all below it."""
    since: date | None = None
    """A document goes by the date from which it is valid, else by when it was written; without one it is left out."""
    until: date | None = None
    """The last day that counts."""
    tags: tuple[str, ...] = ()
    """One of which the document must have."""

    def admits(self, facts: DocumentFacts) -> bool:
        if self.sources and not any(_matches(facts.doc_id, pattern) for pattern in self.sources):
            return False
        if self.tags and not set(self.tags) & set(facts.tags):
            return False
        if self.since is None and self.until is None:
            return True
        day = facts.dated
        return day is not None and (self.since or date.min) <= day <= (self.until or date.max)


EVERYTHING = Scope()


def _matches(doc_id: str, pattern: str) -> bool:
    pattern = pattern.removeprefix("./").rstrip("/")
    return fnmatchcase(doc_id, pattern) or fnmatchcase(doc_id, f"{pattern}/*") or fnmatchcase(doc_id, f"{pattern}!/*")
