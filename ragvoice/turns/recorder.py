"""Puts finished turns into the log. It never costs the answer."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence

from ragvoice.datatypes import Answer, Message, Style
from ragvoice.turns.database import DamagedTurnLog
from ragvoice.turns.log import TurnLog
from ragvoice.turns.records import Circumstances, turn_of

_log = logging.getLogger(__name__)


class Recorder:
    """Of one process: models and settings are looked at once for each adapter that comes into service."""

    def __init__(
        self,
        log: TurnLog,
        circumstances: Callable[[], Circumstances],
        index_id: Callable[[str], str],
        *,
        keep: bool = True,
    ):
        """
        :param index_id: Generation -> what identifies its content.
        :param keep: False keeps no turn; what is older than it may become is deleted all the same.
        """
        self._log = log
        self._find_circumstances = circumstances
        self._index_id = index_id
        self.keeps = keep
        self._looked_at = dict[str | None, Circumstances]()
        """By the adapter that answers name."""

    def record(
        self,
        answer: Answer,
        *,
        person: str = "",
        groups: Iterable[str] = (),
        style: Style = "spoken",
        history: Sequence[Message] = (),
        conversation_id: str | None = None,
    ) -> bool:
        """:returns: Whether the turn is in the log now; a failure is one warning."""
        try:
            if not self.keeps:
                self._log.prune()
                return False
            turn = turn_of(
                answer,
                self._circumstances(answer.models.adapter),
                self._index_id(answer.index_generation),
                self._log.now(),
                person=person,
                groups=groups,
                style=style,
                history=history,
                conversation_id=conversation_id,
            )
            try:
                self._log.add(turn)
            except DamagedTurnLog as error:
                _log.warning("%s", error)
                self._log.add(turn)
        except Exception as error:  # whatever it is: the person has the answer
            _log.warning("This turn is not logged: %s", error)
            return False
        return True

    def _circumstances(self, adapter: str | None) -> Circumstances:
        if adapter not in self._looked_at:
            self._looked_at[adapter] = self._find_circumstances()
        return self._looked_at[adapter]
