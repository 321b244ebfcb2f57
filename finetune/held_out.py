"""Which questions are kept for the proof: all those of some documents, so that none of these was seen. Pure functions.

Documents that a question names together stay together, and so do all their other questions.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from ragvoice.errors import UsageError
from ragvoice.evaluation.datasets import Question


def held_out(questions: Sequence[Question], share: float, seed: int = 0) -> frozenset[str]:
    """Ids of the held-out questions: whole groups of documents, in an order drawn by `seed`, until they have `share` of
    the questions. A question without gold documents is a group of its own.

    :param share: Of the questions, 0 to 1.
    :raises UsageError: when all questions hang together, so that nothing would be left on one side.
    """
    groups = _groups(questions)
    drawn = sorted(groups, key=lambda name: hashlib.sha256(f"{seed} {name}".encode()).digest())
    held: list[str] = []
    for name in drawn[:-1]:
        if len(held) >= share * len(questions):
            break
        held += groups[name]
    if not held:
        raise UsageError(
            f"The {len(questions)} questions cannot be split by document: they name {len(groups)} separate groups of "
            "documents, and two are needed, one to train on and one for the proof."
        )
    return frozenset(held)


def documents_of(questions: Sequence[Question]) -> frozenset[str]:
    """Gold documents of the questions."""
    return frozenset(gold for question in questions for gold in question.gold_ids)


def _groups(questions: Sequence[Question]) -> dict[str, list[str]]:
    """Smallest document of a group -> ids of the questions that rest on one of its documents (union-find)."""
    above: dict[str, str] = {}

    def top(name: str) -> str:
        while above.setdefault(name, name) != name:
            above[name] = name = above[above[name]]
        return name

    named = {question.id: _names(question) for question in questions}
    for names in named.values():
        for other in names[1:]:
            low, high = sorted((top(names[0]), top(other)))
            above[high] = low
    groups: dict[str, list[str]] = {}
    for id_, names in named.items():
        groups.setdefault(top(names[0]), []).append(id_)
    return groups


def _names(question: Question) -> list[str]:
    return sorted(set(question.gold_ids)) or [f"question {question.id}"]
