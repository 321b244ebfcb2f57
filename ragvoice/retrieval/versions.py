"""Old and current versions of a document: the current one goes first unless the question asks for the old one.

Pure functions. Legend: `c` candidates of one query.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date

import numpy as np
from numpy.typing import NDArray

from ragvoice.retrieval.facts import DocumentFacts, years

OUT_OF_FORCE = 0.7
"""The score of a document that is not valid today is multiplied by this: it still comes where nothing else answers."""
OLDER_EDITION = 0.9
"""Of one with a newer edition among the candidates, or of another year than the one that the question names."""

_PAST = re.compile(
    r"\b(?<!how )old(?:er)?\b|\bprevious(?:ly)?\b|\bformer(?:ly)?\b|\bused to\b|\barchived?\b|\bsuperseded\b"
    r"|\bback then\b|\blast year\b",
    re.IGNORECASE,
)


def asks_for_the_past(query: str, today: date) -> bool:
    """By a year before this one, or by words such as `old` and `previous`."""
    return bool(_PAST.search(query)) or any(year < today.year for year in years(query))


def in_force(facts: DocumentFacts, today: date) -> bool:
    """Valid on that day as far as its dates say, and in no archive."""
    begun = facts.valid_from is None or facts.valid_from <= today
    over = facts.valid_until is not None and facts.valid_until < today
    return begun and not over and not facts.archived


def standing(facts_c: Sequence[DocumentFacts], query: str, today: date) -> NDArray[np.float32]:
    """Factors of the scores, shape (c,), range 0 to 1.

    Editions belong together when their titles differ in numbers only. A document of no known year is no edition.
    """
    documents = {facts.doc_id: facts for facts in facts_c}
    past = asks_for_the_past(query, today)
    named = years(query) & {facts.edition for facts in documents.values() if facts.edition}
    newest: dict[str, int] = {}
    for facts in documents.values():
        if facts.edition and in_force(facts, today):
            newest[facts.family] = max(facts.edition, newest.get(facts.family, 0))
    factors = {id_: _factor(facts, named, past, newest, today) for id_, facts in documents.items()}
    return np.array([factors[facts.doc_id] for facts in facts_c], dtype=np.float32)


def _factor(facts: DocumentFacts, named: set[int], past: bool, newest: Mapping[str, int], today: date) -> float:
    if named:
        other = facts.edition is not None and facts.edition not in named
    else:
        other = not past and facts.edition is not None and facts.edition < newest.get(facts.family, 0)
    held = past or in_force(facts, today)
    return (OLDER_EDITION if other else 1.0) * (1.0 if held else OUT_OF_FORCE)
