"""A question that may become a training example, before any passage has been retrieved for it."""

from __future__ import annotations

from dataclasses import dataclass

from ragvoice.datatypes import Message, Style


@dataclass(frozen=True)
class Candidate:
    id: str
    """Unique within its source."""
    question: str
    answers: tuple[str, ...]
    """Each is right by itself; empty for what the documents do not answer."""
    answerable: bool
    gold_doc_ids: tuple[str, ...] = ()
    """Documents that answer; for an unanswerable question those that it was written about, where there are any."""
    gold_text: str = ""
    """The passage, or the quote of it, that the answer rests on; empty when unknown."""
    history: tuple[Message, ...] = ()
    style: Style = "spoken"
    source: str = ""
    """Where it comes from: a set of questions by its name, `log`, `failure`, `document`, `teacher`; of a twin that of
    the question it was made of, with `, twin`."""
    groups: tuple[str, ...] = ()
    """That the asker belongs to besides everyone."""
    absent: str = ""
    """Of an unanswerable twin: what was put into the question. A passage that says it may hold the answer after all."""
