"""One published generation of an index, opened for reading.

Legend: `n` chunks in the index, `c` candidates, `d` embedding dimension, `g` documents by their number.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ragvoice.datatypes import EVERYONE, Passage, Place
from ragvoice.errors import UsageError, VectorIndexError, VectorServerError
from ragvoice.retrieval.facts import DocumentFacts
from ragvoice.retrieval.generations import (
    Manifest,
    check_files,
    current_generation,
    current_name,
    open_catalogue,
    read_manifest,
    rebuild_hint,
)
from ragvoice.retrieval.lexical import LexicalIndex
from ragvoice.retrieval.scope import EVERYTHING, Scope
from ragvoice.retrieval.vector_store import FaissStore, VectorSearch, VectorStore

CHUNKS_FILE = "chunks.npy"
_FAISS = FaissStore()
_CHUNK_COLUMNS = (
    "c.id, d.doc_id, d.source, d.title, c.section, c.page, c.place, "
    "substr(d.text, c.start_index + 1, c.end_index - c.start_index), c.start_index, hex(c.embedded_hash), "
    "c.table_header"
)
_DOCUMENT_COLUMNS = "doc_id, source, title, {text}, allowed_groups, content_hash, stated, ruled"
_FACTS = (
    "SELECT d.number, d.doc_id, d.title, d.stated, d.ruled, "
    "(SELECT max(c.end_index) FROM chunks c WHERE c.document = d.number) FROM documents d"
)
_DOCUMENTS = 16
"""Kept with their text: a page shows the same few at every click."""
_MASKS = 64
"""Filters kept, one byte a chunk each; people of the same groups share one."""


@dataclass(frozen=True)
class IndexedDocument:
    doc_id: str
    source: str
    title: str
    text: str
    allowed_groups: tuple[str, ...]
    content_hash: str
    metadata: dict[str, Any]
    """What the file states (author, created, modified, language), overruled by what the rules files say (owner, tags,
    valid_from, valid_until, language)."""


@dataclass(frozen=True)
class ChunkSpan:
    start_index: int
    end_index: int
    section: str
    page: int | None
    place: Place | None


class DocumentIndex:
    """Safe for several threads; keeps answering from its generation while a newer one is published."""

    def __init__(
        self,
        manifest: Manifest,
        database: sqlite3.Connection,
        vectors: VectorSearch,
        lexical: LexicalIndex,
        document_n: NDArray[np.int32],
    ):
        self.manifest = manifest
        self.vectors = vectors
        self._database = database
        self._lexical = lexical
        self._document_n = document_n
        """Number of each chunk's document."""
        rows = database.execute("SELECT number, allowed_groups FROM documents").fetchall()
        kinds = sorted({row[1] for row in rows})
        self._group_sets = [frozenset(json.loads(kind)) for kind in kinds]
        position = {kind: i for i, kind in enumerate(kinds)}
        self._group_set_g = np.zeros(1 + max((row[0] for row in rows), default=0), dtype=np.int32)
        self._group_set_g[[row[0] for row in rows]] = [position[row[1]] for row in rows]
        self._masks: dict[tuple[tuple[bool, ...], Scope], NDArray[np.bool_]] = {}
        self._facts: dict[int, DocumentFacts] = {}
        self._documents: dict[str, IndexedDocument] = {}

    @classmethod
    def open(cls, index: Path, store: VectorStore = _FAISS) -> DocumentIndex:
        """:raises VectorIndexError: when there is none, it is damaged, or of a schema this version does not read."""
        while True:
            name = ""
            try:
                name = current_name(index)
                return cls._open(current_generation(index), store)
            except VectorIndexError:
                if current_name(index) == name:
                    raise  # else a writer has just put a newer generation in its place
            except OSError:
                if current_generation(index).name == name:  # or says that there is no index
                    raise

    @classmethod
    def _open(cls, folder: Path, store: VectorStore) -> DocumentIndex:
        index = folder.parent.parent
        manifest = read_manifest(folder)
        check_files(folder, manifest)
        if manifest.vector_store != store.name:
            raise VectorIndexError(
                f"The vectors of the index in {index} are in {manifest.vector_store}, the settings say {store.name}. "
                f"Set vector_store, or rebuild. {rebuild_hint(index)}"
            )
        try:
            document_n = np.load(folder / CHUNKS_FILE, mmap_mode="r", allow_pickle=False)
            opened = cls(manifest, open_catalogue(folder), store.open(folder), LexicalIndex.load(folder), document_n)
        except VectorServerError:
            raise  # the index may be whole
        except (OSError, sqlite3.Error, ValueError, IndexError, VectorIndexError) as error:
            raise VectorIndexError(f"The index in {index} is damaged ({error}). {rebuild_hint(index)}") from error
        sizes = {opened.vectors.size, len(document_n), opened._lexical.size, manifest.chunks}
        if len(sizes) != 1:
            raise VectorIndexError(
                f"The index in {index} is damaged: {manifest.chunks} chunks, but {opened.vectors.size} vectors. "
                + rebuild_hint(index)
            )
        return opened

    def current(self) -> DocumentIndex:
        """Itself: one generation, for who needs no newer one (see `LiveIndex`)."""
        return self

    def allowed(self, groups: Iterable[str], scope: Scope = EVERYTHING) -> NDArray[np.bool_]:
        """Shape (n,): which chunks somebody of these groups may see and wants to. Everybody is in `everyone`."""
        asker = {*groups, EVERYONE}
        visible = tuple(bool(asker & members) for members in self._group_sets)
        mask_n = self._masks.get((visible, scope))
        if mask_n is None:
            if len(self._masks) >= _MASKS:
                self._masks.clear()
            visible_g = np.array(visible or (False,), dtype=bool)[self._group_set_g]
            if scope != EVERYTHING:
                admitted_g = np.zeros_like(visible_g)
                rows = self._database.execute(_FACTS)
                admitted_g[[row[0] for row in rows if scope.admits(_document_facts(row))]] = True
                visible_g &= admitted_g
            mask_n = self._masks[visible, scope] = visible_g[self._document_n]
        return mask_n

    def facts(self, rows_c: NDArray[np.int64]) -> list[DocumentFacts]:
        """Of the document of each chunk, shape (c,)."""
        return [self._facts_of(int(number)) for number in self._document_n[rows_c]]

    def characters(self, rows_c: NDArray[np.int64]) -> NDArray[np.int64]:
        """Length of each chunk, shape (c,)."""
        sql = "SELECT end_index - start_index FROM chunks WHERE id = ?"
        lengths = [self._database.execute(sql, (int(id_),)).fetchone()[0] for id_ in self.vectors.ids_n[rows_c]]
        return np.array(lengths, dtype=np.int64)

    def nearest(
        self, query_d: NDArray[np.float32], allowed_n: NDArray[np.bool_], limit: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Rows of the nearest allowed chunks and their cosine similarity, best first; both of shape (c,)."""
        return self.vectors.search(query_d, limit, allowed_n)

    def similarity(self, query_d: NDArray[np.float32], rows_c: NDArray[np.int64]) -> NDArray[np.float32]:
        """Cosine similarity of the given rows, shape (c,)."""
        return self.vectors.vectors(rows_c) @ query_d

    def bm25(self, query: str) -> NDArray[np.float32]:
        """BM25 of every chunk, shape (n,)."""
        return self._lexical.scores(query)

    def passages(
        self, rows_c: Sequence[int], scores_c: Sequence[float], similarities_c: Sequence[float]
    ) -> list[Passage]:
        found = {}
        for row in rows_c:
            sql = f"SELECT {_CHUNK_COLUMNS} FROM chunks c JOIN documents d ON d.number = c.document WHERE c.id = ?"
            found[row] = self._database.execute(sql, (int(self.vectors.ids_n[row]),)).fetchone()
        return [
            _passage(found[row], float(score), float(similarity))
            for row, score, similarity in zip(rows_c, scores_c, similarities_c, strict=True)
        ]

    def every_passage(self) -> Iterator[Passage]:
        """All chunks in the order of the index, without scores."""
        for row in range(self.vectors.size):
            yield from self.passages([row], [0.0], [0.0])

    def _facts_of(self, number: int) -> DocumentFacts:
        known = self._facts.get(number)
        if known is None:
            row = self._database.execute(f"{_FACTS} WHERE d.number = ?", (number,)).fetchone()
            known = self._facts[number] = _document_facts(row)
        return known

    def documents(self) -> list[IndexedDocument]:
        """Every document without its text, by doc_id."""
        columns = _DOCUMENT_COLUMNS.format(text="''")
        rows = self._database.execute(f"SELECT {columns} FROM documents ORDER BY doc_id")
        return [_document(row) for row in rows]

    def document(self, doc_id: str, groups: Iterable[str] | None = None) -> IndexedDocument:
        """:param groups: Of who wants to see it, besides everyone; None sees every document.
        :raises UsageError: when there is no such document for them.
        """
        found = self._whole_document(doc_id)
        if found is None or (groups is not None and not {*groups, EVERYONE} & {*found.allowed_groups}):
            raise UsageError(f"There is no document {doc_id!r} in the index. See: ragvoice documents list")
        return found

    def _whole_document(self, doc_id: str) -> IndexedDocument | None:
        found = self._documents.get(doc_id)
        if found is None:
            columns = _DOCUMENT_COLUMNS.format(text="text")
            row = self._database.execute(f"SELECT {columns} FROM documents WHERE doc_id = ?", (doc_id,)).fetchone()
            if row is not None:
                if len(self._documents) >= _DOCUMENTS:
                    self._documents.clear()
                found = self._documents[doc_id] = _document(row)
        return found

    def chunk_spans(self, doc_id: str) -> list[ChunkSpan]:
        rows = self._database.execute(
            "SELECT start_index, end_index, section, page, place FROM chunks JOIN documents ON number = document "
            "WHERE doc_id = ? ORDER BY start_index",
            (doc_id,),
        )
        return [ChunkSpan(start, end, section, page, _place(place)) for start, end, section, page, place in rows]


def _passage(row: tuple[Any, ...], score: float, similarity: float) -> Passage:
    _, doc_id, source, title, section, page, place, text, start_index, embedded_hash, table_header = row
    return Passage(
        doc_id, source, title, section, page, _place(place), text, start_index, score, similarity,
        embedded_hash.lower(), table_header,
    )  # fmt: skip


def _document_facts(row: tuple[Any, ...]) -> DocumentFacts:
    _, doc_id, title, stated, ruled, characters = row
    return DocumentFacts.of(doc_id, title, characters or 0, {**json.loads(stated), **json.loads(ruled)})


def _document(row: tuple[Any, ...]) -> IndexedDocument:
    doc_id, source, title, text, groups, content_hash, stated, ruled = row
    metadata = {**json.loads(stated), **json.loads(ruled)}
    return IndexedDocument(doc_id, source, title, text, tuple(json.loads(groups)), content_hash, metadata)


def _place(value: str | None) -> Place | None:
    return Place(**json.loads(value)) if value else None
