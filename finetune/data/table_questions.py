"""Questions about the cells of tables: "What is the limit per night for London?" Pure functions, no model."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from finetune.data.plain import plain
from finetune.data.wording import Wording
from ingest.tables import find_tables
from ragvoice.datatypes import Passage

_BORDER = re.compile(r"(?<!\\)\|")
_NO_COLUMN = re.compile(
    r"^(?:what|who|when|where|why|how|is|are|do|does|can|has|have|any|no|yes|if|in|on|at|to|for|from|other|up|not"
    r"|after|before|during|kept|made|paid|held|sent|done|taken|given|due)\b"
    r"|\b(?:by|in|on|of|for|to|at|with|from|and|or|per|until|since|top|days|weeks|months|years)$|\w{3,}ed\b|[\d?#:/()]"
    r"|^(?:notes?|remarks?|comments?|details?|descriptions?|examples?|values?|names?|types?|unit|hours|people|responsible)$",
    re.IGNORECASE,
)
"""Headers that are no noun which a row could have, or say nothing."""
_NO_ROW = re.compile(
    r"^(?:up to|above|below|over|under|from|until|more|less|fewer|any|all|total|sum|\d)|[?:]|^\W", re.I
)
_NO_CELL = re.compile(r"^(?:yes|no|none|n/?a|x|true|false|same|see\b.*|tbd|\W*)$", re.IGNORECASE)
_QUANTITY = re.compile(r"^(?:[£$€]\s?|(?:EUR|GBP|USD|PLN|CHF) )?\d[\d.,]*(?!\d|st\b|nd\b|rd\b|th\b)")
_SINGULAR_ENDINGS = ("ss", "us", "is")
_UNIT = re.compile(r"[^\W\d_]+|[%£$€]")
_MOST_WORDS = {"column": 5, "row": 6, "cell": 10}
_MOST_ROWS = 12
"""Of one table, or the long ones would be most of the data."""


@dataclass(frozen=True)
class Cell:
    """One cell with its question."""

    question: str
    value: str
    sentence: str
    """That says it; empty where none is sure to be grammatical."""
    passage: Passage
    line: str
    """The row as it stands in the passage."""


@dataclass(frozen=True)
class _Row:
    cells: tuple[str, ...]
    line: str
    passage: Passage


def cell_questions(passages: Sequence[Passage], wording: Wording) -> Iterator[Cell]:
    """Only of tables whose first column names the rows, all different; the passages are those of one document."""
    tables: dict[tuple[str, ...], dict[tuple[str, ...], _Row]] = defaultdict(dict)
    for passage in passages:
        for header, row in _rows(passage):
            tables[header].setdefault(row.cells, row)  # chunks overlap
    for header, found in tables.items():
        rows = list(found.values())
        if _names_its_rows(header, rows):
            yield from _questions(header, rows, wording)


def _rows(passage: Passage) -> Iterator[tuple[tuple[str, ...], _Row]]:
    text = "\n".join(part for part in (passage.table_header, passage.text) if part)
    for table in find_tables(text, ()):
        header = tuple(map(plain, _cells(table.header.split("\n")[0])))
        for line in () if table.rows else text[table.body : table.end].splitlines():
            cells = tuple(map(plain, _cells(line)))
            if len(cells) == len(header):
                yield header, _Row(cells, line.strip(), passage)


@lru_cache(maxsize=4096)
def _cells(line: str) -> tuple[str, ...]:
    parts = _BORDER.split(line.strip())
    start, end = int(line.strip().startswith("|")), len(parts) - int(len(parts) > 1 and not parts[-1].strip())
    return tuple(part.strip() for part in parts[start:end])


def _names_its_rows(header: Sequence[str], rows: Sequence[_Row]) -> bool:
    """Whether the cells of the first column are different names."""
    if len(header) < 2 or len(rows) < 2 or len(set(header)) < len(header):
        return False
    names = {row.cells[0] for row in rows}
    return len(names) == len(rows) and all(any(letter.isalpha() for letter in name) for name in names)


def _questions(header: Sequence[str], rows: Sequence[_Row], wording: Wording) -> Iterator[Cell]:
    """One for each of some rows, spread over the table, with the columns in turn."""
    columns = [
        (number, column) for number in range(1, len(header)) if (column := _column(header, rows, number, wording))
    ]
    chosen = [rows[i * len(rows) // _MOST_ROWS] for i in range(_MOST_ROWS)] if len(rows) > _MOST_ROWS else rows
    for place, row in enumerate(chosen):
        if _NO_ROW.search(row.cells[0]) or len(row.cells[0].split()) > _MOST_WORDS["row"]:
            continue
        usable = [(number, column) for number, column in columns if _usable(row.cells[number])]
        if not usable:
            continue
        number, column = usable[place % len(usable)]
        value = row.cells[number].rstrip(".")
        what, be = f"the {column} for {wording.named(row.cells[0])}", "are" if _plural(column) else "is"
        said = be == "is" and _QUANTITY.match(value)
        sentence = f"{what[0].upper()}{what[1:]} is {value}." if said else ""
        yield Cell(f"What {be} {what}?", value, sentence, row.passage, row.line)


def _usable(value: str) -> bool:
    return not _NO_CELL.match(value) and len(value.split()) <= _MOST_WORDS["cell"]


def _column(header: Sequence[str], rows: Sequence[_Row], number: int, wording: Wording) -> str | None:
    """As it stands within a sentence; None when it may be no noun of its own: a name, a verb, a question.

    Nor is it one where another column has the same units: `Meal | Lisbon | Porto` are not properties of a meal.
    """
    title = header[number].replace("_", " ")
    if not 0 < len(title.split()) <= _MOST_WORDS["column"] or _NO_COLUMN.search(title) or not wording.is_phrase(title):
        return None
    units = _units(rows, number)
    if units and any(_units(rows, other) == units for other in range(1, len(header)) if other != number):
        return None
    return wording.lowered(title)


def _units(rows: Sequence[_Row], number: int) -> frozenset[str]:
    """Of a column of quantities: what is written beside the digits."""
    cells = [row.cells[number] for row in rows if row.cells[number]]
    if not any(letter.isdigit() for cell in cells for letter in cell):
        return frozenset()
    return frozenset(unit for cell in cells for unit in _UNIT.findall(cell.lower()))


def _plural(column: str) -> bool:
    noun = re.split(r" (?:per|of|for|in|on|with|a) ", column)[0]
    return noun.endswith("s") and not noun.endswith(_SINGULAR_ENDINGS)
