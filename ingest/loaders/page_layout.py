"""Lines that were recognised on a page as text in the order of reading; plain arithmetic on their boxes.

Text in columns is read column by column, a table row by row: a gap down the page parts columns only where what stands
on both sides of it looks like prose.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from dataclasses import dataclass

_FEWEST_LINES = 3
_PROSE_CHARACTERS = 20
"""Median length of a column's lines; cells of tables are shorter."""
_APART = 0.8
"""Line heights between two lines of one column from which on the lower one begins a new paragraph."""


@dataclass(frozen=True)
class Box:
    """A line, or the part of one that stands in a column or cell; pixels from the upper left corner."""

    left: float
    top: float
    right: float
    bottom: float
    text: str
    score: float
    """Confidence of the recogniser, 0 to 1."""

    @property
    def height(self) -> float:
        return self.bottom - self.top

    @property
    def middle(self) -> float:
        return (self.top + self.bottom) / 2


_Row = list[Box]


def text_of(boxes: list[Box]) -> str:
    """Lines in reading order, paragraphs apart."""
    return "\n\n".join(filter(None, map(_paragraphs, _blocks(_rows(boxes)))))


def _rows(boxes: list[Box]) -> list[_Row]:
    """Boxes of one height, from the left; rows from the top."""
    rows: list[_Row] = []
    for box in sorted(boxes, key=lambda box: box.middle):
        if rows and rows[-1][0].top < box.middle < rows[-1][0].bottom:
            rows[-1].append(box)
        else:
            rows.append([box])
    return [sorted(row, key=lambda box: box.left) for row in rows]


def _blocks(rows: list[_Row]) -> Iterator[list[_Row]]:
    """Runs of rows that are read one after the other: those across the page, and those of each column."""
    across: list[_Row] = []
    start = 0
    while start < len(rows):
        columns = _columns(rows[start:])
        if columns is None:
            across.append(rows[start])
            start += 1
            continue
        end, left, right = columns
        yield across
        across, start = [], start + end
        for side in (left, right):
            yield from _blocks(_rows(side))
    yield across


def _columns(rows: list[_Row]) -> tuple[int, list[Box], list[Box]] | None:
    """How many rows stand in two columns from the first row on, and the boxes of each; None when they do not."""
    for before, after in zip(rows[0], rows[0][1:], strict=False):
        end, gutter = _gutter(rows, before, after)
        end = _without_what_follows(rows[:end], gutter)
        boxes = [box for row in rows[:end] for box in row]
        left = [box for box in boxes if box.right <= gutter]
        right = [box for box in boxes if box.left >= gutter]
        if all(_is_prose(side) for side in (left, right)):
            return end, left, right
    return None


def _gutter(rows: list[_Row], before: Box, after: Box) -> tuple[int, float]:
    """How many rows leave a gap between two boxes free, and the middle of what is free in all of them."""
    left, right, least = before.right, after.left, 0.5 * before.height
    for number, row in enumerate(rows):
        middle = (left + right) / 2
        left = max([left, *(box.right for box in row if box.left < middle)])
        right = min([right, *(box.left for box in row if box.left >= middle)])
        if right - left < least:
            return number, middle
    return len(rows), (left + right) / 2


def _without_what_follows(rows: list[_Row], gutter: float) -> int:
    """Number of rows up to the last that stands in both columns, and what goes on below it without a gap."""
    both = [number for number, row in enumerate(rows) if row[0].left < gutter <= row[-1].left]
    end = both[-1] + 1 if both else 0
    while end < len(rows):
        side = [box for row in rows[:end] for box in row if (box.left < gutter) == (rows[end][0].left < gutter)]
        if not side or rows[end][0].top - max(box.bottom for box in side) > _APART * rows[end][0].height:
            break
        end += 1
    return end


def _is_prose(boxes: list[Box]) -> bool:
    return len(boxes) >= _FEWEST_LINES and statistics.median(len(box.text) for box in boxes) >= _PROSE_CHARACTERS


def _paragraphs(rows: list[_Row]) -> str:
    text = ""
    before: Box | None = None
    for row in rows:
        apart = before is not None and row[0].top - before.bottom > _APART * row[0].height
        text += ("\n\n" if apart else "\n" if text else "") + " ".join(box.text for box in row)
        before = row[0]
    return text
