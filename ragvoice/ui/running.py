"""A turn that goes on while the page is drawn, and that can be stopped."""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Callable, Generator, Iterator

from ragvoice.datatypes import Draft
from ragvoice.desk_turns import Event
from ragvoice.fair_queue import Waiting

_log = logging.getLogger(__name__)


class RunningTurn:
    """Reads the events of one turn in a thread of its own."""

    def __init__(self, question: str, ask: Callable[[], Iterator[Event]]):
        """
        :param question: As typed; empty for a spoken one.
        :param ask: Begins the turn; its errors end up in `error`.
        """
        self.id = uuid.uuid4().hex
        """Of this attempt; the turn's own is known at its end."""
        self.question = question
        self.error: BaseException | None = None
        self._events: list[Event] = []
        self._ahead = 0
        self._drafts: dict[int, str] = {}
        self._stopped = False
        self._thread = threading.Thread(target=self._read, args=(ask,), name="page turn", daemon=True)
        self._thread.start()

    @property
    def events(self) -> tuple[Event, ...]:
        """So far, without `Waiting`, and of the drafts the refused ones."""
        return tuple(self._events)

    def draft(self, after: int) -> str:
        """What was written after so many events, before it was checked; empty for nothing."""
        return self._drafts.get(after, "")

    @property
    def ahead(self) -> int:
        """Turns that run or come first; 0 once this one has begun."""
        return self._ahead

    @property
    def finished(self) -> bool:
        return self._stopped or not self._thread.is_alive()

    @property
    def stopped(self) -> bool:
        return self._stopped

    @property
    def version(self) -> tuple[int, int, bool]:
        """Another one as soon as there is something new to show."""
        return self._ahead, len(self._events), self.finished

    def stop(self) -> None:
        """Returns at once; the turn is cancelled at its next event, and none of that is shown any more."""
        self._stopped = self._thread.is_alive()

    def wait(self, timeout_s: float) -> None:
        """Until it has ended, or so long."""
        self._thread.join(timeout_s)

    def _read(self, ask: Callable[[], Iterator[Event]]) -> None:
        try:
            turn = ask()
            try:
                for event in turn:
                    if self._stopped:
                        break
                    self._take(event)
            finally:
                if isinstance(turn, Generator):
                    turn.close()
        except Exception as error:
            self.error = error
            _log.warning("A turn has ended with an error: %s", error, exc_info=True)

    def _take(self, event: Event) -> None:
        if isinstance(event, Waiting):
            self._ahead = event.ahead
        elif isinstance(event, Draft) and not event.refused:
            self._drafts[len(self._events)] = event.text
        else:
            self._ahead = 0
            self._events.append(event)
