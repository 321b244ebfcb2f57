"""A sheet's cells as Markdown: tables that empty rows separate stay apart, titles above them stay text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from ingest.loaders.tables import markdown_table, one_line

Row = Mapping[int, str]
"""Text by column, from 1; empty cells are left out."""
Merges = Mapping[tuple[int, int], tuple[int, int]]
"""(row, column) of the first cell of a merged range, from 1: (last row, last column)."""
_YEAR = re.compile(r"(?:19|20)\d\d")
_NOTE_CHARACTERS = 60
"""A lone cell under a table that is longer is a note, not a row."""


def grid_markdown(rows: Iterable[tuple[int, Row]], merges: Merges) -> Iterator[str]:
    """Paragraphs and tables in the order of the rows.

    :param rows: (number from 1, cells) in ascending order; empty rows may be missing.
    """
    block: dict[int, Row] = {}
    last = 0
    for number, row in rows:
        if not row:
            continue
        if block and number > last + 1 and not (_bridged(last, number, merges) or _goes_on(block, row, number - last)):
            yield from _block(block, merges)
            block = {}
        block[number] = row
        last = number
    if block:
        yield from _block(block, merges)


def _bridged(last: int, number: int, merges: Merges) -> bool:
    """Whether a merged cell spans the empty rows between."""
    return any(top <= last and bottom >= number for (top, _), (bottom, _) in merges.items()) if merges else False


def _goes_on(block: dict[int, Row], row: Row, step: int) -> bool:
    """Whether a row after one empty row still belongs to the table: numbers under its columns, no header of its own."""
    if step != 2 or max(len(one) for one in block.values()) < 2 or len(row) < 2:
        return False
    columns = {column for one in block.values() for column in one}
    numbers = [text for text in row.values() if _is_number(text)]
    return bool(numbers) and not all(_YEAR.fullmatch(text) for text in numbers) and columns.issuperset(row)


def _block(block: dict[int, Row], merges: Merges) -> Iterator[str]:
    for first, last in _column_groups(block):
        part = {number: {c: text for c, text in row.items() if first <= c <= last} for number, row in block.items()}
        yield from _table({number: row for number, row in part.items() if row}, merges)


def _table(block: dict[int, Row], merges: Merges) -> Iterator[str]:
    numbers = list(block)
    if max(len(row) for row in block.values()) == 1:
        yield "\n".join(one_line(text) for row in block.values() for text in row.values())
        return
    top = 0
    while len(block[numbers[top]]) == 1:
        yield one_line(next(iter(block[numbers[top]].values())))
        top += 1
    end = len(numbers)
    while end - top > 2 and _is_note(block[numbers[end - 1]]):
        end -= 1
    filled = _spread({number: block[number] for number in numbers[top:end]}, merges)
    columns = sorted({column for row in filled.values() for column in row})
    rows = [[row.get(column, "") for column in columns] for row in filled.values()]
    yield markdown_table(_one_header(rows, block[numbers[top]], numbers[top], merges))
    for number in numbers[end:]:
        yield one_line(next(iter(block[number].values())))


def _is_note(row: Row) -> bool:
    return len(row) == 1 and len(next(iter(row.values()))) > _NOTE_CHARACTERS


def _spread(block: dict[int, Row], merges: Merges) -> dict[int, dict[int, str]]:
    """A merged cell's text in each of its cells, so that every row can be read by itself."""
    filled = {number: dict(row) for number, row in block.items()}
    for (top, left), (bottom, right) in merges.items():
        text = filled.get(top, {}).get(left)
        if text is None:
            continue
        for number in range(top, min(bottom, max(filled)) + 1):
            for column in range(left, right + 1):
                if number in filled:
                    filled[number].setdefault(column, text)
    return filled


def _one_header(rows: list[list[str]], first: Row, number: int, merges: Merges) -> list[list[str]]:
    """A header of two rows, the upper of which names groups of columns, becomes one: `2025 Q1`."""
    if len(rows) < 3 or any(_is_number(cell) and not _YEAR.fullmatch(cell) for cell in rows[1]):
        return rows
    merged = any(
        top == bottom == number and right > left and left in first for (top, left), (bottom, right) in merges.items()
    )
    sparse = not rows[1][0] and len(first) < sum(map(bool, rows[1])) and any(map(_is_number, rows[2]))
    if not (merged or sparse):
        return rows
    joined = [above if above == below else f"{above} {below}".strip() for above, below in zip(*rows[:2], strict=True)]
    return [joined, *rows[2:]]


def _column_groups(block: dict[int, Row]) -> list[tuple[int, int]]:
    """First and last column of tables that stand side by side.

    An empty column parts two tables when the right one begins with a column of words and both have two columns or
    more: empty columns are also used as spacing inside one table.
    """
    used = sorted({column for row in block.values() for column in row})
    groups = [[used[0], used[0]]]
    for column in used[1:]:
        if column == groups[-1][1] + 1:
            groups[-1][1] = column
        else:
            groups.append([column, column])
    merged = [groups[0]]
    for left, right in groups[1:]:
        wide = right > left and merged[-1][1] > merged[-1][0]
        labels = [row[left] for row in block.values() if left in row]
        if wide and len(labels) > 1 and not any(_is_number(label) for label in labels[1:]):
            merged.append([left, right])
        else:
            merged[-1][1] = right
    return [(left, right) for left, right in merged]


def _is_number(text: str) -> bool:
    return any(character.isdigit() for character in text) and not any(character.isalpha() for character in text)
