"""Train, validation and test by document: questions about one title, or of one conversation, are all in one part."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Collection, Sequence

from finetune.data.contexts import Found
from finetune.data.examples import PARTS

_LARGEST = 2.0
"""A group of more than so many times what a part still lacks goes elsewhere."""


def split(found: Sequence[Found], validation: float, test: float, seed: int, name: str) -> dict[str, list[Found]]:
    """Everything that was asked about one index.

    :param validation, test: Shares of the questions, 0 to 1.
    :param name: Of the whole. The order of the groups is by the hash of it and their names: what grows keeps most of
        its split.
    """
    groups = _connected(found)
    order = sorted(groups, key=lambda group: hashlib.sha256(f"{seed} {name} {group}".encode()).hexdigest())
    goals = {"test": test * len(found), "validation": validation * len(found)}
    placed: dict[str, list[str]] = {part: [] for part in PARTS}
    for group in order:
        size = len(groups[group])
        part = next((part for part, goal in goals.items() if goal > 0 and size <= _LARGEST * goal), "train")
        if part in goals:
            goals[part] -= size
        placed[part].append(group)
    for part in goals:
        # Of a few large documents none fits: the smallest is better than none.
        if not placed[part] and len(placed["train"]) > 1:
            smallest = min(placed["train"], key=lambda group: len(groups[group]))
            placed["train"].remove(smallest)
            placed[part].append(smallest)
    return {part: [one for group in names for one in groups[group]] for part, names in placed.items()}


def _connected(found: Sequence[Found]) -> dict[str, list[Found]]:
    """Groups that share a title of a gold passage, a gold document or a conversation, under their first name."""
    root: dict[str, str] = {}

    def find(name: str) -> str:
        root.setdefault(name, name)
        while root[name] != name:
            root[name] = root[root[name]]
            name = root[name]
        return name

    opened = {one.candidate.history[0].text for one in found if one.candidate.history}
    for one in found:
        first, *others = _names(one, opened)
        for other in others:
            a, b = sorted((find(first), find(other)))
            root[b] = a
    groups: dict[str, list[Found]] = defaultdict(list)
    for one in found:
        groups[find(_names(one, opened)[0])].append(one)
    return groups


def _names(one: Found, opened: Collection[str]) -> list[str]:
    """:param opened: The questions that a conversation begins with."""
    names = [f"title {one.gold.title or one.gold.doc_id}"]
    names += [f"document {doc_id}" for doc_id in one.candidate.gold_doc_ids]
    first = one.candidate.history[0].text if one.candidate.history else one.candidate.question
    return [*names, f"conversation {first}"] if first in opened else names
