"""Markdown, as a person would read it aloud: no marks, every item and every row a sentence of its own."""

from __future__ import annotations

import re

_ROW = r"[ \t]*\|[^\n]*\|[ \t]*"
_TABLE = re.compile(rf"^(?P<head>{_ROW})\n[ \t]*\|(?:[ \t]*:?-+:?[ \t]*\|)+[ \t]*(?P<rows>(?:\n{_ROW})*)", re.MULTILINE)
_RULES = tuple(
    (re.compile(pattern, flags), replacement)
    for pattern, replacement, flags in (
        (r"^\s*(?:```|~~~).*$", "", re.MULTILINE),
        (r"<!--.*?-->|</?[A-Za-z][^<>]*>", " ", re.DOTALL),
        (r"!?\[([^\]\[]*)\]\((?:[^()]|\([^()]*\))*\)", r"\1", 0),
        (r"\s?\[\^?\d+(?:,\s*\d+)*\]", "", 0),
        (r"^\s*[-*_]{3,}\s*$", "", re.MULTILINE),
        (r"^[ \t]*(?:>[ \t]?)+", "", re.MULTILINE),
        (
            r"^[ \t]*(?:#{1,6}|[-*+•])[ \t]+(?:\[[ xX]\][ \t]+)?(.*?[\w)%*`_\"])[ \t]*#*$",
            r"\1.",
            re.MULTILINE,
        ),
        (r"^[ \t]*(\d{1,2})[.)][ \t]+(.*?[\w)%*`_\"])[ \t]*$", r"\1: \2.", re.MULTILINE),
        (r"^[ \t]*(?:#{1,6}|[-*+•])[ \t]+", "", re.MULTILINE),
        (r"(\*{1,3}|_{1,3}|~~)(?=\S)(?<!\w_)(.+?)(?<=\S)\1(?!\w)", r"\2", 0),
        (r"`+([^`\n]*)`+", r"\1", 0),
        (r"\\([\\`*_{}\[\]()#+\-.!|])", r"\1", 0),
    )
)


def without_markdown(text: str) -> str:
    """A table's row names its columns: `| Annual | 25 |` below `| Type | Days |` becomes "Annual: Days 25."."""
    text = _TABLE.sub(_table, text)
    for pattern, replacement in _RULES:
        text = pattern.sub(replacement, text)
    return re.sub(rf"^{_ROW}$", lambda row: f"{', '.join(filter(None, _cells(row[0])))}.", text, flags=re.MULTILINE)


def _table(match: re.Match[str]) -> str:
    head = _cells(match["head"])
    rows = [_cells(row) for row in match["rows"].splitlines() if row.strip()]
    return "\n".join(_row(head, row) for row in rows) if rows else f"{', '.join(filter(None, head))}."


def _row(head: list[str], cells: list[str]) -> str:
    named = [f"{name} {cell}".strip() for name, cell in zip(head[1:], cells[1:], strict=False) if cell]
    return (f"{cells[0]}: " if cells[0] and named else cells[0]) + ", ".join(named) + "."


def _cells(row: str) -> list[str]:
    return [cell.strip() for cell in row.strip().strip("|").split("|")]
