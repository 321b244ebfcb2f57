"""Workbooks and separated values as Markdown tables: a sheet is a place, blocks between empty rows are tables."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time
from pathlib import Path
from typing import TYPE_CHECKING

from langchain_core.document_loaders import BaseLoader
from langchain_core.documents import Document

from ragvoice.datatypes import Place

if TYPE_CHECKING:
    from openpyxl.cell.cell import Cell, MergedCell

Row = Sequence[str]


class WorkbookLoader(BaseLoader):
    """One `Document` a sheet with its values as a person sees them: no formulas, dates as dates, shares as percent."""

    def __init__(self, path: Path):
        self._path = path

    def lazy_load(self) -> Iterator[Document]:
        from openpyxl import load_workbook

        workbook = load_workbook(self._path, data_only=True)
        for sheet in workbook.worksheets:
            rows = [[_shown(cell) for cell in row] for row in sheet.iter_rows()]
            text = tables(rows)
            yield Document(
                f"## {sheet.title}\n\n{text}" if text else "", metadata={"place": Place("sheet", sheet.title)}
            )


class SeparatedValuesLoader(BaseLoader):
    """CSV and TSV with any of the usual separators; short rows are filled up."""

    def __init__(self, path: Path, text: str):
        self._path = path
        self._text = text

    def lazy_load(self) -> Iterator[Document]:
        sample = self._text[:20_000]
        try:
            delimiter = csv.Sniffer().sniff(sample, ",;\t|").delimiter
        except csv.Error:  # one column, or rows too uneven to tell
            delimiter = max(",;\t|", key=sample.count)
        rows = list(csv.reader(io.StringIO(self._text, newline=""), delimiter=delimiter))
        yield Document(tables([[_inline(value) for value in row] for row in rows]))


def tables(rows: Sequence[Row]) -> str:
    """Rows of cells as Markdown; an empty row ends a table, a lone cell is a line of text."""
    blocks: list[list[Row]] = [[]]
    for row in rows:
        if any(row):
            blocks[-1].append(row)
        elif blocks[-1]:
            blocks.append([])
    return "\n\n".join(part for block in blocks for part in _block(block))


def _block(rows: list[Row]) -> Iterator[str]:
    while rows and sum(map(bool, rows[0])) == 1 and (len(rows) == 1 or sum(map(bool, rows[1])) > 1):
        yield next(filter(None, rows[0]))  # a title above the table, not its header
        rows = rows[1:]
    if not rows:
        return
    width = max(len(row) for row in rows)
    full = [[*row, *[""] * (width - len(row))] for row in rows]
    columns = [i for i in range(width) if any(row[i] for row in full)]
    lines = ["| " + " | ".join(row[i] for i in columns) + " |" for row in full]
    yield "\n".join([lines[0], "|" + " --- |" * len(columns), *lines[1:]])


def _shown(cell: Cell | MergedCell) -> str:
    value = cell.value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time() else value.isoformat(" ", "minutes")
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, int | float):
        if "%" in cell.number_format:
            return f"{value * 100:.10g}%"
        return f"{value:.10g}" if isinstance(value, float) and abs(value) < 1e10 else str(value)
    return _inline(str(value))


def _inline(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
