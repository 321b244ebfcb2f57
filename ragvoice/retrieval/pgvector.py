"""The vectors of an index on a PostgreSQL server with pgvector, shared by the machines that read the index folder.

Everything else of a generation stays in its folder; `vectors/pgvector.json` says which rows on the server are its own:

    ragvoice.indexes                one row an index: the last sequence number, the generation written last, the
                                    generation published last, where the folder was when it was written
    ragvoice.vectors_<index>_<n>    id, document, embedding, born, died; made by the generation of sequence number n,
                                    used by those after it, until a rebuild or a compaction begins another one

A generation's rows are those with `born <= its sequence number < died`, so what a writer adds and marks is nothing to
readers of other generations, and one that is never published leaves nothing but rows that the next writer deletes.
`pgvector-index` in the index folder holds the UUID by which the server knows the index, whatever the folder's path.

A copy of an index folder reads the same rows. Whichever of the two is written first goes on with them; the other one
is told to rebuild, and gets rows of its own by that.

Legend: `n` chunks, `d` embedding dimension.
"""

from __future__ import annotations

import socket
import uuid
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from psycopg import sql

from ragvoice.errors import VectorIndexError, VectorServerError
from ragvoice.retrieval.generations import current_name
from ragvoice.retrieval.index import CHUNKS_FILE
from ragvoice.retrieval.pgvector_rows import (
    INDEXES,
    add_rows,
    create_hnsw,
    create_schema,
    create_table,
    delete_rows,
    keep_rows,
    tables_of,
    undo_unpublished,
)
from ragvoice.retrieval.pgvector_search import Location, PgVectorSearch
from ragvoice.retrieval.pgvector_server import SCHEMA, Connection, VectorServer, require_extension
from ragvoice.retrieval.shards import Batch, Report
from ragvoice.retrieval.vector_store import VECTORS_FOLDER, VectorSearch

INDEX_FILE = "pgvector-index"


class PgVectorStore:
    """A `VectorStore` on a server."""

    name = "pgvector"
    """Not the address: the same server may have several, and moves."""

    def __init__(self, address: str):
        """:param address: `postgresql://user@host/db`, without a password.
        :raises UsageError: when it cannot be understood.
        """
        self._server = VectorServer(address)

    def write(
        self,
        staged: Path,
        previous: Path | None,
        keep_ids_n: NDArray[np.int64],
        batches: Iterable[Batch],
        dimension: int,
        report: Report | None = None,
    ) -> None:
        """One transaction: all of the generation's rows are there afterwards, or none.

        :raises VectorIndexError: when the server's rows are not those of the generation before.
        :raises VectorServerError: when the server cannot be reached or refuses.
        """
        document_n: NDArray[np.int32] = np.load(staged / CHUNKS_FILE, mmap_mode="r", allow_pickle=False)
        before = Location.read(previous / VECTORS_FOLDER) if previous else None
        with self._server.connect() as connection, connection.transaction():
            require_extension(connection, self._server.name)
            create_schema(connection)
            index = before.index if before else _index_of(connection, staged.parent)
            sequence, written = _begin(connection, index, previous.name if previous else None)
            if previous and before and (before.dimension == dimension or len(keep_ids_n)):
                location = replace(before, sequence=sequence, rows=len(document_n))
                if written != previous.name:
                    undo_unpublished(connection, before)
                keep_rows(connection, before, sequence, keep_ids_n)
            else:
                table = f"vectors_{index}_{sequence}"
                location = Location(index, table, sequence, dimension, len(document_n))
                create_table(connection, location)
            report = report or (lambda step, done, total: None)
            add_rows(connection, location, document_n, len(keep_ids_n), batches, report)
            create_hnsw(connection, location, report)
            connection.execute(sql.SQL("ANALYZE {}").format(location.identifier))
            _end(connection, index, sequence, staged)
            location.write(staged / VECTORS_FOLDER)
            (staged.parent.parent / INDEX_FILE).write_text(index + "\n", encoding="utf-8")

    def open(self, generation: Path) -> VectorSearch:
        document_n = np.load(generation / CHUNKS_FILE, mmap_mode="r", allow_pickle=False)
        return PgVectorSearch.open(self._server, Location.read(generation / VECTORS_FOLDER), document_n)

    def dimension(self, generation: Path) -> int:
        return Location.read(generation / VECTORS_FOLDER).dimension

    def retain(self, generations: Path) -> None:
        """Delete the rows and tables that no generation on disk needs, and have PostgreSQL clear their space.

        :raises VectorServerError: when the server does not answer; the index is published all the same.
        """
        index = _index_id(generations)
        sequences: dict[str, list[int]] = {}
        for folder in generations.iterdir():
            location = _location(folder)
            if location and location.index == index:
                sequences.setdefault(location.table, []).append(location.sequence)
        if index is None or not sequences:
            return
        try:
            self._delete_others(index, current_name(generations.parent), sequences)
        except VectorServerError as error:
            raise VectorServerError(
                f"{error} The index is published, but rows that it does not need are still on the server: when it "
                "answers again, delete them with: ragvoice index compact"
            ) from error

    def _delete_others(self, index: str, current: str, sequences: dict[str, list[int]]) -> None:
        with self._server.connect() as connection:
            with connection.transaction():
                _locked(connection, index)
                connection.execute(
                    sql.SQL("UPDATE {} SET published = %s WHERE id = %s").format(INDEXES), (current, index)
                )
                for table in tables_of(connection, index):
                    if table not in sequences:
                        connection.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(SCHEMA, table)))
                for table, needed in sequences.items():
                    delete_rows(connection, table, needed)
            for table in sequences:
                # also from its indexes, whatever share of the rows that is: HNSW holds copies of the vectors
                connection.execute(sql.SQL("VACUUM (INDEX_CLEANUP ON) {}").format(sql.Identifier(SCHEMA, table)))


