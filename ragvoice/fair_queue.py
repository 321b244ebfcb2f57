"""Turns of many people on one machine, one after another: next is who was served least recently."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass

from ragvoice.errors import BusyError


@dataclass(frozen=True)
class Waiting:
    """Others are served first."""

    ahead: int
    """Turns that are running or begin before; 0 when the wait is over."""


class FairQueue:
    """For any thread. Somebody who asks ten things at once waits for each of the others between two of them."""

    def __init__(self, slots: int = 1, longest: int = 16):
        """:param slots: Turns that run at the same time, each of another person.
        :param longest: Turns that may wait; one person's may take half of the places.
        """
        self._slots = slots
        self._longest = longest
        self._changed = threading.Condition()
        self._waiting: list[Place] = []
        self._running: list[Place] = []
        self._entered = 0
        self._begun = 0
        self._last_begun: dict[str, int] = {}
        """By person: the number of their latest turn, in the order in which turns have begun."""

    def enter(self, person: str) -> Place:
        """Take the last place. Give it back with `leave`, or use it in a `with`.

        :raises BusyError: when too many wait.
        """
        with self._changed:
            own = sum(place.person == person for place in self._waiting)
            if len(self._waiting) >= self._longest or own >= max(1, self._longest // 2):
                raise BusyError(
                    f"{len(self._waiting)} questions are waiting for an answer already. Please ask again in a moment."
                )
            self._entered += 1
            place = Place(self, person, self._entered)
            self._waiting.append(place)
            self._advance()
            return place

    @property
    def length(self) -> int:
        """Turns that run or wait."""
        with self._changed:
            return len(self._running) + len(self._waiting)

    def _ahead(self, place: Place, timeout_s: float) -> int | None:
        """None when the place is served; waits so long for it."""
        with self._changed:
            self._changed.wait_for(lambda: place not in self._waiting, timeout_s)
            if place not in self._waiting:
                return None
            waiting, last, begun = list(self._waiting), dict(self._last_begun), self._begun
            while (first := _next(waiting, last)) is not place:
                waiting.remove(first)
                begun += 1
                last[first.person] = begun
            return len(self._running) + len(self._waiting) - len(waiting)

    def _leave(self, place: Place) -> None:
        with self._changed:
            for line in (self._waiting, self._running):
                if place in line:
                    line.remove(place)
            self._advance()

    def _advance(self) -> None:
        """Begin what may begin; with the lock held."""
        if not self._running and not self._waiting:
            self._last_begun.clear()
        while len(self._running) < self._slots:
            busy = {place.person for place in self._running}
            free = [place for place in self._waiting if place.person not in busy]
            if not free:
                break
            place = _next(free, self._last_begun)
            self._waiting.remove(place)
            self._running.append(place)
            self._begun += 1
            self._last_begun[place.person] = self._begun
        self._changed.notify_all()


class Place:
    """Of one turn in the queue, made by `FairQueue.enter`."""

    def __init__(self, queue: FairQueue, person: str, number: int):
        self.person = person
        self.number = number
        self._queue = queue

    def waiting(self, every_s: float = 0.5) -> Iterator[Waiting]:
        """Nothing if it is this one's turn, else what is ahead, again and again until it is, and 0 at the end.

        :param every_s: Seconds between two events, so that who waits can give up in between.
        """
        timeout_s = 0.0
        while (ahead := self._queue._ahead(self, timeout_s)) is not None:
            yield Waiting(ahead)
            timeout_s = every_s
        if timeout_s:
            yield Waiting(0)

    def leave(self) -> None:
        """The turn is over or given up; more than once does no harm."""
        self._queue._leave(self)

    def __enter__(self) -> Place:
        return self

    def __exit__(self, *_: object) -> None:
        self.leave()


def _next(waiting: list[Place], last_begun: dict[str, int]) -> Place:
    return min(waiting, key=lambda place: (last_begun.get(place.person, 0), place.number))
