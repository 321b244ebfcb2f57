"""CSV and TSV with whatever separator they have, as one table."""

from __future__ import annotations

import csv
import io
import itertools
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from langchain_core.documents import Document

from ingest.loaders.options import LoadOptions
from ingest.loaders.tables import one_line, table_lines
from ingest.loaders.text import decode_text, storable
from ragvoice.errors import DocumentError

_SEPARATORS = (",", ";", "\t", "|", ":", "^")
_SAMPLE_ROWS = 200
_MAX_COLUMNS = 2_000


def load_delimited(path: Path, options: LoadOptions) -> Iterator[Document]:
    text = storable(decode_text(path.read_bytes()))
    if text.startswith("sep=") and len(text.partition("\n")[0]) == 5:  # Excel's own hint
        separator: str | None = text[4]
        text = text.partition("\n")[2]
    else:
        separator = separator_of(text)
    if separator is None:
        yield Document(text)
        return
    # The rows are gone through twice rather than kept: as Python lists they take ten times the room of the file.
    width, characters = 0, 0
    for row in _rows(text, separator):
        width = max(width, len(row))
        characters += sum(map(len, row))
        if characters + 3 * width > options.max_characters:
            raise DocumentError(f"more text than the limit of {options.max_characters:,} characters for one file")
    rows = _rows(text, separator)
    titles, first = [], next(rows, [])
    while width > 1 and sum(bool(cell.strip()) for cell in first) == 1 and (following := next(rows, None)) is not None:
        titles.append(one_line(" ".join(first)))
        first = following
    table = "\n".join(table_lines(itertools.chain([first], rows), min(width, _MAX_COLUMNS)))
    yield Document("\n\n".join([*titles, table]))


def separator_of(text: str) -> str | None:
    """The one that cuts most of the first rows into the same number of cells; None when none does."""
    best: tuple[float, str | None] = (0.0, None)
    for separator in _SEPARATORS:
        rows = _rows(text[:100_000], separator)
        lengths = Counter(len(row) for row, _ in zip(rows, range(_SAMPLE_ROWS), strict=False))
        wide = {length: count for length, count in lengths.items() if length > 1}
        if not wide:
            continue
        share = sum(wide.values()) / lengths.total()
        agreement = max(wide.values()) / lengths.total()
        # A separator of one row only may well be a mark of its prose.
        score = agreement + share / 2 + (0.2 if separator in ",;\t|" else 0.0)
        if share > 0.5 and score > best[0]:
            best = (score, separator)
    return best[1]


def _rows(text: str, separator: str) -> Iterator[list[str]]:
    """Without empty rows. A quote that is never closed would swallow the rest: such a file is read without quotes."""
    csv.field_size_limit(sys.maxsize)
    lines = io.StringIO(text, newline="")
    quote = '"' if text.count('"') % 2 == 0 else None
    for row in csv.reader(lines, delimiter=separator, quotechar=quote, skipinitialspace=True):
        if any(cell.strip() for cell in row):
            yield row
