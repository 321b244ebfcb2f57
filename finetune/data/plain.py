"""Markdown -> the words that a person reads. Pure."""

from __future__ import annotations

import re

_RULES = (
    (re.compile(r"!\[[^\]]*\]\([^)]*\)"), ""),
    (re.compile(r"\[([^\]]+)\]\((?:[^()]|\([^()]*\))*\)"), r"\1"),
    (re.compile(r"</?[a-z][^<>]*>", re.IGNORECASE), ""),
    (re.compile(r"^\s*(?:>\s*|#{1,6}\s+|[-*+•]\s+|\d{1,3}[.)]\s+)", re.MULTILINE), ""),
    (re.compile(r"\*\*|__|`|(?<![\w\\])[_*](?=\w)|(?<=[\w.,!?])[_*](?!\w)"), ""),
    (re.compile(r"\\([\\`*_{}\[\]()#+.!|$-])"), r"\1"),
    (re.compile(r"\s+"), " "),
)


def plain(text: str) -> str:
    """On one line, without marks, links and tags."""
    for pattern, replacement in _RULES:
        text = pattern.sub(replacement, text)
    return text.strip()
