"""The file of the logged turns: SQLite, for several processes at once, readable by its owner only."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock

from ragvoice.errors import TurnLogError, UsageError

WAIT_S = 5.0
"""For another process that writes."""

UPGRADES: tuple[tuple[str, ...], ...] = (
    (
        """CREATE TABLE turns (
          number INTEGER PRIMARY KEY AUTOINCREMENT, turn_id TEXT NOT NULL UNIQUE, conversation_id TEXT,
          asked_at TEXT NOT NULL, person TEXT NOT NULL, groups TEXT NOT NULL, style TEXT NOT NULL,
          question TEXT NOT NULL, standalone_question TEXT NOT NULL, history TEXT, history_hash TEXT NOT NULL,
          heard TEXT, outcome TEXT NOT NULL, answer TEXT NOT NULL, draft TEXT NOT NULL, confidence REAL NOT NULL,
          evidence TEXT NOT NULL, citations TEXT NOT NULL, passages TEXT NOT NULL, index_generation TEXT NOT NULL,
          index_id TEXT NOT NULL, prompt_hash TEXT NOT NULL, models TEXT NOT NULL, settings TEXT NOT NULL,
          version TEXT NOT NULL, code_hash TEXT NOT NULL, timings TEXT NOT NULL, rating INTEGER,
          reason TEXT NOT NULL DEFAULT '')""",
        "CREATE INDEX turns_by_time ON turns (asked_at)",
        "CREATE INDEX turns_by_conversation ON turns (conversation_id, number)",
        "CREATE TABLE state (name TEXT PRIMARY KEY, value TEXT NOT NULL)",
    ),
)
"""What leads from schema n to n + 1; an empty file has schema 0. `history` is NULL where it is what the earlier turns
of the conversation say; groups, heard, evidence, citations, passages, models, settings and timings are JSON."""


class DamagedTurnLog(TurnLogError):
    """It has been moved aside; the next use begins a new one."""


@contextmanager
def connected(file: Path) -> Iterator[sqlite3.Connection]:
    """A connection of its own for each use, so that any thread may; statements outside `writing` commit at once.

    What is deleted is overwritten in the file.

    :raises DamagedTurnLog: after the file was moved aside.
    :raises TurnLogError: when it is locked, of a newer schema, or the disk is full or read-only.
    """
    inode = 0
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(file, os.O_RDONLY | os.O_CREAT, 0o600))  # the files beside it get the same permissions
        inode = file.stat().st_ino
        database = sqlite3.connect(file, timeout=WAIT_S, isolation_level=None)
        try:
            database.execute("PRAGMA secure_delete = ON")
            database.execute("PRAGMA temp_store = MEMORY")
            _upgrade(file, database)
            database.execute("PRAGMA synchronous = NORMAL")
            yield database
        finally:
            database.close()
    except sqlite3.Error as error:
        if (getattr(error, "sqlite_errorcode", 0) & 0xFF) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            raise DamagedTurnLog(_set_aside(file, inode)) from error
        raise TurnLogError(f"The turn log {file} cannot be used: {error}.") from error
    except UnicodeEncodeError as error:
        raise UsageError(f"{error.object!r} is not valid UTF-8.") from error
    except OSError as error:
        raise TurnLogError(f"The turn log {file} cannot be used: {error.strerror or error}.") from error


@contextmanager
def writing(database: sqlite3.Connection) -> Iterator[None]:
    """One transaction: all of it or, after an error or a crash, nothing."""
    database.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        if database.in_transaction:  # a full disk ends it by itself
            database.execute("ROLLBACK")
        raise
    database.execute("COMMIT")


def rinse(file: Path, database: sqlite3.Connection) -> None:
    """Leave no byte of what was deleted, neither in the file nor in its journal.

    :raises TurnLogError: when another process uses the file for too long.
    """
    try:
        database.execute("VACUUM")
        busy = checkpoint(database)
    except sqlite3.OperationalError:
        busy = True
    if busy:
        raise TurnLogError(
            f"The turns are deleted, but another process uses {file}, so their words may still be in its bytes. "
            "When it is done, `ragvoice turns forget --before 2000-01-01` overwrites them."
        )


def checkpoint(database: sqlite3.Connection) -> bool:
    """Move the journal's pages to the file and empty it. :returns: Whether somebody else's use prevented it."""
    return bool(database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0])


def damaged_files(file: Path) -> list[Path]:
    """What was moved aside."""
    return sorted(file.parent.glob(f"{file.name}.damaged-*"))


def _upgrade(file: Path, database: sqlite3.Connection) -> None:
    if _version(file, database) == len(UPGRADES):
        return
    with _lock(file):  # the switch to WAL does not wait for a lock by itself
        database.execute("PRAGMA journal_mode = WAL")
        for version in range(_version(file, database), len(UPGRADES)):
            with writing(database):
                for statement in UPGRADES[version]:
                    database.execute(statement)
                database.execute(f"PRAGMA user_version = {version + 1}")


def _version(file: Path, database: sqlite3.Connection) -> int:
    version = int(database.execute("PRAGMA user_version").fetchone()[0])
    if version > len(UPGRADES):
        raise TurnLogError(
            f"The turn log {file} has schema {version}; this version of ragvoice reads up to {len(UPGRADES)}. "
            "Update ragvoice, or set `turns` to another file."
        )
    return version


def _set_aside(file: Path, inode: int) -> str:
    """:returns: What to tell the user."""
    aside = file.with_name(f"{file.name}.damaged-{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}")
    with _lock(file):
        if file.exists() and file.stat().st_ino == inode:  # else another process has done it
            for ending in ("-wal", "-shm", ""):
                part = file.with_name(file.name + ending)
                if part.exists():
                    os.replace(part, aside.with_name(aside.name + ending))
    return (
        f"The turn log {file} is damaged; it is now {aside.name} beside it, and a new one begins. "
        "`ragvoice turns forget` deletes damaged ones too."
    )


def _lock(file: Path) -> FileLock:
    return FileLock(f"{file}.lock", timeout=WAIT_S, mode=0o600)
