"""Nearest vectors of one generation on a PostgreSQL server: every one compared while they are few, HNSW beyond.

Legend: `n` chunks of the generation, `c` found rows, `d` embedding dimension, `g` documents by their number.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from psycopg import sql

from ragvoice.errors import VectorIndexError, VectorServerError
from ragvoice.retrieval.pgvector_server import SCHEMA, VectorServer

LOCATION_FILE = "pgvector.json"
EXACT_ROWS = 20_000
"""Up to so many (allowed) chunks every vector is compared."""
MOST_INDEXED_DIMENSIONS = 4000
"""pgvector's limit for an HNSW index of half-precision vectors."""
FOREVER = 2**63 - 1
"""The `died` of a row that no generation has left out yet."""
_FILTERS = 64

Rows = NDArray[np.int64]
Similarities = NDArray[np.float32]


@dataclass(frozen=True)
class Location:
    """Where a generation's vectors are on the server: rows with `born <= sequence < died`."""

    index: str
    """UUID, in hexadecimal digits."""
    table: str
    sequence: int
    dimension: int
    rows: int
    version: int = 1

    @classmethod
    def read(cls, folder: Path) -> Location:
        """:raises VectorIndexError: when it is missing or damaged."""
        try:
            return cls(**json.loads((folder / LOCATION_FILE).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError) as error:
            raise VectorIndexError(f"{folder.name}/{LOCATION_FILE} cannot be read ({error})") from error

    def write(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / LOCATION_FILE).write_text(json.dumps(asdict(self), indent=1), encoding="utf-8")

    @property
    def identifier(self) -> sql.Identifier:
        return sql.Identifier(SCHEMA, self.table)

    @property
    def hnsw(self) -> str:
        """Name of the table's HNSW index, if it has one."""
        return f"{self.table}_hnsw"


@dataclass(frozen=True)
class _Filter:
    column: str
    excludes: bool
    values: list[int]

    @property
    def condition(self) -> sql.Composable:
        # Of the column's own type: only then does PostgreSQL look them up in a hash table, not one by one.
        kind = {"id": "bigint", "document": "integer"}[self.column]
        test = f"{{}} <> ALL(%(those)s::{kind}[])" if self.excludes else f"{{}} = ANY(%(those)s::{kind}[])"
        return sql.SQL(" AND " + test).format(sql.Identifier(self.column))


class PgVectorSearch:
    """Safe for several threads."""

    def __init__(
        self, server: VectorServer, location: Location, ids_n: Rows, document_n: NDArray[np.int32], *, indexed: bool
    ):
        """Use `open`.

        :param document_n: Number of each chunk's document, by which filters are told to the server.
        :param indexed: Whether there is an HNSW index.
        """
        self.ids_n = ids_n
        self.size = len(ids_n)
        self.dimension = location.dimension
        self._server = server
        self._location = location
        self._document_n = document_n
        self._indexed = indexed
        self._filters: dict[bytes, _Filter] = {}

    @classmethod
    def open(cls, server: VectorServer, location: Location, document_n: NDArray[np.int32]) -> PgVectorSearch:
        """:raises VectorServerError: when the server cannot be reached, or does not know the index.
        :raises VectorIndexError: when rows are missing.
        """
        with server.connect() as connection:
            statement = sql.SQL("SELECT id FROM {} WHERE born <= %s AND died > %s ORDER BY id").format(
                location.identifier
            )
            found = connection.execute(statement, (location.sequence, location.sequence), binary=True)
            ids_n = np.fromiter((row[0] for row in found), dtype=np.int64)
            [indexed] = connection.execute(
                "SELECT to_regclass(%s) IS NOT NULL", (f"{SCHEMA}.{location.hnsw}",)
            ).fetchone() or (False,)
        if len(ids_n) != location.rows:
            raise VectorIndexError(
                f"the vector server {server.name} has {len(ids_n)} of its {location.rows} vectors: another copy of the "
                "index folder may have been written since"
            )
        return cls(server, location, ids_n, document_n, indexed=bool(indexed))

    def search(
        self, query_d: NDArray[np.float32], limit: int, allowed_n: NDArray[np.bool_] | None = None
    ) -> tuple[Rows, Similarities]:
        """Rows of the nearest allowed chunks and their exact cosine similarity, best first; both of shape (c,).

        :param allowed_n: Shape (n,); None allows every row. No other row is ever returned.
        :raises VectorServerError: when the server does not answer.
        """
        if query_d.shape != (self.dimension,) or (allowed_n is not None and allowed_n.shape != (self.size,)):
            allowed_shape = None if allowed_n is None else allowed_n.shape
            raise ValueError(f"query {query_d.shape} and filter {allowed_shape} for {self.size} x {self.dimension}")
        allowed = self.size if allowed_n is None else int(np.count_nonzero(allowed_n))
        limit = min(limit, allowed)
        if limit <= 0:
            return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.float32)
        chosen = None if allowed_n is None or allowed == self.size else self._filter(allowed_n)
        rows_c = similarity_c = None
        if self._indexed and allowed > EXACT_ROWS:
            rows_c, similarity_c = self._nearest(query_d, limit, chosen, indexed=True)
        if rows_c is None or similarity_c is None or len(rows_c) < limit:
            rows_c, similarity_c = self._nearest(query_d, limit, chosen, indexed=False)
        if len(rows_c) < limit:
            raise self._gone()
        if allowed_n is not None:
            seen_c = allowed_n[rows_c]  # whatever the server may say
            rows_c, similarity_c = rows_c[seen_c], similarity_c[seen_c]
        return rows_c, similarity_c

    def vectors(self, rows_c: Rows) -> NDArray[np.float32]:
        """Shape (c, d), in the order of the rows.

        :raises VectorServerError: when the server does not answer, or this generation's rows have gone from it.
        """
        ids_c = self.ids_n[np.asarray(rows_c, dtype=np.int64)]
        vectors_cd = np.empty((len(ids_c), self.dimension), dtype=np.float32)
        if not len(ids_c):
            return vectors_cd
        statement = sql.SQL("SELECT id, embedding FROM {} WHERE id = ANY(%s::bigint[])").format(
            self._location.identifier
        )
        found = self._server.fetch(statement, (ids_c.tolist(),))
        vector_of = {id_: vector.to_numpy() for id_, vector in found}
        try:
            for i, id_ in enumerate(ids_c.tolist()):
                vectors_cd[i] = vector_of[id_]
        except KeyError:
            raise self._gone() from None
        return vectors_cd

    def describe(self) -> dict[str, Any]:
        """:raises VectorServerError: when the server does not answer."""
        name = f"{SCHEMA}.{self._location.table}"
        [(size,)] = self._server.fetch("SELECT pg_total_relation_size(%s)", (name,))
        return {
            "kind": "HNSW, half precision, ranked exactly" if self._indexed else "exact",
            "vectors": self.size,
            "dimension": self.dimension,
            "server": self._server.name,
            "table": name,
            "bytes": size,
        }

    def _gone(self) -> VectorServerError:
        return VectorServerError(
            f"The vectors of this generation have gone from the server {self._server.name}: a newer one is published. "
            "Open the index again."
        )

    def _nearest(
        self, query_d: NDArray[np.float32], limit: int, chosen: _Filter | None, *, indexed: bool
    ) -> tuple[Rows, Similarities]:
        condition = sql.SQL("born <= %(sequence)s AND died > %(sequence)s") + (
            chosen.condition if chosen else sql.SQL("")
        )
        source = sql.SQL("{} WHERE {}").format(self._location.identifier, condition)
        if indexed:
            half = sql.SQL("halfvec({})").format(self.dimension)
            source = sql.SQL(
                "(SELECT id, embedding FROM {} ORDER BY (embedding::{half}) <#> %(query)b::{half} "
                "LIMIT %(candidates)s) near"
            ).format(source, half=half)
        statement = sql.SQL(
            "SELECT id, -(embedding <#> %(query)b) AS similarity FROM {} ORDER BY similarity DESC, id LIMIT %(limit)s"
        ).format(source)
        parameters = {
            "query": np.ascontiguousarray(query_d, dtype=np.float32),
            "sequence": self._location.sequence,
            "those": chosen.values if chosen else None,
            "limit": limit,
            "candidates": limit + max(limit // 2, 25),
        }
        found = self._server.fetch(statement, parameters)
        rows_c = np.searchsorted(self.ids_n, np.array([row[0] for row in found], dtype=np.int64))
        return rows_c, np.array([row[1] for row in found], dtype=np.float32)

    def _filter(self, allowed_n: NDArray[np.bool_]) -> _Filter:
        """What is allowed or what is not, whichever are fewer; kept, for people of the same groups share it."""
        key = hashlib.blake2b(np.packbits(allowed_n).tobytes(), digest_size=16).digest()
        made = self._filters.get(key)
        if made is None:
            if len(self._filters) >= _FILTERS:
                self._filters.clear()
            made = self._filters[key] = self._made_filter(allowed_n)
        return made

    def _made_filter(self, allowed_n: NDArray[np.bool_]) -> _Filter:
        allowed_g = np.zeros(int(self._document_n.max()) + 1, dtype=bool)
        allowed_g[self._document_n[allowed_n]] = True
        if not np.array_equal(allowed_g[self._document_n], allowed_n):
            return _smaller("id", self.ids_n[allowed_n], self.ids_n[~allowed_n])
        here_g = np.unique(self._document_n)
        return _smaller("document", here_g[allowed_g[here_g]], here_g[~allowed_g[here_g]])


def _smaller(column: str, allowed: NDArray[Any], others: NDArray[Any]) -> _Filter:
    if len(others) < len(allowed):
        return _Filter(column, True, others.tolist())
    return _Filter(column, False, allowed.tolist())
