"""What should not be cut apart: code fences, tables and their rows, list items, and the sentence before each.

Pure functions.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence

from ingest.fences import Span, span_at
from ingest.tables import Table

Block = tuple[Span, ...]
"""The same block in several extents, the best first: the first one that fits into a chunk is kept together."""

_LINE = re.compile(
    r"^(?P<gap>(?:[ \t]*+\n)*+)(?P<indent>[ \t]*+)"
    r"(?P<item>[•‣◦▪][ \t]*+|(?:[-*+–]|\(?(?:\d{1,3}|[A-Za-z])[.)])[ \t]++)?(?=\S)",
    re.MULTILINE,
)
"""A line that is not blank, with the blank lines before it."""
_SENTENCE_START = re.compile(r"\n[ \t]*\n\s*|(?<=[.!?])\s+")
_LONGEST_LEAD_IN = 400
"""Characters; a longer sentence is not moved along with what it introduces."""


def keep_together(text: str, start: int, end: int, fences: Sequence[Span], tables: Sequence[Table]) -> list[Block]:
    """Of `text[start:end]`, by the start of their first extent; of one start, the longest first.

    :param fences: Of the whole text, in order, as the tables.
    """
    inner_fences = fences[bisect_left(fences, (start, 0)) : bisect_right(fences, end, key=lambda fence: fence[1])]
    first = bisect_right(tables, start, key=lambda table: table.end)
    inner_tables = tables[first : bisect_left(tables, end, key=lambda table: table.start)]
    solid = sorted([*inner_fences, *((table.start, table.end) for table in inner_tables)])
    items, firsts = _items(text, start, end, solid)
    blocks: list[Block] = [(item,) for item in items]
    ends = sorted(span[1] for span in (*solid, *items))
    for block, last in [*inner_fences, *firsts]:
        blocks.append(((_lead_in(text, start, block, ends), last), (block, last)))
    for table in inner_tables:
        rows = list(_rows(text, max(table.start, start), min(table.end, end), table))
        blocks += [(row,) for row in rows]
        if table.start >= start:
            lead_in = _lead_in(text, start, table.start, ends)
            first_row_end = next((row_end for row, row_end in rows if row >= table.body), table.body)
            lasts = [last for last in (table.end, first_row_end) if last <= end]
            blocks += [tuple((block, last) for last in lasts for block in (lead_in, table.start))] if lasts else []
    return sorted(blocks, key=lambda block: (block[0][0], -block[0][1]))


def _items(text: str, start: int, end: int, solid: Sequence[Span]) -> tuple[list[Span], list[Span]]:
    """The items of lists with what is indented below them, and those of them that are the first of their list."""
    items: list[Span] = []
    firsts: list[Span] = []
    unfinished: list[tuple[int, int, bool]] = []
    """(start, indent, whether it is the first of its list)"""

    def finish(position: int, indent: int) -> bool:
        closed = False
        while unfinished and unfinished[-1][1] >= indent:
            item, _, is_first = unfinished.pop()
            items.append((item, position))
            if is_first:
                firsts.append((item, position))
            closed = True
        return closed

    for line in _LINE.finditer(text, start, end):
        position, indent = line.start("indent"), len(line["indent"].expandtabs(4))
        block = span_at(solid, line.end("indent")) or span_at(solid, position)
        if block and block[0] < position:
            continue
        if line["item"] and not block:
            continues = finish(position, indent)
            unfinished.append((position, indent, not continues and not unfinished))
        elif line["gap"] or block:
            finish(position, indent)
    finish(end, -1)
    return items, firsts


def _rows(text: str, start: int, end: int, table: Table) -> Iterator[Span]:
    if table.rows:
        bounds = [row for row in table.rows if start <= row < end]
    else:
        bounds = [start, *(match.end() for match in re.compile(r"\n").finditer(text, start, end - 1))]
    yield from zip(bounds, [*bounds[1:], end], strict=False)


def _lead_in(text: str, start: int, position: int, ends: Sequence[int]) -> int:
    """Where the sentence right before the position begins; the position itself when there is none.

    :param ends: Where other blocks end: a sentence is looked for behind them.
    """
    floor = max(
        start,
        position - _LONGEST_LEAD_IN,
        ends[bisect_right(ends, position) - 1] if ends and ends[0] <= position else 0,
    )
    before = text[floor:position]
    sentence = before.rstrip()
    if not sentence or before[len(sentence) :].count("\n") > 2:
        return position
    begins = [match.end() for match in _SENTENCE_START.finditer(sentence)]
    if begins:
        return floor + begins[-1]
    is_cut_off = floor == position - _LONGEST_LEAD_IN
    return position if is_cut_off else floor + len(before) - len(before.lstrip())
