"""One published generation of an index, opened for reading.

Legend: `n` chunks in the index, `c` candidates, `d` embedding dimension.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from ragvoice.datatypes import EVERYONE, Passage, Place
from ragvoice.errors import UsageError, VectorIndexError
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

_CHUNK_COLUMNS = (
    "c.id, d.doc_id, d.source, d.title, c.section, c.page, c.place, "
    "substr(d.text, c.start_index + 1, c.end_index - c.start_index), c.start_index, c.embedded_hash"
)


@dataclass(frozen=True)
class IndexedDocument:
    doc_id: str
    source: str
    title: str
    text: str
    allowed_groups: tuple[str, ...]
    content_hash: str


@dataclass(frozen=True)
class ChunkSpan:
    start_index: int
    end_index: int
    section: str
    page: int | None
    place: Place | None


class DocumentIndex:
    """Safe for several threads; keeps answering from its generation while a newer one is published."""

    def __init__(self, manifest: Manifest, database: sqlite3.Connection, vectors: faiss.Index, lexical: LexicalIndex):
        self.manifest = manifest
        self._database = database
        self._vectors = vectors
        self._lexical = lexical
        rows = database.execute(
            "SELECT c.id, d.allowed_groups FROM chunks c JOIN documents d USING (doc_id) ORDER BY c.id"
        ).fetchall()
        self._ids_n = np.array([row[0] for row in rows], dtype=np.int64)
        kinds = sorted({row[1] for row in rows})
        self._group_sets = [frozenset(json.loads(kind)) for kind in kinds]
        position = {kind: i for i, kind in enumerate(kinds)}
        self._group_set_n = np.array([position[row[1]] for row in rows], dtype=np.int32)

    @classmethod
    def open(cls, index: Path) -> DocumentIndex:
        """:raises VectorIndexError: when there is none, it is damaged, or of a schema this version does not read."""
        while True:
            try:
                name = current_name(index)
                return cls._open(current_generation(index))
            except VectorIndexError:
                if current_name(index) == name:
                    raise  # else a writer has just put a newer generation in its place
            except OSError:
                current_generation(index)  # says that there is no index
                raise

    @classmethod
    def _open(cls, folder: Path) -> DocumentIndex:
        index = folder.parent.parent
        manifest = read_manifest(folder)
        check_files(folder, manifest)
        try:
            vectors = faiss.read_index(str(folder / "vectors.faiss"))
            opened = cls(manifest, open_catalogue(folder), vectors, LexicalIndex.load(folder))
        except (OSError, sqlite3.Error, RuntimeError, ValueError) as error:
            raise VectorIndexError(f"The index in {index} is damaged ({error}). {rebuild_hint(index)}") from error
        if opened._vectors.ntotal != len(opened._ids_n):
            raise VectorIndexError(
                f"The index in {index} is damaged: {opened._vectors.ntotal} vectors for {len(opened._ids_n)} chunks. "
                + rebuild_hint(index)
            )
        return opened

    def allowed(self, groups: Iterable[str]) -> NDArray[np.bool_]:
        """Shape (n,): which chunks somebody of these groups may see. Everybody is in `everyone`."""
        asker = {*groups, EVERYONE}
        visible = np.array([bool(asker & members) for members in self._group_sets], dtype=bool)
        return visible[self._group_set_n] if len(visible) else np.zeros(0, dtype=bool)

    def nearest(
        self, query_d: NDArray[np.float32], allowed_n: NDArray[np.bool_], limit: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Rows of the nearest allowed chunks and their cosine similarity, best first; both of shape (c,)."""
        count = min(limit, int(allowed_n.sum()))
        if count == 0:
            return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.float32)
        selected = None
        if not allowed_n.all():
            selected = faiss.SearchParameters(sel=faiss.IDSelectorBatch(self._ids_n[allowed_n]))  # type: ignore[call-arg]
        similarity, ids = self._vectors.search(query_d[None, :], count, params=selected)
        return np.searchsorted(self._ids_n, ids[0]), similarity[0]

    def similarity(self, query_d: NDArray[np.float32], rows_c: NDArray[np.int64]) -> NDArray[np.float32]:
        """Cosine similarity of the given rows, shape (c,)."""
        if len(rows_c) == 0:
            return np.zeros(0, dtype=np.float32)
        vectors_cd = np.stack([self._vectors.reconstruct(int(self._ids_n[row])) for row in rows_c])
        return vectors_cd @ query_d

    def bm25(self, query: str) -> NDArray[np.float32]:
        """BM25 of every chunk, shape (n,)."""
        return self._lexical.scores(query)

    def passages(
        self, rows_c: Sequence[int], scores_c: Sequence[float], similarities_c: Sequence[float]
    ) -> list[Passage]:
        found = {}
        for row in rows_c:
            sql = f"SELECT {_CHUNK_COLUMNS} FROM chunks c JOIN documents d USING (doc_id) WHERE c.id = ?"
            found[row] = self._database.execute(sql, (int(self._ids_n[row]),)).fetchone()
        return [
            _passage(found[row], float(score), float(similarity))
            for row, score, similarity in zip(rows_c, scores_c, similarities_c, strict=True)
        ]

    def documents(self) -> list[IndexedDocument]:
        """Every document without its text, by doc_id."""
        rows = self._database.execute(
            "SELECT doc_id, source, title, '', allowed_groups, content_hash FROM documents ORDER BY doc_id"
        )
        return [_document(row) for row in rows]

    def document(self, doc_id: str) -> IndexedDocument:
        """:raises UsageError: when there is no such document."""
        row = self._database.execute(
            "SELECT doc_id, source, title, text, allowed_groups, content_hash FROM documents WHERE doc_id = ?",
            (doc_id,),
        ).fetchone()
        if row is None:
            raise UsageError(f"There is no document {doc_id!r} in the index. See: ragvoice documents list")
        return _document(row)

    def chunk_spans(self, doc_id: str) -> list[ChunkSpan]:
        rows = self._database.execute(
            "SELECT start_index, end_index, section, page, place FROM chunks WHERE doc_id = ? ORDER BY start_index",
            (doc_id,),
        )
        return [ChunkSpan(start, end, section, page, _place(place)) for start, end, section, page, place in rows]


def _passage(row: tuple[Any, ...], score: float, similarity: float) -> Passage:
    _, doc_id, source, title, section, page, place, text, start_index, content_hash = row
    return Passage(
        doc_id, source, title, section, page, _place(place), text, start_index, score, similarity, content_hash
    )


def _document(row: tuple[Any, ...]) -> IndexedDocument:
    doc_id, source, title, text, groups, content_hash = row
    return IndexedDocument(doc_id, source, title, text, tuple(json.loads(groups)), content_hash)


def _place(value: str | None) -> Place | None:
    return Place(**json.loads(value)) if value else None
