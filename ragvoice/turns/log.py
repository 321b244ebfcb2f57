"""The log of turns: add, look up, rate, forget."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ragvoice.datatypes import Message
from ragvoice.errors import UsageError
from ragvoice.turns import rows
from ragvoice.turns.database import checkpoint, connected, damaged_files, rinse, writing
from ragvoice.turns.records import Turn, timestamp


@dataclass(frozen=True)
class Selection:
    """Turns that fulfil every condition that is given."""

    person: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    """Exclusive."""
    turn_id: str | None = None
    conversation_id: str | None = None
    ratings: tuple[int, ...] = ()

    def where(self) -> tuple[str, list[str | int]]:
        """An SQL condition and its arguments."""
        conditions, arguments = ["1"], list[str | int]()
        values: tuple[tuple[str, str | None], ...] = (
            ("person = ?", self.person),
            ("asked_at >= ?", timestamp(self.since) if self.since else None),
            ("asked_at < ?", timestamp(self.until) if self.until else None),
            ("turn_id = ?", self.turn_id),
            ("conversation_id = ?", self.conversation_id),
        )
        for condition, value in values:
            if value is not None:
                conditions.append(condition)
                arguments.append(value)
        if self.ratings:
            conditions.append(f"rating IN ({', '.join('?' * len(self.ratings))})")
            arguments += self.ratings
        return " AND ".join(conditions), arguments


class TurnLog:
    """For any thread and several processes. Whoever may read the file sees everybody's turns."""

    def __init__(self, file: Path, keep_days: int, now: Callable[[], datetime] = lambda: datetime.now(UTC)):
        """:param keep_days: Older turns are deleted: at the first use of a day, or after this number has changed."""
        self.file = file
        self.now = now
        self._keep_days = keep_days
        self._pruned = ""

    def add(self, turn: Turn) -> None:
        """A turn whose conversation was deleted while it was answered is deleted, too.

        :raises TurnLogError: when it cannot be written. :raises UsageError: into somebody else's conversation.
        """
        with self.opened() as database, writing(database):
            derived = None
            if turn.conversation_id is not None:
                sql = "SELECT 1 FROM turns WHERE conversation_id = ? AND person != ? LIMIT 1"
                if database.execute(sql, (turn.conversation_id, turn.person)).fetchone():
                    raise UsageError(f"There is no conversation {turn.conversation_id!r} of {turn.person!r}.")
                derived = rows.history(database, turn.conversation_id)
                if turn.history and not derived:
                    return
                if not _holds(derived, turn.history):  # some of it was deleted meanwhile: as in `_delete`
                    turn = replace(turn, standalone_question=turn.question, history=derived)
            database.execute(rows.INSERT, rows.to_row(turn, derived))

    def get(self, turn_id: str) -> Turn:
        """:param turn_id: Or the beginning of it. :raises UsageError: when there is none, or more than one."""
        with self.opened() as database:
            whole = rows.full_id(database, "turn_id", turn_id, "turn")
            return rows.to_turn(database, database.execute(f"{rows.SELECT} WHERE turn_id = ?", (whole,)).fetchone())

    def conversation(self, conversation_id: str) -> str:
        """The whole identifier, whose ever it is. :raises UsageError: when there is none, or more than one."""
        with self.opened() as database:
            return rows.full_id(database, "conversation_id", conversation_id, "conversation")

    def find(self, selection: Selection, limit: int | None = None) -> list[Turn]:
        """The newest first."""
        condition, arguments = selection.where()
        with self.opened() as database:
            found = database.execute(
                f"{rows.SELECT} WHERE {condition} ORDER BY asked_at DESC, number DESC LIMIT ?",
                [*arguments, -1 if limit is None else limit],
            ).fetchall()
            return [rows.to_turn(database, row) for row in found]

    def count(self, selection: Selection) -> int:
        condition, arguments = selection.where()
        with self.opened() as database:
            return int(database.execute(f"SELECT count(*) FROM turns WHERE {condition}", arguments).fetchone()[0])

    def rate(self, turn_id: str, rating: int | None, reason: str = "", *, person: str | None = None) -> str:
        """:param rating: 1 or -1, which replaces the one before; None takes it back.
        :param person: Whose turn it must be; None for anybody's.
        :returns: The whole turn_id. :raises UsageError: when there is none.
        """
        with self.opened() as database, writing(database):
            whole = rows.full_id(database, "turn_id", turn_id, "turn", person)
            database.execute("UPDATE turns SET rating = ?, reason = ? WHERE turn_id = ?", (rating, reason, whole))
            return whole

    def shorten(self, turn_id: str, answer: str, *, person: str) -> None:
        """Of an interrupted answer only this was heard; its confidence, which was that of the whole, becomes 0.

        Nothing happens where there is no such turn, or where this is all of it.
        """
        sql = "UPDATE turns SET answer = ?, confidence = 0 WHERE turn_id = ? AND person = ? AND trim(answer) != trim(?)"
        with self.opened() as database, writing(database):
            database.execute(sql, (answer, turn_id, person, answer))

    def withdraw(self, turn_id: str, *, person: str) -> None:
        """A turn that counts as never asked; nothing happens where there is none."""
        with self.opened() as database, writing(database):
            _delete(database, *Selection(person=person, turn_id=turn_id).where())

    def forget(self, selection: Selection) -> int:
        """Delete turns so that their words are in no byte of the file any more; damaged files go as a whole.

        :returns: How many turns.
        :raises TurnLogError: when the file is in use elsewhere; what the message does not call deleted is still there.
        """
        condition, arguments = selection.where()
        with self.opened() as database:
            with writing(database):
                count = _delete(database, condition, arguments)
            rinse(self.file, database)
        for file in damaged_files(self.file):
            file.unlink(missing_ok=True)
        return count

    def prune(self) -> None:
        """Delete what is older than it may become, where there is a log at all."""
        if self.file.exists():
            with self.opened():
                pass

    @contextmanager
    def opened(self) -> Iterator[sqlite3.Connection]:
        """The file, for one use, without what is too old."""
        with connected(self.file) as database:
            today = f"{self.now().date()} {self._keep_days}"
            if self._pruned != today:
                self._prune_once(database, today)
                self._pruned = today
            yield database

    def _prune_once(self, database: sqlite3.Connection, today: str) -> None:
        sql = "SELECT value FROM state WHERE name = 'pruned'"
        if database.execute(sql).fetchone() == (today,):
            return  # by another process
        oldest = self.now() - timedelta(days=self._keep_days)
        with writing(database):
            count = _delete(database, *Selection(until=oldest).where())
            database.execute("INSERT OR REPLACE INTO state VALUES ('pruned', ?)", (today,))
        if count:
            checkpoint(database)  # if somebody reads just now, the last one to close the file does it
        for file in damaged_files(self.file):
            if file.stat().st_mtime < oldest.timestamp():
                file.unlink(missing_ok=True)


def _holds(stored: Iterable[Message], lines: Iterable[Message]) -> bool:
    """Whether all these lines are stored, in this order."""
    rest = iter(stored)
    return all(line in rest for line in lines)


def _delete(database: sqlite3.Connection, condition: str, arguments: list[str | int]) -> int:
    """Within a transaction. Later turns of the same conversations lose what repeats the words of the deleted ones."""
    cut = database.execute(
        f"SELECT conversation_id, min(number) FROM turns WHERE {condition} AND conversation_id IS NOT NULL GROUP BY 1",
        arguments,
    ).fetchall()
    count = database.execute(f"DELETE FROM turns WHERE {condition}", arguments).rowcount
    database.executemany(
        "UPDATE turns SET standalone_question = question, history = NULL WHERE conversation_id = ? AND number > ?", cut
    )
    return count
