"""A file becomes pages of Markdown: one loader per kind of file, chosen by content.

Every loader yields LangChain `Document`s in reading order, one per page, slide, sheet or stretch of time.
Metadata keys, all optional:

    part      path inside a file that holds several documents: `inner/path.docx` of an archive, the name of an
              attachment, the number of a message; `a.zip!/b.docx` when nested
    doc_id    only of rows of a `corpus.jsonl`
    title     what the file itself states as its title
    place     `ragvoice.datatypes.Place`
    author, created, modified, language    on the first document of a part; dates as ISO 8601
    skipped   this part could not be read: the reason, with no text

A file that cannot be read as a whole raises `DocumentError` with a reason for the user.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from langchain_core.document_loaders import BaseLoader
from langchain_core.documents import Document

from ingest.loaders.corpus import CORPUS_FILE, CorpusLoader
from ingest.loaders.dispatch import load
from ingest.loaders.options import DEFAULT_OPTIONS, LoadOptions
from ingest.loaders.text import decode_text, storable

__all__ = [
    "CORPUS_FILE",
    "DEFAULT_OPTIONS",
    "CorpusLoader",
    "FileLoader",
    "LoadOptions",
    "decode_text",
    "load",
    "storable",
]


class FileLoader(BaseLoader):
    """`load` as a LangChain loader."""

    def __init__(self, path: Path | str, options: LoadOptions = DEFAULT_OPTIONS):
        self._path = Path(path)
        self._options = options

    def lazy_load(self) -> Iterator[Document]:
        return load(self._path, self._options)
