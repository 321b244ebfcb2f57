"""The tables and rows in which `PgVectorStore` keeps generations; each function is a part of its caller's transaction.

Legend: `n` chunks, `d` embedding dimension.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from psycopg import sql

from ragvoice.errors import VectorIndexError
from ragvoice.retrieval.pgvector_search import EXACT_ROWS, FOREVER, MOST_INDEXED_DIMENSIONS, Location
from ragvoice.retrieval.pgvector_server import SCHEMA, Connection
from ragvoice.retrieval.shards import Batch, Report

INDEXES = sql.Identifier(SCHEMA, "indexes")
_EF_CONSTRUCTION = 128
"""Twice pgvector's default: builds take half as long again and miss half as much."""


def create_schema(connection: Connection) -> None:
    if connection.execute("SELECT to_regclass(%s)", (f"{SCHEMA}.indexes",)).fetchone() != (None,):
        return  # so that no right to create one is needed
    # Two first writers of two indexes would else both create them.
    connection.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", (SCHEMA,))
    connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(SCHEMA)))
    connection.execute(
        sql.SQL(
            "CREATE TABLE IF NOT EXISTS {} (id text PRIMARY KEY, sequence bigint NOT NULL, written text, "
            "published text, folder text, at timestamptz)"
        ).format(INDEXES)
    )


def create_table(connection: Connection, location: Location) -> None:
    # The primary key holds the lifetimes too, so that the ids of a generation are read from it alone.
    connection.execute(
        sql.SQL(
            "CREATE TABLE {table} (id bigint NOT NULL, document integer NOT NULL, embedding vector({dimension}) "
            "NOT NULL, born bigint NOT NULL, died bigint NOT NULL DEFAULT {forever}, "
            "PRIMARY KEY (id) INCLUDE (born, died))"
        ).format(table=location.identifier, dimension=location.dimension, forever=FOREVER)
    )
    connection.execute(sql.SQL("CREATE INDEX ON {} (document)").format(location.identifier))


def create_hnsw(connection: Connection, location: Location, report: Report) -> None:
    """Once the generation is so large; from then on PostgreSQL keeps it up to date."""
    if location.rows <= EXACT_ROWS or location.dimension > MOST_INDEXED_DIMENSIONS:
        return
    report("vector index", 0, location.rows)
    connection.execute(
        sql.SQL(
            "CREATE INDEX IF NOT EXISTS {} ON {} USING hnsw ((embedding::halfvec({})) halfvec_ip_ops) "
            "WITH (ef_construction = {})"
        ).format(sql.Identifier(location.hnsw), location.identifier, location.dimension, _EF_CONSTRUCTION)
    )
    report("vector index", location.rows, location.rows)


def undo_unpublished(connection: Connection, published: Location) -> None:
    """What was written after the published generation, and was never published itself, might as well not have been."""
    values = {"sequence": published.sequence, "forever": FOREVER}
    connection.execute(sql.SQL("DELETE FROM {} WHERE born > %(sequence)s").format(published.identifier), values)
    connection.execute(
        sql.SQL("UPDATE {} SET died = %(forever)s WHERE died > %(sequence)s AND died <> %(forever)s").format(
            published.identifier
        ),
        values,
    )


def keep_rows(connection: Connection, before: Location, sequence: int, keep_ids_n: NDArray[np.int64]) -> None:
    """Mark what the new generation leaves out."""
    rows = connection.execute(
        sql.SQL("SELECT id FROM {} WHERE born <= %(sequence)s AND died > %(sequence)s").format(before.identifier),
        {"sequence": before.sequence},
        binary=True,
    )
    there_n = np.fromiter((row[0] for row in rows), dtype=np.int64)
    gone_n = np.setdiff1d(there_n, keep_ids_n, assume_unique=True)
    if len(there_n) - len(gone_n) != len(keep_ids_n):
        raise VectorIndexError(
            f"Of {len(keep_ids_n)} vectors to be kept some are missing on the server. "
            "Rebuild the index: ragvoice ingest FOLDER --rebuild"
        )
    if len(gone_n):
        connection.execute(
            sql.SQL("UPDATE {} SET died = %s WHERE id = ANY(%s::bigint[])").format(before.identifier),
            (sequence, gone_n.tolist()),
        )


def add_rows(
    connection: Connection,
    location: Location,
    document_n: NDArray[np.int32],
    kept: int,
    batches: Iterable[Batch],
    report: Report,
) -> None:
    """:param kept: How many rows the generation has already; its others come in the order of `document_n`."""
    done, last_id = kept, -1
    statement = sql.SQL("COPY {} (id, document, embedding, born) FROM STDIN (FORMAT BINARY)").format(
        location.identifier
    )
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        copy.set_types(["bigint", "integer", "vector", "bigint"])
        for ids_n, vectors_nd in batches:
            if vectors_nd.shape != (len(ids_n), location.dimension):
                raise ValueError(f"vectors of shape {vectors_nd.shape}, expected ({len(ids_n)}, {location.dimension})")
            if len(ids_n) and not (ids_n[0] > last_id and (np.diff(ids_n) > 0).all()):
                raise ValueError("ids of vectors must ascend")
            documents = document_n[done : done + len(ids_n)].tolist()
            for id_, document, vector_d in zip(ids_n.tolist(), documents, vectors_nd, strict=True):
                copy.write_row((id_, document, vector_d, location.sequence))
            done += len(ids_n)
            last_id = int(ids_n[-1]) if len(ids_n) else last_id
            report("vectors", done, location.rows)
    if done != location.rows:
        raise ValueError(f"{done} vectors for {location.rows} chunks")


def delete_rows(connection: Connection, table: str, needed: list[int]) -> None:
    """Of generations other than those with the sequence numbers that are needed."""
    connection.execute(
        sql.SQL(
            "DELETE FROM {} WHERE NOT EXISTS (SELECT FROM unnest(%s::bigint[]) AS needed(sequence) "
            "WHERE born <= sequence AND sequence < died)"
        ).format(sql.Identifier(SCHEMA, table)),
        (needed,),
    )


def tables_of(connection: Connection, index: str) -> list[str]:
    rows = connection.execute(
        "SELECT tablename FROM pg_tables WHERE schemaname = %s AND starts_with(tablename, %s)",
        (SCHEMA, f"vectors_{index}_"),
    )
    return [row[0] for row in rows]
