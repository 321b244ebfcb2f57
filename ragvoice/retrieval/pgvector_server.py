"""Connections to a PostgreSQL server with pgvector, and what its errors mean for the user.

Passwords come from PGPASSWORD or .pgpass, which libpq reads by itself; an address that holds one is refused, so that
none gets into a message.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

import psycopg
from pgvector.psycopg import register_vector
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import TransactionStatus

from ragvoice.errors import UsageError, VectorServerError

Connection = psycopg.Connection[tuple[Any, ...]]
Statement = str | sql.SQL | sql.Composed
Parameters = Mapping[str, Any] | Sequence[Any]

SCHEMA = "ragvoice"
EF_SEARCH = 800
"""Candidates that HNSW keeps while it searches, at most 1,000; docs/decisions/0006-shared-vector-server.md."""

_OLDEST_EXTENSION = (0, 8)
"""The first pgvector that goes on searching when a filter has left too few."""
_CONNECT_TIMEOUT_S = 10
_CONNECTIONS_KEPT = 8


class VectorServer:
    """For any thread."""

    def __init__(self, address: str):
        """:raises UsageError: when the address cannot be understood or holds a password."""
        self._address = address
        try:
            parts = conninfo_to_dict(address)
        except psycopg.Error:
            raise UsageError(
                "The vector_store is not an address that PostgreSQL understands. Expected: postgresql://user@host/db"
            ) from None  # the cause repeats the address, and with it a password that may be in it
        if parts.get("password"):
            raise UsageError(
                "The vector_store must hold no password. Put it into PGPASSWORD or ~/.pgpass and take it out of there."
            )
        self.name = f"{parts.get('host') or 'localhost'}/{parts.get('dbname') or ''}"
        """Of the host and the database, for messages."""

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        """A connection of its own, for a long transaction, and to hear at once why there is none.

        :raises VectorServerError: also for what goes wrong inside the block.
        """
        with self.translated(), self._connected() as connection:
            yield connection

    def fetch(self, statement: Statement, parameters: Parameters) -> list[tuple[Any, ...]]:
        """All rows of a query that only reads, over a connection that is kept for the next one.

        :raises VectorServerError: when the server does not answer or refuses.
        """
        idle = _idle(self._address)
        with self.translated():
            while connection := _popped(idle):
                try:
                    return _fetched(connection, statement, parameters, idle)
                except psycopg.OperationalError:
                    if not connection.closed:
                        raise
                    # cut off since, as by a restart of the server
            return _fetched(self._connected(), statement, parameters, idle)

    def _connected(self) -> Connection:
        connection = psycopg.connect(self._address, **_CONNECTING)
        try:
            _configure(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    @contextmanager
    def translated(self) -> Iterator[None]:
        try:
            yield
        except psycopg.Error as error:
            raise VectorServerError(self._sentence(error)) from error

    def _sentence(self, error: psycopg.Error) -> str:
        reason = " ".join(str(error).split()).rstrip(".")
        if isinstance(error, psycopg.errors.UndefinedTable | psycopg.errors.InvalidSchemaName):
            return (
                f"The vector server {self.name} does not know this index ({reason}). Check the address in "
                "vector_store; if it is right, rebuild the index with: ragvoice ingest FOLDER --rebuild"
            )
        if isinstance(error, psycopg.errors.InsufficientPrivilege):
            return (
                f"The vector server {self.name} does not permit this ({reason}). Ask its administrator: writing needs "
                f"the right to create the schema {SCHEMA}, or to create tables in it; reading, to select from them."
            )
        if isinstance(error, psycopg.errors.LockNotAvailable):
            return f"Another process is writing these vectors on the server {self.name}. Wait until it has ended."
        if isinstance(error, psycopg.OperationalError):
            return (
                f"The vector server {self.name} cannot be reached ({reason}). Check that it runs, the address in "
                "vector_store, and the password in PGPASSWORD or ~/.pgpass."
            )
        return f"The vector server {self.name} refused to do it ({reason})."


def require_extension(connection: Connection, server: str) -> None:
    """Create pgvector if it is not there.

    :raises VectorServerError: when that is impossible or it is too old.
    """
    sql = "SELECT extversion FROM pg_extension WHERE extname = 'vector'"
    found = connection.execute(sql).fetchone()
    if found is None:
        try:
            with connection.transaction():
                connection.execute("CREATE EXTENSION vector")
        except (psycopg.errors.InsufficientPrivilege, psycopg.errors.FeatureNotSupported) as error:
            raise VectorServerError(
                f"The database {server} has no pgvector ({' '.join(str(error).split())}). Ask its administrator to "
                "install it (postgresql-NN-pgvector) and to run there: CREATE EXTENSION vector"
            ) from error
        register_vector(connection)
        found = connection.execute(sql).fetchone()
    version = found[0] if found else "0"
    if tuple(int(part) for part in version.split(".")[:2]) < _OLDEST_EXTENSION:
        oldest = ".".join(map(str, _OLDEST_EXTENSION))
        raise VectorServerError(
            f"The database {server} has pgvector {version}; {oldest} or newer is needed. Ask its administrator to "
            "update the extension."
        )


def _configure(connection: Connection) -> None:
    if connection.execute("SELECT 1 FROM pg_type WHERE typname = 'vector'").fetchone():
        register_vector(connection)
    # relaxed_order finds more than strict_order, and what is found is ranked again by the exact similarity.
    # JIT compilation would take longer than the search.
    connection.execute(f"SET hnsw.ef_search = {EF_SEARCH}; SET hnsw.iterative_scan = relaxed_order; SET jit = off")


_CONNECTING: dict[str, Any] = {
    "autocommit": True,
    # A prepared statement may get a plan that fits any filter; and poolers on the way do not know of it.
    "prepare_threshold": None,
    "connect_timeout": _CONNECT_TIMEOUT_S,
    # A machine that has vanished from the network is noticed within half a minute.
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 4,
    "application_name": "ragvoice",
}


@cache
def _idle(address: str) -> deque[Connection]:
    """Of the process, however often an index is opened. The newest is used first, so that a few are in use always.

    A pool of psycopg_pool reconnects in the background, with growing pauses: after a restart of the server, or a time
    without one, questions waited for that and failed although the server answered.
    """
    return deque()


def _popped(idle: deque[Connection]) -> Connection | None:
    try:
        return idle.pop()
    except IndexError:
        return None


def _fetched(
    connection: Connection, statement: Statement, parameters: Parameters, idle: deque[Connection]
) -> list[tuple[Any, ...]]:
    try:
        return connection.execute(statement, parameters, binary=True).fetchall()
    finally:
        if connection.info.transaction_status == TransactionStatus.IDLE and len(idle) < _CONNECTIONS_KEPT:
            idle.append(connection)
        else:
            connection.close()
