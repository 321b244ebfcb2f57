"""Stored conversations: the logged turns that share a conversation_id. One object shows one person's only."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from ragvoice.datatypes import Message
from ragvoice.errors import UsageError
from ragvoice.turns import rows
from ragvoice.turns.log import Selection, TurnLog
from ragvoice.turns.records import Turn


@dataclass(frozen=True)
class Conversation:
    conversation_id: str
    began: str
    """ISO 8601, UTC."""
    latest: str
    turns: int
    first_question: str


class Conversations:
    """A conversation of somebody else is, to every method, not there."""

    def __init__(self, log: TurnLog, person: str):
        self._log = log
        self._person = person

    def list(self) -> list[Conversation]:
        """The one with the latest turn first."""
        with self._log.opened() as database:
            found = database.execute(
                "SELECT t.conversation_id, min(t.asked_at), max(t.asked_at), count(*), (SELECT question FROM turns f "
                "WHERE f.conversation_id = t.conversation_id AND f.question != '' ORDER BY number LIMIT 1) "
                "FROM turns t WHERE person = ? AND conversation_id IS NOT NULL GROUP BY 1 ORDER BY max(t.number) DESC",
                (self._person,),
            ).fetchall()
        return [Conversation(id_, began, latest, turns, first or "") for id_, began, latest, turns, first in found]

    def resolve(self, name: str) -> str:
        """The whole identifier. :param name: The beginning of it, `last`, or `new`.

        :raises UsageError: when this person has no such conversation.
        """
        if name == "new":
            return uuid.uuid4().hex
        if name == "last":
            found = self.list()
            if not found:
                raise UsageError("There is no conversation yet. Begin one with: ragvoice ask --conversation new ...")
            return found[0].conversation_id
        with self._log.opened() as database:
            return rows.full_id(database, "conversation_id", name, "conversation", self._person)

    def history(self, name: str) -> tuple[Message, ...]:
        """What was said, oldest first. :raises UsageError: as `resolve`."""
        whole = self.resolve(name)
        with self._log.opened() as database:
            return rows.history(database, whole)

    def said_in(self, conversation_id: str) -> tuple[Message, ...]:
        """The same by the whole identifier, which may be a new one.

        :raises UsageError: when it is somebody else's, or a new one by which it could not be found later.
        """
        with self._log.opened() as database:
            owners = database.execute(
                "SELECT DISTINCT person FROM turns WHERE conversation_id = ?", (conversation_id,)
            ).fetchall()
            if any(owner != self._person for (owner,) in owners):
                raise UsageError(f"There is no conversation {conversation_id!r} of {self._person!r}.")
            if not owners and not rows.SHORTEST_PREFIX <= len(conversation_id) <= rows.LONGEST_ID:
                raise UsageError(
                    f"The name of a new conversation has {rows.SHORTEST_PREFIX} to {rows.LONGEST_ID} characters, "
                    f"unlike {conversation_id!r:.80}."
                )
            return rows.history(database, conversation_id)

    def turns(self, name: str) -> tuple[Turn, ...]:
        """Oldest first. :raises UsageError: as `resolve`."""
        return tuple(reversed(self._log.find(self._selection(name))))

    def delete(self, name: str) -> int:
        """:returns: How many turns there were. :raises UsageError: as `resolve`."""
        return self._log.forget(self._selection(name))

    def _selection(self, name: str) -> Selection:
        return Selection(person=self._person, conversation_id=self.resolve(name))
