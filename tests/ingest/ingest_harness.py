"""A folder of documents and an index to bring in step with it, on the real embedder, counting what is embedded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from langchain_core.embeddings import Embeddings

from ingest.documents import Chunking
from ingest.job import ingest
from ingest.summary import IngestSummary
from ragvoice.retrieval.generations import EmbedderIdentity
from ragvoice.retrieval.index import DocumentIndex
from ragvoice.retrieval.vector_store import FaissStore, VectorStore

TokenOffsets = Callable[[str], Sequence[tuple[int, int]]]


class CountingEmbeddings(Embeddings):
    """The real embedder; `texts` is everything that it was given as a document."""

    def __init__(self, inner: Embeddings):
        self._inner = inner
        self.texts: list[str] = []

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        self.texts += texts
        return self._inner.embed_documents(texts)

    def embed_query(self, text: str) -> list[float]:
        return self._inner.embed_query(text)


@dataclass
class Bench:
    documents: Path
    index: Path
    embeddings: CountingEmbeddings
    embedder: EmbedderIdentity
    tokens_of: TokenOffsets
    loaded: int = 0
    """How often the embedder was asked for."""
    chunk_tokens: int = field(default=220)
    store: VectorStore = field(default_factory=FaissStore)

    def write(self, name: str, text: str | bytes) -> Path:
        file = self.documents / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return file

    def ingest(self, *paths: Path, **options: Any) -> IngestSummary:
        """Of the documents folder when no path is given; the options are those of `ingest.job.ingest`."""
        identity = replace(self.embedder, chunk_tokens=self.chunk_tokens)
        chunking = Chunking(self.tokens_of, self.chunk_tokens, 0)
        named = list(paths) or [self.documents]
        return ingest(named, self.index, self._load, identity, chunking, **{"store": self.store, **options})

    def _load(self) -> Embeddings:
        self.loaded += 1
        return self.embeddings

    def opened(self) -> DocumentIndex:
        return DocumentIndex.open(self.index, self.store)

    def doc_ids(self) -> list[str]:
        return [document.doc_id for document in self.opened().documents()]

    def index_texts(self) -> dict[str, str]:
        """doc_id -> text of every document; empty before there is an index."""
        if not (self.index / "CURRENT").exists():
            return {}
        index = self.opened()
        return {document.doc_id: index.document(document.doc_id).text for document in index.documents()}

    def generations(self) -> list[str]:
        return sorted(folder.name for folder in (self.index / "generations").iterdir())


def counts(summary: IngestSummary) -> tuple[int, int, int, int]:
    """(added, changed, removed, unchanged)"""
    return summary.added, summary.changed, summary.removed, summary.unchanged


def reasons(summary: IngestSummary) -> dict[str, str]:
    return {skipped.doc_id: skipped.reason for skipped in summary.skipped}
