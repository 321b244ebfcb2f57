"""A logged turn as a row of the table `turns`, and back. Pure but for the reading of earlier rows."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import asdict, fields
from typing import Any

from ragvoice.datatypes import Citation, Message, Place, Timings
from ragvoice.errors import UsageError
from ragvoice.turns.records import Heard, Turn, UsedModel, UsedPassage

_COLUMNS = tuple(field.name for field in fields(Turn))
SELECT = f"SELECT {', '.join(_COLUMNS)}, number FROM turns"
INSERT = f"INSERT INTO turns ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))})"
_JSON = ("groups", "heard", "evidence", "citations", "passages", "models", "settings", "timings")

SHORTEST_PREFIX = 6
LONGEST_ID = 64


def to_row(turn: Turn, derived: tuple[Message, ...] | None) -> tuple[Any, ...]:
    """:param derived: What the stored conversation says; the same history is not stored again."""
    values = asdict(turn)
    values["history"] = None if turn.history == derived else json.dumps(values["history"])
    values |= {name: json.dumps(values[name]) for name in _JSON}
    return tuple(values[name] for name in _COLUMNS)


def to_turn(database: sqlite3.Connection, row: tuple[Any, ...]) -> Turn:
    values = dict(zip(_COLUMNS, row, strict=False))
    values |= {name: json.loads(values[name]) for name in _JSON}
    if values["history"] is None:
        values["history"] = history(database, values["conversation_id"], before=row[-1])
    else:
        values["history"] = tuple(Message(**line) for line in json.loads(values["history"]))
    values["groups"] = tuple(values["groups"])
    values["heard"] = Heard(**values["heard"]) if values["heard"] else None
    values["citations"] = tuple(Citation(**_placed(citation)) for citation in values["citations"])
    values["passages"] = tuple(UsedPassage(**_placed(passage)) for passage in values["passages"])
    values["models"] = {part: UsedModel(**model) for part, model in values["models"].items()}
    values["timings"] = Timings(**values["timings"])
    return Turn(**values)


def history(
    database: sqlite3.Connection, conversation_id: str | None, before: int | None = None
) -> tuple[Message, ...]:
    """What was said in a conversation, oldest first; an answer of which nothing was heard is no line of it.

    :param before: Number of the turn that the lines lead up to; None for all of them.
    """
    sql = "SELECT question, answer FROM turns WHERE conversation_id = ? AND outcome != 'no_speech'"
    arguments: list[Any] = [conversation_id]
    if before is not None:
        sql, arguments = f"{sql} AND number < ?", [*arguments, before]
    lines = database.execute(f"{sql} ORDER BY number", arguments)
    said = (line for question, answer in lines for line in (Message("user", question), Message("agent", answer)))
    return tuple(line for line in said if line.text)


def full_id(database: sqlite3.Connection, column: str, prefix: str, what: str, person: str | None = None) -> str:
    """The one identifier that begins so, or that is so.

    :param column: `turn_id` or `conversation_id`.
    :param person: Look among this one's only; None for everybody's.
    :raises UsageError: when there is none, or more than one, or too little is given.
    """
    if len(prefix) < SHORTEST_PREFIX:
        raise UsageError(f"Give at least {SHORTEST_PREFIX} characters of the {what}, not {prefix!r}.")
    sql = f"SELECT DISTINCT {column} FROM turns WHERE substr({column}, 1, ?) = ?"
    arguments: list[Any] = [len(prefix), prefix]
    if person is not None:
        sql, arguments = f"{sql} AND person = ?", [*arguments, person]
    found = [row[0] for row in database.execute(f"{sql} ORDER BY 1 LIMIT 2", arguments)]
    if not found:
        raise UsageError(f"There is no {what} {prefix!r}. See: ragvoice {what}s list")
    if len(found) > 1 and found[0] != prefix:
        raise UsageError(f"More than one {what} begins with {prefix!r}; give more characters.")
    return str(found[0])


def _placed(values: dict[str, Any]) -> dict[str, Any]:
    return {**values, "place": Place(**values["place"]) if values["place"] else None}
