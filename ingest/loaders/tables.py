"""Rows of cells as a Markdown table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence


def markdown_table(rows: Sequence[Sequence[str]]) -> str:
    """The first row is the header; rows may differ in length; columns empty everywhere on the right are left out."""
    return "\n".join(table_lines(rows, max((_used(row) for row in rows), default=0)))


def table_lines(rows: Iterable[Sequence[str]], width: int) -> Iterator[str]:
    """Line by line, for tables that are not held in memory; `width` columns."""
    if not width:
        return
    for number, row in enumerate(rows):
        yield _line([*row[:width], *[""] * (width - len(row))])
        if number == 0:
            yield "|" + " --- |" * width


def one_line(text: str) -> str:
    """Text of a cell: a line end would end the row."""
    return " ".join(text.split())


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(one_line(cell).replace("|", "\\|") for cell in cells) + " |"


def _used(row: Sequence[str]) -> int:
    return max((number for number, cell in enumerate(row, start=1) if cell.strip()), default=0)
