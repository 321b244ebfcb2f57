"""Train, validation and test by document: questions about one title, or of one conversation, are all in one part."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence

from finetune.data.contexts import Found
from finetune.data.examples import PARTS

_LARGEST = 2.0
"""A group of more than so many times what a part still lacks goes elsewhere."""


def split(found: Sequence[Found], validation: float, test: float, seed: int) -> dict[str, list[Found]]:
    """:param validation, test: Shares of each source's questions, 0 to 1.

    The order of the groups is by the hash of their names: a set that grows keeps most of its split.
    """
    parts: dict[str, list[Found]] = {part: [] for part in PARTS}
    by_source: dict[str, list[Found]] = defaultdict(list)
    for one in found:
        by_source[one.candidate.source].append(one)
    for source, group in by_source.items():
        named = _connected(group)
        order = sorted(named, key=lambda name: hashlib.sha256(f"{seed} {source} {name}".encode()).hexdigest())
        goals = {"test": test * len(group), "validation": validation * len(group)}
        for name in order:
            size = len(named[name])
            part = next((part for part, goal in goals.items() if 0 < goal and size <= _LARGEST * goal), "train")
            if part in goals:
                goals[part] -= size
            parts[part] += named[name]
    return parts


def _connected(found: Sequence[Found]) -> dict[str, list[Found]]:
    """Groups that share a title of a gold passage, a gold document or a conversation, under their first name."""
    root: dict[str, str] = {}

    def find(name: str) -> str:
        root.setdefault(name, name)
        while root[name] != name:
            root[name] = root[root[name]]
            name = root[name]
        return name

    for one in found:
        first, *others = _names(one)
        for other in others:
            a, b = sorted((find(first), find(other)))
            root[b] = a
    groups: dict[str, list[Found]] = defaultdict(list)
    for one in found:
        groups[find(_names(one)[0])].append(one)
    return groups


def _names(one: Found) -> list[str]:
    names = [f"title {one.gold.title or one.gold.doc_id}"]
    names += [f"document {doc_id}" for doc_id in one.candidate.gold_doc_ids]
    if one.candidate.history:
        names.append(f"conversation {one.candidate.history[0].text}")
    return names
