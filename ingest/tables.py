"""The tables of a text: Markdown's with pipes, and HTML's. Pure functions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import unescape

from ingest.fences import Span, span_at

_RULE = re.compile(r"^[|:\- \t]++$", re.MULTILINE)
"""A line that may be the one between header and rows."""
_ROWS = re.compile(r"(?:[^\n|]*+\|[^\n]*+(?:\n|\Z))*+")
_HEADING = re.compile(r" {0,3}#{1,6}[ \t]")
_CELL_BORDER = re.compile(r"(?<!\\)\|")
_OPENING, _CLOSING = re.compile(r"<table\b", re.IGNORECASE), re.compile(r"</table\s*>", re.IGNORECASE)
_ROW = re.compile(r"<tr\b", re.IGNORECASE)
_CELL = re.compile(r"<t[hd]\b[^<>]*>", re.IGNORECASE)
_TAG = re.compile(r"<[^<>]*>")
_LONGEST_HEADER = 400
"""Characters of a header row as it is repeated; the cells of a longer one are shortened."""


@dataclass(frozen=True)
class Table:
    start: int
    """Of the header row, in characters of the text."""
    body: int
    """Where the first row below the header begins."""
    end: int
    header: str
    """Header row and rule in Markdown, without padding, whatever the table is written in."""
    rows: tuple[int, ...] = ()
    """Where the rows of an HTML table begin; empty for a table with pipes, whose rows are lines."""


def find_tables(text: str, fences: Sequence[Span]) -> list[Table]:
    """In reading order, apart from one another; what stands in a code fence is code."""
    tables: list[Table] = []
    for table in sorted((*_with_pipes(text), *_in_html(text)), key=lambda table: table.start):
        if (not tables or table.start >= tables[-1].end) and not span_at(fences, table.start):
            tables.append(table)
    return tables


def _with_pipes(text: str) -> Iterator[Table]:
    end = 0
    for rule in _RULE.finditer(text):
        start = text.rfind("\n", 0, max(rule.start() - 1, 0)) + 1
        header = text[start : max(rule.start() - 1, 0)]
        if "|" not in rule[0] or "-" not in rule[0] or "|" not in header or start < end or _HEADING.match(header):
            continue
        body = min(rule.end() + 1, len(text))
        rows = _ROWS.match(text, body)
        end = rows.end() if rows else body
        cells = _cells(header)
        if not any(cells) and body < end:  # a table that names no header: its first row serves as one
            line_end = text.find("\n", body, end)
            line_end = end if line_end < 0 else line_end
            cells, body = _cells(text[body:line_end]), min(line_end + 1, end)
        yield Table(start, body, end, _header(cells))


def _in_html(text: str) -> Iterator[Table]:
    end = 0
    for opening in _OPENING.finditer(text):
        if opening.start() < end:
            continue
        closing = _CLOSING.search(text, opening.end())
        if closing is None:
            return
        end = closing.end()
        rows = tuple(row.start() for row in _ROW.finditer(text, opening.end(), end))
        if not rows:
            continue
        body = rows[1] if len(rows) > 1 else end
        cells = [" ".join(unescape(_TAG.sub(" ", cell)).split()) for cell in _CELL.split(text[rows[0] : body])[1:]]
        yield Table(opening.start(), body, end, _header([cell.replace("|", "\\|") for cell in cells]), rows)


def _cells(line: str) -> list[str]:
    """Of a row with pipes, at its ends or only between the cells."""
    cells = [" ".join(cell.split()) for cell in _CELL_BORDER.split(line.strip())]
    first, last = int(not cells[0]), len(cells) - int(len(cells) > 1 and not cells[-1])
    return cells[first:last]


def _header(cells: Sequence[str]) -> str:
    if sum(map(len, cells)) > _LONGEST_HEADER:
        width = max(_LONGEST_HEADER // len(cells), 1)
        cells = [cell[:width].rstrip("\\") for cell in cells[:_LONGEST_HEADER]]
    return f"| {' | '.join(cells)} |\n|{' --- |' * max(len(cells), 1)}"
