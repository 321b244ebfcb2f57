"""JSON and JSON lines as readable text: every value with its keys; lists of records as tables."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from langchain_core.documents import Document

from ingest.loaders.options import LoadOptions
from ingest.loaders.tables import markdown_table
from ingest.loaders.text import decode_text
from ragvoice.datatypes import Place

_MAX_COLUMNS = 30
_MAX_CELL_CHARACTERS = 200
_MAX_DEPTH = 50


def load_json(path: Path, options: LoadOptions) -> Iterator[Document]:
    text = decode_text(path.read_bytes())
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):  # with comments, cut off, several values: still words to be found
        yield from _lines(text)
        return
    if isinstance(value, dict) and isinstance(value.get("cells"), list) and "nbformat" in value:
        yield Document("\n\n".join(_notebook(value["cells"])))
    else:
        title = value.get("title") if isinstance(value, dict) else None
        yield Document(readable(value), metadata={"title": title} if isinstance(title, str) else {})


def load_jsonl(path: Path, options: LoadOptions) -> Iterator[Document]:
    """Short records of one shape become one table; others a document each, cited by its line."""
    yield from _lines(decode_text(path.read_bytes()))


def _lines(text: str) -> Iterator[Document]:
    records: list[tuple[int, Any]] = []
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                records.append((number, json.loads(line)))
            except (ValueError, RecursionError):
                if number <= 3 and not records:  # no JSON lines at all
                    yield Document(text)
                    return
                records.append((number, line))
    if len(records) > 1 and (table := _table([value for _, value in records])):
        yield Document(table)
        return
    for number, value in records:
        yield Document(readable(value), metadata={"place": Place("line", number)})


def readable(value: Any) -> str:
    if isinstance(value, list) and (table := _table(value)):
        return table
    if not isinstance(value, dict):
        return "\n".join(_outline(value, 0))
    simple = {key: inner for key, inner in value.items() if not isinstance(inner, dict | list)}
    blocks = ["\n".join(_outline(simple, 0))]
    for key, inner in value.items():
        if key not in simple:
            table = _table(inner) if isinstance(inner, list) else ""
            blocks.append(f"## {key}\n\n" + (table or "\n".join(_outline(inner, 0))))
    return "\n\n".join(block for block in blocks if block.strip())


def _outline(value: Any, depth: int) -> Iterator[str]:
    """A bullet for each value with its key; what is nested stands below, indented."""
    indent = "  " * min(depth, _MAX_DEPTH)
    if isinstance(value, dict):
        pairs = [(f"{key}:", inner) for key, inner in value.items()]
    elif isinstance(value, list):
        pairs = [("", inner) for inner in value]
    else:
        yield f"{indent}{_scalar(value)}"
        return
    for key, inner in pairs:
        if not isinstance(inner, dict | list):
            yield f"{indent}- {key} {_scalar(inner)}".replace("-  ", "- ").rstrip()
        elif all(not isinstance(one, dict | list) for one in inner) and isinstance(inner, list):
            yield f"{indent}- {key} {', '.join(map(_scalar, inner))}".replace("-  ", "- ")
        else:
            yield f"{indent}- {key}".rstrip()
            yield from _outline(inner, depth + 1)


def _table(records: list[Any]) -> str:
    """Empty unless all are short, flat and mostly of the same keys."""
    if len(records) < 2 or not all(isinstance(record, dict) and record for record in records):
        return ""
    keys = list(dict.fromkeys(key for record in records for key in record))
    if len(keys) > _MAX_COLUMNS or sum(map(len, records)) < len(keys) * len(records) / 2:
        return ""
    for record in records:
        for inner in record.values():
            if isinstance(inner, dict | list) or len(str(inner)) > _MAX_CELL_CHARACTERS:
                return ""
    return markdown_table([keys, *([_scalar(record.get(key)) for key in keys] for record in records)])


def _scalar(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _notebook(cells: list[Any]) -> Iterator[str]:
    for cell in cells:
        source = cell.get("source", "") if isinstance(cell, dict) else ""
        text = "".join(map(str, source)) if isinstance(source, list) else str(source)
        if text.strip():
            yield f"```\n{text}\n```" if cell.get("cell_type") == "code" else text
