"""`corpus.jsonl`: one document a line, `{"id", "title", "text"}`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

from langchain_core.document_loaders import BaseLoader
from langchain_core.documents import Document

from ingest.loaders.options import LoadOptions
from ingest.loaders.text import storable

CORPUS_FILE = "corpus.jsonl"


def load_corpus(path: Path, options: LoadOptions) -> Iterator[Document]:
    """A line that cannot be used is yielded with the reason as `skipped` and `line N` as its part."""
    with path.open(encoding="utf-8-sig", errors="replace") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                yield _row(json.loads(line))
            except (ValueError, RecursionError) as error:
                reason = f'not an object with "id" and "text" ({error})'
                yield Document("", metadata={"part": f"line {number}", "skipped": reason})


def _row(row: object) -> Document:
    """:raises ValueError: saying what is wrong with the row."""
    if not isinstance(row, dict):
        raise ValueError(f"it is a {type(row).__name__}")
    id_, title, text = row.get("id"), row.get("title") or "", row.get("text")
    if isinstance(id_, bool) or not isinstance(id_, str | int) or not str(id_).strip():
        raise ValueError(f"the id is {id_!r}")
    if not isinstance(text, str) or not text.strip():
        raise ValueError("the text is empty or no string")
    return Document(storable(text), metadata={"doc_id": storable(str(id_)), "title": storable(str(title))})


class CorpusLoader(BaseLoader):
    """For the job until it reads `skipped` documents."""

    def __init__(self, path: Path, bad_line: Callable[[int, str], None] = lambda number, reason: None):
        self._path = path
        self._bad_line = bad_line

    def lazy_load(self) -> Iterator[Document]:
        for row in load_corpus(self._path, LoadOptions()):
            if "skipped" in row.metadata:
                self._bad_line(int(row.metadata["part"].split()[1]), row.metadata["skipped"])
            else:
                yield row
