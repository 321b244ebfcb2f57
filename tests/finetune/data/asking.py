"""Passages of made-up documents, candidates about them and a search that finds what it is told."""

from __future__ import annotations

from typing import Any

from finetune.data.candidates import Candidate
from finetune.data.contexts import Dropped, Found, Search, retrieved
from ragvoice.datatypes import Passage


def passage(doc_id: str, text: str, similarity: float = 0.5, **more: Any) -> Passage:
    values = {"title": f"About {doc_id}", "section": "", **more}
    return Passage(
        doc_id, doc_id, page=None, place=None, text=text, start_index=0, score=0.5, similarity=similarity, **values
    )


def candidate(id_: str, question: str, answer: str = "", doc_id: str = "", **more: Any) -> Candidate:
    """Unanswerable without an answer."""
    values = {"style": "short", "source": "set", **more}
    gold = (doc_id,) if doc_id else ()
    return Candidate(id_, question, (answer,) if answer else (), bool(answer), gold, **values)


def finding(*passages: Passage) -> Search:
    return lambda query, groups: passages


def found(one: Candidate, *passages: Passage) -> Found:
    [result] = retrieved([one], finding(*passages), Dropped())
    return result
