"""Which questions are kept for the proof: all those of some documents, so that none of these was seen. Pure functions.

Documents of one title, documents that one question names, and the questions of one conversation stay together.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from ragvoice.errors import UsageError
from ragvoice.evaluation.datasets import Question

_LARGEST = 2.0
"""A group of more than so many times the questions that are still wanted is left out."""
_NO_TITLES: Mapping[str, str] = {}


def held_out(
    questions: Sequence[Question], share: float, seed: int = 0, titles: Mapping[str, str] = _NO_TITLES
) -> frozenset[str]:
    """Ids of the held-out questions: whole groups, in an order drawn by `seed`, until they have about `share` of the
    questions; if every group is too large, the smallest one. A question without gold documents is a group of its own.

    :param share: Of the questions, 0 to 1.
    :param titles: Of documents, by doc_id, where they are known: the paragraphs of an article may be documents each.
    :raises UsageError: when all questions hang together, so that nothing would be left on one side.
    """
    groups = _groups(questions, titles)
    drawn = sorted(groups, key=lambda name: hashlib.sha256(f"{seed} {name}".encode()).digest())
    if len(drawn) < 2:
        raise UsageError(
            f"The {len(questions)} questions cannot be split by document: by titles, documents and conversations they "
            "all hang together. Two groups are needed, one to train on and one for the proof."
        )
    wanted = share * len(questions)
    held: list[str] = []
    for name in drawn[:-1]:
        if len(groups[name]) <= _LARGEST * wanted:
            held += groups[name]
            wanted -= len(groups[name])
    smallest = min(groups.values(), key=len)
    return frozenset(held or smallest)


def documents_of(questions: Sequence[Question]) -> frozenset[str]:
    """Gold documents of the questions."""
    return frozenset(gold for question in questions for gold in question.gold_ids)


def _groups(questions: Sequence[Question], titles: Mapping[str, str]) -> dict[str, list[str]]:
    """First name of a group -> ids of its questions (union-find)."""
    above: dict[str, str] = {}

    def top(name: str) -> str:
        while above.setdefault(name, name) != name:
            above[name] = name = above[above[name]]
        return name

    named = {question.id: _names(question, titles) for question in questions}
    for names in named.values():
        for other in names[1:]:
            low, high = sorted((top(names[0]), top(other)))
            above[high] = low
    groups: dict[str, list[str]] = {}
    for id_, names in named.items():
        groups.setdefault(top(names[0]), []).append(id_)
    return groups


def _names(question: Question, titles: Mapping[str, str]) -> list[str]:
    names = {f"title {titles[gold]}" if titles.get(gold) else f"document {gold}" for gold in question.gold_ids}
    if question.history:
        names.add(f"conversation {question.history[0].text}")
    return sorted(names) or [f"question {question.id}"]
