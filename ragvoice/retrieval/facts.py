"""What is known of a document besides its text, as far as ranking and filtering need it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import PurePosixPath
from typing import Any

ARCHIVES = frozenset({"archive", "archives", "archived", "old", "obsolete", "superseded"})
"""Names of folders."""

_EDITION_MARKS = re.compile(r"\b(?:version|edition|v)\W?\d[\w.]*|\d+", re.IGNORECASE)
_YEAR = re.compile(r"(?<![^\W_])(?:19|20)\d\d(?![^\W_])")


@dataclass(frozen=True)
class DocumentFacts:
    doc_id: str
    title: str
    characters: int
    """Where its last chunk ends."""
    valid_from: date | None = None
    valid_until: date | None = None
    written: date | None = None
    """When it was modified, else created, as the file states it."""
    tags: tuple[str, ...] = ()

    @classmethod
    def of(cls, doc_id: str, title: str, characters: int, metadata: Mapping[str, Any]) -> DocumentFacts:
        """:param metadata: As in `IndexedDocument`; a date that is none counts as not given."""
        return cls(
            doc_id,
            title,
            characters,
            _date(metadata.get("valid_from")),
            _date(metadata.get("valid_until")),
            _date(metadata.get("modified")) or _date(metadata.get("created")),
            tuple(metadata.get("tags") or ()),
        )

    @property
    def dated(self) -> date | None:
        """The date it goes by: from which it is valid, else when it was written."""
        return self.valid_from or self.written

    @cached_property
    def edition(self) -> int | None:
        """The year that tells it from its other editions: in the title, in the file's name, else that of `valid_from`.

        The last one named counts. A name without a suffix is an identifier, whose digits are no year.
        """
        name = PurePosixPath(self.doc_id)
        named = _YEAR.findall(self.title) or (_YEAR.findall(name.stem) if name.suffix else [])
        if named:
            return int(named[-1])
        return self.valid_from.year if self.valid_from else None

    @cached_property
    def family(self) -> str:
        """Its title without numbers, which its other editions share."""
        return " ".join(_EDITION_MARKS.sub(" ", self.title.lower()).split())

    @cached_property
    def archived(self) -> bool:
        """In a folder of documents that are kept, but no longer hold."""
        return not ARCHIVES.isdisjoint(self.doc_id.lower().split("/")[:-1])


def years(text: str) -> set[int]:
    """Years from 1900 to 2099 that stand in a text as words of their own."""
    return {int(year) for year in _YEAR.findall(text)}


def _date(value: object) -> date | None:
    """The day of an ISO 8601 date or time."""
    try:
        return date.fromisoformat(str(value)[:10])
    except ValueError:
        return None
