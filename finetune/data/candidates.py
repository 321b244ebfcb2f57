"""A question that may become a training example, before any passage has been retrieved for it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ragvoice.datatypes import EVERYONE, Message, Style


@dataclass(frozen=True)
class Candidate:
    id: str
    """Unique within its source."""
    question: str
    answers: tuple[str, ...]
    """Each is right by itself; empty for what the documents do not answer."""
    answerable: bool
    gold_doc_ids: tuple[str, ...] = ()
    """Documents that answer; for an unanswerable question the one that it was written about, where it has one."""
    gold_text: str = ""
    """The passage, or the quote of it, that the answer rests on; empty when unknown."""
    history: tuple[Message, ...] = ()
    style: Style = "spoken"
    source: str = ""
    """Kind of source: `set`, `log`, `failure`, `document`, `teacher`, `twin`."""
    groups: tuple[str, ...] = ()
    """That the asker belongs to besides everyone."""
