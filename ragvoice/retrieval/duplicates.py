"""Passages that say the same: the results of a search are different ones. Pure functions."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import date

from ragvoice.datatypes import Passage

ALIKE = 0.9
"""Jaccard similarity of the words, from which two passages are the same one."""

_WORD = re.compile(r"\w+")
_NUMBER = re.compile(r"\w*\d\w*")


def distinct(
    passages: Iterable[Passage], limit: int, preference: Callable[[Passage], tuple[bool, date]]
) -> list[Passage]:
    """The first `limit` passages of which no two are near-identical, in their order.

    Of near-identical ones the most preferred stands where the first stood, with that one's score. Words are compared
    with those of title and section, for the same sentence under `Loggers` and under `Sensors` says two things; and
    passages with different numbers are never the same, or an old limit would hide the new one.
    """
    kept: list[Passage] = []
    seen: list[tuple[set[str], set[str]]] = []
    for passage in passages:
        words = set(_WORD.findall(f"{passage.title} {passage.section} {passage.table_header} {passage.text}".lower()))
        numbers = set(_NUMBER.findall(passage.text))
        twin = next((i for i, (w, n) in enumerate(seen) if n == numbers and _alike(w, words)), None)
        if twin is None:
            if len(kept) == limit:
                break
            kept.append(passage)
            seen.append((words, numbers))
        elif preference(passage) > preference(kept[twin]):
            kept[twin] = replace(passage, score=kept[twin].score)
    return kept


def _alike(one: set[str], other: set[str]) -> bool:
    if min(len(one), len(other)) < ALIKE * max(len(one), len(other)):
        return False
    shared = len(one & other)
    return shared >= ALIKE * (len(one) + len(other) - shared)
