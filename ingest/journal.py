"""What a job has read and embedded so far, so that a job that was killed does not do it again.

One SQLite file in `index/work/`, committed batch by batch; it goes when a generation is published. A lost or damaged
journal costs time and nothing else.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
import threading
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from langchain_core.documents import Document
from numpy.typing import NDArray

from ingest.sandbox_answers import document_of, message_of
from ragvoice.retrieval.generations import EmbedderIdentity

WORK_FOLDER = "work"
_SQL = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
CREATE TABLE IF NOT EXISTS embedder (fingerprint TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS files (file_hash TEXT PRIMARY KEY, pages BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS vectors (embedded_hash BLOB PRIMARY KEY, vector BLOB NOT NULL) WITHOUT ROWID;
"""


class Journal:
    """For any thread."""

    def __init__(self, index: Path, embedder: EmbedderIdentity):
        """:raises OSError, sqlite3.Error: when it cannot be written."""
        self._folder = index / WORK_FOLDER
        self._folder.mkdir(exist_ok=True)
        self._lock = threading.Lock()
        try:
            self._database = self._open(f"{embedder.name} {embedder.fingerprint}")
        except sqlite3.DatabaseError:
            shutil.rmtree(self._folder)
            self._folder.mkdir()
            self._database = self._open(f"{embedder.name} {embedder.fingerprint}")

    def _open(self, fingerprint: str) -> sqlite3.Connection:
        database = sqlite3.connect(self._folder / "journal.sqlite", check_same_thread=False, isolation_level=None)
        database.executescript(_SQL)
        [state] = database.execute("PRAGMA quick_check(1)").fetchone()
        if state != "ok":
            database.close()
            raise sqlite3.DatabaseError(state)
        if database.execute("SELECT fingerprint FROM embedder").fetchall() != [(fingerprint,)]:
            database.executescript("BEGIN; DELETE FROM vectors; DELETE FROM embedder;")
            database.execute("INSERT INTO embedder VALUES (?)", (fingerprint,))
            database.execute("COMMIT")
        return database

    def pages(self, file_hash: str) -> list[Document] | None:
        """Of a file that was read already; None for any other."""
        with self._lock:
            row = self._database.execute("SELECT pages FROM files WHERE file_hash = ?", (file_hash,)).fetchone()
        return None if row is None else [document_of(message) for message in json.loads(zlib.decompress(row[0]))]

    def keep_pages(self, file_hash: str, pages: Sequence[Document]) -> None:
        packed = zlib.compress(json.dumps([message_of(page) for page in pages]).encode("utf-8", "replace"), 1)
        with self._lock:
            self._database.execute("INSERT OR REPLACE INTO files VALUES (?, ?)", (file_hash, packed))

    def has_vector(self, embedded_hash: bytes) -> bool:
        with self._lock:
            found = self._database.execute("SELECT 1 FROM vectors WHERE embedded_hash = ?", (embedded_hash,)).fetchone()
        return found is not None

    def vector(self, embedded_hash: bytes) -> NDArray[np.float32] | None:
        """Shape (d,)."""
        with self._lock:
            row = self._database.execute(
                "SELECT vector FROM vectors WHERE embedded_hash = ?", (embedded_hash,)
            ).fetchone()
        return None if row is None else np.frombuffer(row[0], dtype=np.float32)

    def keep_vectors(self, embedded_hashes: Sequence[bytes], vectors_nd: NDArray[np.float32]) -> None:
        rows = [(digest, vector_d.tobytes()) for digest, vector_d in zip(embedded_hashes, vectors_nd, strict=True)]
        with self._lock:
            self._database.execute("BEGIN")
            self._database.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?)", rows)
            self._database.execute("COMMIT")

    def close(self) -> None:
        with self._lock:
            self._database.close()

    def delete(self) -> None:
        """After a publication: all that it holds is in the index now, or must not be found any more."""
        self.close()
        shutil.rmtree(self._folder, ignore_errors=True)


def unfinished(index: Path) -> dict[str, Any] | None:
    """Files read and chunks embedded by a job that has not ended; None when there is none."""
    file = index / WORK_FOLDER / "journal.sqlite"
    if not file.is_file():
        return None
    try:
        database = sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True)
        try:
            [files] = database.execute("SELECT count(*) FROM files").fetchone()
            [vectors] = database.execute("SELECT count(*) FROM vectors").fetchone()
        finally:
            database.close()
    except sqlite3.Error:
        return None
    return {"files_read": files, "chunks_embedded": vectors} if files or vectors else None
