"""While nobody asks, the model reads the documents, so that an answer about any passage begins at once."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable
from threading import Event, get_native_id

from ragvoice.errors import RagVoiceError
from ragvoice.generation.answering import Answering
from ragvoice.retrieval.index import DocumentIndex

_log = logging.getLogger(__name__)
_LAST = 19
"""The lowest priority."""
PAUSE_S = 0.5
"""Before it looks again whether nobody asks, or whether the documents are others."""
AGAIN_S = 30
"""After an index or a model that failed."""


class IdleReading:
    """Of all passages, where the model keeps them all (`kept_tokens`): of a larger collection it would read what nobody
    asks about, and there the ones that were asked about are kept anyway."""

    def __init__(
        self, index: Callable[[], DocumentIndex], answering: Callable[[], Answering], nobody_asks: Callable[[], bool]
    ):
        """
        :param index: The newest generation.
        :param answering: With the adapter in service.
        :param nobody_asks: Asked between two layers of the model; at a no, reading stops at once.
        """
        self._index = index
        self._answering = answering
        self._nobody_asks = nobody_asks

    def run(self, stopped: Event) -> None:
        """Until it is stopped: reads, and reads again when the documents or the adapter have changed.

        For a thread of its own, which gets the lowest priority.
        """
        _step_back()
        read: tuple[DocumentIndex, Answering] | None = None
        said = ""
        while not stopped.wait(PAUSE_S):
            try:
                newest = self._index(), self._answering()
                if newest != read:
                    read = None  # an adapter that is no longer in service is not kept in memory
                    if not fits(*newest) or self._read(*newest, stopped):
                        read = newest
            except RagVoiceError as error:  # it only saves time; a question will say what is wrong
                if str(error) != said:
                    _log.warning("The documents are not read ahead: %s", said := str(error))
                stopped.wait(AGAIN_S)

    def _read(self, index: DocumentIndex, answering: Answering, stopped: Event) -> bool:
        """False when it was stopped, or there is something newer to read."""
        for passage in index.every_passage():
            while not answering.read_ahead(passage, wanted=self._nobody_asks):
                if stopped.wait(PAUSE_S) or (self._index(), self._answering()) != (index, answering):
                    return False
        return True


def _step_back() -> None:
    """This thread, and those that torch starts for it, run when no other wants to."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, get_native_id(), _LAST)


def fits(index: DocumentIndex, answering: Answering) -> bool:
    """Whether the model keeps all passages of the index."""
    room = answering.kept_tokens
    if not room:
        return False
    for passage in index.every_passage():
        room -= answering.tokens(passage)
        if room < 0:
            return False
    return True