def _index_of(connection: Connection, generations: Path) -> str:
    """Of a folder whose rows are all written anew: the one that it has, if these rows are its own; else a new one."""
    index = _index_id(generations)
    row = _locked(connection, index) if index else None
    if index is None or (row and row[2] and not {row[1], row[2]} & {folder.name for folder in generations.iterdir()}):
        return uuid.uuid4().hex
    return index


def _index_id(generations: Path) -> str | None:
    try:
        return uuid.UUID((generations.parent / INDEX_FILE).read_text(encoding="utf-8").strip()).hex
    except (OSError, ValueError):
        return None


def _begin(connection: Connection, index: str, previous: str | None) -> tuple[int, str | None]:
    """Lock the index against other writers.

    :returns: The sequence number of the new generation, and the name of the one that was written last.
    """
    connection.execute(
        sql.SQL("INSERT INTO {} (id, sequence) VALUES (%s, 0) ON CONFLICT DO NOTHING").format(INDEXES), (index,)
    )
    row = _locked(connection, index)
    assert row
    sequence, written, published = row
    if previous and written is None:
        raise VectorIndexError(
            "The vector server does not know this index. Check the address in vector_store; if it is right, rebuild "
            "the index with: ragvoice ingest FOLDER --rebuild"
        )
    if previous and previous not in (written, published):
        raise VectorIndexError(
            f"The vectors on the server are those of {published or written}, the index folder is at {previous}: it "
            "has been copied, or an older one put back. Rebuild it with: ragvoice ingest FOLDER --rebuild"
        )
    return int(sequence) + 1, written


def _end(connection: Connection, index: str, sequence: int, staged: Path) -> None:
    """Remember what was written, and upon what: that is published, whether or not `retain` could say so."""
    folder = staged.parent.parent
    published = current_name(folder) if (folder / "CURRENT").is_file() else None
    connection.execute(
        sql.SQL(
            "UPDATE {} SET sequence = %s, written = %s, published = %s, folder = %s, at = now() WHERE id = %s"
        ).format(INDEXES),
        (sequence, staged.name, published, f"{socket.gethostname()}:{folder.resolve()}", index),
    )


def _locked(connection: Connection, index: str) -> tuple[Any, ...] | None:
    """(sequence, generation written last, generation published last) of an index, until the transaction ends."""
    return connection.execute(
        sql.SQL("SELECT sequence, written, published FROM {} WHERE id = %s FOR UPDATE NOWAIT").format(INDEXES),
        (index,),
    ).fetchone()


def _location(generation: Path) -> Location | None:
    """None of a generation whose vectors are elsewhere, or that nobody can open."""
    try:
        return Location.read(generation / VECTORS_FOLDER)
    except VectorIndexError:
        return None
