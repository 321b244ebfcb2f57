"""A document as it goes into an index: one text, its chunks, and what is known about it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from langchain_core.documents import Document

from ingest.headings import first_heading
from ingest.splitting import Chunk, PageSpan, TokenOffsets, split
from ragvoice.datatypes import Place

_STATED = ("author", "created", "modified", "language")


@dataclass(frozen=True)
class Chunking:
    tokens_of: TokenOffsets
    chunk_tokens: int
    overlap_tokens: int
    max_tokens: int = 256
    """That the embedder reads of a text, special tokens included."""


@dataclass(frozen=True)
class Origin:
    """Where a document comes from, and who may read it."""

    doc_id: str
    root: str
    file: str
    """Path below the root."""
    source: str
    """`file`, with `!/inner` for a part of it; a row's id for a `corpus.jsonl`."""
    source_hash: str
    """Of the file and of how it is read; of the row for a `corpus.jsonl`."""
    allowed_groups: tuple[str, ...]
    ruled: dict[str, Any]
    """What the rules files say of it: owner, tags, dates, language."""

    @property
    def name(self) -> str:
        """A title for a document that has none of its own."""
        return Path(self.source).stem.replace("-", " ").replace("_", " ")


@dataclass(frozen=True)
class ParsedDocument:
    origin: Origin
    title: str
    titled_by_name: bool
    """The title is only the file's name, and changes with it."""
    text: str
    stated: dict[str, Any]
    """Metadata that the file itself states: author, created, modified, language."""
    chunks: tuple[Chunk, ...]

    @property
    def content_hash(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()


def parsed_document(origin: Origin, pages: Sequence[Document], chunking: Chunking) -> ParsedDocument:
    """Pages joined to one text, so that every offset in the product counts in the same string."""
    text, spans = "", []
    for page in pages:
        body = page.page_content.strip("\n")
        text += "\n\n" if text else ""
        spans.append(PageSpan(len(text), len(text) + len(body), _place(page)))
        text += body
    stated = next((str(page.metadata["title"]) for page in pages if page.metadata.get("title")), "")
    own_title = stated or first_heading(text)
    title = own_title or origin.name
    chunks = split(
        text, spans, chunking.tokens_of, chunking.chunk_tokens, chunking.overlap_tokens, title, chunking.max_tokens
    )
    return ParsedDocument(origin, title, not own_title, text, _metadata(pages), tuple(chunks))


def _metadata(pages: Sequence[Document]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for page in pages:
        for name in _STATED:
            if page.metadata.get(name):
                found.setdefault(name, page.metadata[name])
    return found


def _place(page: Document) -> Place | None:
    number = page.metadata.get("page")
    return Place("page", number) if number is not None else page.metadata.get("place")
