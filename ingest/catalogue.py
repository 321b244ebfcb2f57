"""The catalogue of a generation that is being written: roots, files, documents, chunks (SQLite)."""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ingest.documents import Origin, ParsedDocument
from ingest.embedded_text import embedded_text
from ingest.splitting import Chunk
from ragvoice.datatypes import Place
from ragvoice.retrieval.generations import CATALOGUE_SQL

CATALOGUE_FILE = "catalogue.sqlite"
_AT_ONCE = 4096


@dataclass(frozen=True)
class KnownFile:
    """What the index remembers of a file, to tell whether it has changed."""

    size: int
    mtime_ns: int
    file_hash: str
    skipped: tuple[tuple[str, str], ...] = ()
    """(`!/inner` or nothing for the file itself, why it could not be read)"""


@dataclass(frozen=True)
class KnownDocument:
    doc_id: str
    root: str
    source: str
    source_hash: str
    allowed_groups: tuple[str, ...]
    ruled: dict[str, Any]


@dataclass(frozen=True)
class NewChunk:
    id: int
    embedded_text: str
    embedded_hash: bytes


class StagedCatalogue:
    """Begins as a copy of the previous generation's; nobody else reads it before it is published."""

    def __init__(self, folder: Path, previous: Path | None):
        """:raises OSError, sqlite3.Error: when it cannot be copied or opened."""
        file = folder / CATALOGUE_FILE
        if previous:
            shutil.copyfile(previous / CATALOGUE_FILE, file)
        self._database = sqlite3.connect(file.resolve().as_uri(), uri=True)
        # A crash loses this file as a whole, so it needs no journal; it is synced before it is published.
        self._database.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA secure_delete = ON;")
        self._has_previous = previous is not None
        if previous:
            before = (previous / CATALOGUE_FILE).resolve().as_uri()
            self._database.execute("ATTACH DATABASE ? AS previous", (f"{before}?mode=ro&immutable=1",))
        else:
            self._database.executescript(CATALOGUE_SQL)
        self._database.execute("CREATE TEMP TABLE seen (doc_id TEXT PRIMARY KEY, file TEXT NOT NULL)")
        self._last_id = self._database.execute("SELECT coalesce(max(id), 0) FROM chunks").fetchone()[0]
        """Chunks with greater ids are new."""
        self.deleted = False
        """Something that the previous generation holds is gone."""

    # roots

    def roots(self) -> dict[str, str]:
        """Absolute path of each root -> its prefix."""
        return dict(self._database.execute("SELECT root, prefix FROM roots"))

    def set_root(self, root: str, prefix: str) -> None:
        self._database.execute("INSERT OR REPLACE INTO roots VALUES (?, ?)", (root, prefix))

    def forget_root(self, root: str) -> int:
        """Its documents go too. :returns: How many there were."""
        doc_ids = [row[0] for row in self._database.execute("SELECT doc_id FROM documents WHERE root = ?", (root,))]
        for doc_id in doc_ids:
            self.remove(doc_id)
        self._database.execute("DELETE FROM files WHERE root = ?", (root,))
        self._database.execute("DELETE FROM roots WHERE root = ?", (root,))
        return len(doc_ids)

    # files

    def file(self, root: str, file: str) -> KnownFile | None:
        row = self._database.execute(
            "SELECT size, mtime_ns, file_hash, skipped FROM files WHERE root = ? AND file = ?", (root, file)
        ).fetchone()
        if row is None:
            return None
        size, mtime_ns, file_hash, skipped = row
        return KnownFile(size, mtime_ns, file_hash, tuple((name, reason) for name, reason in json.loads(skipped)))

    def set_file(self, root: str, file: str, known: KnownFile) -> None:
        self._database.execute(
            "INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?)",
            (root, file, known.size, known.mtime_ns, known.file_hash, json.dumps(known.skipped)),
        )

    def drop_file(self, root: str, file: str) -> None:
        self._database.execute("DELETE FROM files WHERE root = ? AND file = ?", (root, file))

    def files(self, root: str) -> list[str]:
        return [row[0] for row in self._database.execute("SELECT file FROM files WHERE root = ?", (root,))]

    def same_content(self, file_hash: str) -> tuple[list[ParsedDocument], KnownFile, str] | None:
        """What another file of the same content was read as, and its path below its root; None when there is none."""
        row = self._database.execute(
            "SELECT root, file FROM files WHERE file_hash = ? LIMIT 1", (file_hash,)
        ).fetchone()
        if row is None:
            return None
        known = self.file(*row)
        assert known is not None
        doc_ids = self._database.execute("SELECT doc_id FROM documents WHERE root = ? AND file = ?", row).fetchall()
        return [self._parsed(doc_id) for (doc_id,) in doc_ids], known, row[1]

    # documents

    def document(self, doc_id: str) -> KnownDocument | None:
        row = self._database.execute(
            "SELECT doc_id, root, source, source_hash, allowed_groups, ruled FROM documents WHERE doc_id = ?", (doc_id,)
        ).fetchone()
        return None if row is None else _known(row)

    def documents_of(self, root: str, file: str) -> list[KnownDocument]:
        rows = self._database.execute(
            "SELECT doc_id, root, source, source_hash, allowed_groups, ruled FROM documents "
            "WHERE root = ? AND file = ?",
            (root, file),
        )
        return [_known(row) for row in rows.fetchall()]

    def has_documents(self, roots: Iterable[str]) -> bool:
        sql = "SELECT 1 FROM documents WHERE root = ? LIMIT 1"
        return any(self._database.execute(sql, (root,)).fetchone() for root in roots)

    def home_of(self, doc_id: str) -> tuple[str, str]:
        """Root and file of a document that is there."""
        root, file = self._database.execute("SELECT root, file FROM documents WHERE doc_id = ?", (doc_id,)).fetchone()
        return root, file

    def see(self, doc_id: str, file: str) -> str | None:
        """:returns: The file in which this run has seen a document of that name already; None when it has not."""
        row = self._database.execute("SELECT file FROM seen WHERE doc_id = ?", (doc_id,)).fetchone()
        if row is None:
            self._database.execute("INSERT INTO seen VALUES (?, ?)", (doc_id, file))
        return None if row is None else str(row[0])

    def unseen(self, roots: Iterable[str]) -> list[str]:
        """Documents of these roots that this run has not seen."""
        found: list[str] = []
        for root in roots:
            sql = "SELECT doc_id FROM documents WHERE root = ? AND doc_id NOT IN (SELECT doc_id FROM seen)"
            found += [row[0] for row in self._database.execute(sql, (root,))]
        return found

    def add(self, document: ParsedDocument) -> list[NewChunk]:
        origin = document.origin
        number = self._database.execute(
            "INSERT INTO documents (doc_id, root, file, source, title, titled_by_name, text, content_hash, "
            "source_hash, allowed_groups, stated, ruled) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                origin.doc_id, origin.root, origin.file, origin.source, document.title, document.titled_by_name,
                document.text, document.content_hash, origin.source_hash, json.dumps(origin.allowed_groups),
                json.dumps(document.stated), _json(origin.ruled),
            ),
        ).lastrowid  # fmt: skip
        return [self._add_chunk(int(number or 0), document, chunk) for chunk in document.chunks]

    def _add_chunk(self, document_number: int, document: ParsedDocument, chunk: Chunk) -> NewChunk:
        text = embedded_text(document.title, chunk.section, document.text[chunk.start : chunk.end], chunk.table_header)
        digest = hashlib.sha256(text.encode()).digest()
        place = json.dumps(asdict(chunk.place)) if chunk.place else None
        page = chunk.place.value if chunk.place and chunk.place.kind == "page" else None
        id_ = self._database.execute(
            "INSERT INTO chunks (document, start_index, end_index, section, table_header, page, place, embedded_hash) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (document_number, chunk.start, chunk.end, chunk.section, chunk.table_header, page, place, digest),
        ).lastrowid
        return NewChunk(int(id_ or 0), text, digest)

    def update(self, origin: Origin) -> None:
        """The text stays as it is; where it comes from and who may read it are these."""
        self._database.execute(
            "UPDATE documents SET root = ?, file = ?, source = ?, allowed_groups = ?, ruled = ? WHERE doc_id = ?",
            (origin.root, origin.file, origin.source, json.dumps(origin.allowed_groups), _json(origin.ruled),
             origin.doc_id),
        )  # fmt: skip

    def remove(self, doc_id: str) -> None:
        [number] = self._database.execute("SELECT number FROM documents WHERE doc_id = ?", (doc_id,)).fetchone()
        self._database.execute("DELETE FROM chunks WHERE document = ?", (number,))
        self._database.execute("DELETE FROM documents WHERE number = ?", (number,))
        self.deleted = True

    # for the publication

    def counts(self) -> tuple[int, int]:
        """Documents and chunks."""
        [documents] = self._database.execute("SELECT count(*) FROM documents").fetchone()
        [chunks] = self._database.execute("SELECT count(*) FROM chunks").fetchone()
        return documents, chunks

    def kept_ids(self) -> NDArray[np.int64]:
        """Chunks of the previous generation that are still there, ascending."""
        rows = self._database.execute("SELECT id FROM chunks WHERE id <= ? ORDER BY id", (self._last_id,))
        return np.fromiter((row[0] for row in rows), dtype=np.int64)

    def new_chunks(self) -> Iterator[list[tuple[int, bytes]]]:
        """(id, embedded hash) of what came in this run, ascending, in batches."""
        rows = self._database.execute("SELECT id, embedded_hash FROM chunks WHERE id > ? ORDER BY id", (self._last_id,))
        while batch := rows.fetchmany(_AT_ONCE):
            yield batch

    def previous_id(self, embedded_hash: bytes) -> int | None:
        """A chunk of the previous generation with this very text, whether or not it is still there."""
        if not self._has_previous:
            return None
        row = self._database.execute(
            "SELECT id FROM previous.chunks WHERE embedded_hash = ? LIMIT 1", (embedded_hash,)
        ).fetchone()
        return None if row is None else int(row[0])

    def chunks_changed(self) -> bool:
        """Whether the previous generation has other chunks."""
        if not self._has_previous:
            return True
        ours = self._database.execute("SELECT count(*), coalesce(max(id), 0) FROM chunks").fetchone()
        theirs = self._database.execute("SELECT count(*), coalesce(max(id), 0) FROM previous.chunks").fetchone()
        return bool(ours != theirs)

    def document_numbers(self) -> NDArray[np.int32]:
        """Of each chunk, in the order of the chunk ids."""
        rows = self._database.execute("SELECT document FROM chunks ORDER BY id")
        return np.fromiter((row[0] for row in rows), dtype=np.int32)

    def embedded_texts(self) -> Iterator[str]:
        """Of each chunk, in the order of the chunk ids."""
        rows = self._database.execute(
            "SELECT d.title, c.section, substr(d.text, c.start_index + 1, c.end_index - c.start_index), c.table_header "
            "FROM chunks c JOIN documents d ON d.number = c.document ORDER BY c.id"
        )
        return (embedded_text(*row) for row in rows)

    def finish(self) -> None:
        """Nothing of what was removed stays in free pages."""
        self._database.commit()
        if self._has_previous:
            self._database.execute("DETACH DATABASE previous")
        if self.deleted:
            self._database.execute("VACUUM")
        self._database.close()

    def close(self) -> None:
        self._database.close()

    def _parsed(self, doc_id: str) -> ParsedDocument:
        row = self._database.execute(
            "SELECT number, root, file, source, source_hash, allowed_groups, ruled, title, titled_by_name, text, "
            "stated FROM documents WHERE doc_id = ?",
            (doc_id,),
        ).fetchone()
        number, root, file, source, source_hash, groups, ruled, title, by_name, text, stated = row
        origin = Origin(doc_id, root, file, source, source_hash, tuple(json.loads(groups)), json.loads(ruled))
        chunks = self._database.execute(
            "SELECT start_index, end_index, section, place, table_header FROM chunks WHERE document = ? ORDER BY id",
            (number,),
        )
        return ParsedDocument(
            origin, title, bool(by_name), text, json.loads(stated),
            tuple(Chunk(start, end, section, _place(place), header) for start, end, section, place, header in chunks),
        )  # fmt: skip


def moved(document: ParsedDocument, origin: Origin) -> ParsedDocument:
    """The same text under another name."""
    return replace(document, origin=origin, title=origin.name if document.titled_by_name else document.title)


def _known(row: tuple[Any, ...]) -> KnownDocument:
    doc_id, root, source, source_hash, groups, ruled = row
    return KnownDocument(doc_id, root, source, source_hash, tuple(json.loads(groups)), json.loads(ruled))


def _json(value: dict[str, Any]) -> str:
    return json.dumps(value, sort_keys=True)


def _place(value: str | None) -> Place | None:
    return Place(**json.loads(value)) if value else None
