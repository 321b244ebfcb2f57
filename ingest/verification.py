"""Is an index whole? Every file hashed, every row of every part compared with the others.

Legend: `n` chunks, `d` embedding dimension.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from langchain_core.embeddings import Embeddings

from ingest.embedded_text import embedded_text
from ragvoice.errors import VectorIndexError
from ragvoice.retrieval.generations import check_files, current_generation, is_current, open_catalogue, read_manifest
from ragvoice.retrieval.index import CHUNKS_FILE
from ragvoice.retrieval.lexical import LexicalIndex
from ragvoice.retrieval.vector_store import VectorSearch, VectorStore

_AT_ONCE = 8192
_UNIT_WITHIN = 1e-3
_SAME_VECTOR = 0.98
"""Cosine of a stored vector and one made now: low precision and other batches move it by less."""


@dataclass(frozen=True)
class Verified:
    generation: str
    documents: int
    chunks: int
    files: int
    embedded_again: int
    """Chunks of which the vector was made again and compared."""
    problems: tuple[str, ...]


def verify(
    index: Path, store: VectorStore, embeddings: Callable[[], Embeddings] | None = None, sample: int = 100
) -> Verified:
    """:param embeddings: The embedder of the index, to make `sample` vectors again; None leaves that out.
    :raises VectorIndexError: when there is no index, or not enough of it to look at.
    """
    while True:
        folder = current_generation(index)
        found = _verified(folder, store, embeddings, sample)
        if not found.problems or is_current(index, folder.name):
            return found  # else a writer has put a newer generation in its place meanwhile


def _verified(folder: Path, store: VectorStore, embeddings: Callable[[], Embeddings] | None, sample: int) -> Verified:
    manifest = read_manifest(folder)
    problems: list[str] = []
    try:
        check_files(folder, manifest, hashed_bytes=2**62)
    except (VectorIndexError, OSError) as error:
        problems.append(str(error))
    again = 0
    try:
        with closing(open_catalogue(folder)) as database:
            vectors = store.open(folder)
            problems += _catalogue(database, manifest.documents, manifest.chunks)
            problems += _rows(folder, database, vectors)
            if embeddings and not problems:
                again, different = _embedded_again(database, vectors, embeddings, sample)
                problems += different
    except (sqlite3.Error, OSError, ValueError, VectorIndexError) as error:
        problems.append(f"cannot be read: {error}")
    return Verified(
        manifest.generation, manifest.documents, manifest.chunks, len(manifest.files), again, tuple(problems)
    )


def _catalogue(database: sqlite3.Connection, documents: int, chunks: int) -> Iterator[str]:
    [state] = database.execute("PRAGMA quick_check(1)").fetchone()
    if state != "ok":
        yield f"catalogue: {state}"
        return
    counted = database.execute("SELECT (SELECT count(*) FROM documents), (SELECT count(*) FROM chunks)").fetchone()
    if counted != (documents, chunks):
        yield f"catalogue: {counted[0]} documents and {counted[1]} chunks; the manifest says {documents} and {chunks}"
    [homeless] = database.execute(
        "SELECT count(*) FROM chunks WHERE document NOT IN (SELECT number FROM documents)"
    ).fetchone()
    if homeless:
        yield f"catalogue: {homeless} chunks belong to no document"
    for doc_id, text, content_hash in database.execute("SELECT doc_id, text, content_hash FROM documents"):
        if hashlib.sha256(text.encode()).hexdigest() != content_hash:
            yield f"catalogue: the text of {doc_id} is not the one that was read"
    outside = database.execute(
        "SELECT DISTINCT doc_id FROM chunks JOIN documents ON number = document "
        "WHERE start_index < 0 OR end_index <= start_index OR end_index > length(text)"
    )
    yield from (f"catalogue: a chunk of {doc_id} is no part of its text" for (doc_id,) in outside)


def _rows(folder: Path, database: sqlite3.Connection, vectors: VectorSearch) -> Iterator[str]:
    """Row `i` of every part is the same chunk."""
    rows = database.execute("SELECT id, document FROM chunks ORDER BY id").fetchall()
    ids_n = np.array([row[0] for row in rows], dtype=np.int64)
    if not np.array_equal(ids_n, vectors.ids_n):
        yield f"vectors: they are of other chunks ({vectors.size}) than the catalogue's ({len(ids_n)})"
    elif not np.array_equal(np.load(folder / CHUNKS_FILE, allow_pickle=False), [row[1] for row in rows]):
        yield f"{CHUNKS_FILE}: its documents are not those of the catalogue"
    lexical = LexicalIndex.load(folder)
    if lexical.size != len(rows):
        yield f"lexical index: {lexical.size} rows for {len(rows)} chunks"
    for start in range(0, vectors.size, _AT_ONCE):
        block_nd = vectors.vectors(np.arange(start, min(start + _AT_ONCE, vectors.size)))
        if not (np.abs(np.linalg.norm(block_nd, axis=1) - 1) < _UNIT_WITHIN).all():
            yield f"vectors: some of rows {start} to {start + len(block_nd) - 1} are not of unit length"


def _embedded_again(
    database: sqlite3.Connection, vectors: VectorSearch, embeddings: Callable[[], Embeddings], sample: int
) -> tuple[int, list[str]]:
    if not vectors.size:
        return 0, []
    rows_n = np.unique(np.linspace(0, vectors.size - 1, min(sample, vectors.size)).astype(np.int64))
    texts, names = [], []
    for id_ in vectors.ids_n[rows_n].tolist():
        title, section, header, text, doc_id, digest = database.execute(
            "SELECT title, section, table_header, substr(text, start_index + 1, end_index - start_index), doc_id, "
            "embedded_hash FROM chunks JOIN documents ON number = document WHERE id = ?",
            (id_,),
        ).fetchone()
        embedded = embedded_text(title, section, text, header)
        if hashlib.sha256(embedded.encode()).digest() != digest:
            return 0, [f"catalogue: a chunk of {doc_id} is not the text that was embedded"]
        texts.append(embedded)
        names.append(doc_id)
    made_nd = np.asarray(embeddings().embed_documents(texts), dtype=np.float32)
    cosine_n = np.einsum("nd,nd->n", made_nd, vectors.vectors(rows_n))
    wrong = [name for name, cosine in zip(names, cosine_n, strict=True) if cosine < _SAME_VECTOR]
    return len(texts), [f"vectors: that of a chunk of {name} is of another text or embedder" for name in wrong[:5]]
