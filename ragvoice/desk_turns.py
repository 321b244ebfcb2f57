"""A turn on its way to somebody: the log gets what they have heard of it. Part of `Desk`."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace

from ragvoice.datatypes import Answer, Citation
from ragvoice.errors import TurnLogError
from ragvoice.fair_queue import Waiting
from ragvoice.voice.events import Interrupted
from ragvoice.voice.messages import Question
from ragvoice.voicebot import Event as BotEvent
from ragvoice.voicebot import Found, Said

Event = Waiting | BotEvent

_log = logging.getLogger(__name__)


class FollowedTurn:
    """Of the two threads that may call, one reads `follow` and the other says `interrupted`."""

    def __init__(self, record: Callable[[Answer], object], *, closed_is_heard: bool):
        """
        :param record: Puts a turn into the log.
        :param closed_is_heard: Of a turn that is closed half-way all that was handed out counts as heard. Without it
            the turn counts as never asked, unless `interrupted` has said how much was heard.
        """
        self._record = record
        self._closed_is_heard = closed_is_heard
        self._lock = threading.Lock()
        self._logged: str | None = None
        self._heard: str | None = None
        self._withdrawn = False

    def follow(self, events: Generator[Event]) -> Generator[Event]:
        """The same events; the turn is in the log before its `Answer` is handed on."""
        begun: Answer | None = None
        said: list[Said] = []
        try:
            for event in events:
                match event:
                    case Found():
                        begun = event.begun
                    case Said():
                        said.append(event)
                    case Answer():
                        self._finish(event)
                        begun = None
                yield event
        except GeneratorExit:
            if begun is not None:
                self._stop(begun, said)
            raise
        finally:
            events.close()

    def interrupted(self, heard: str | None) -> str | None:
        """:param heard: Of the answer, which is being written; None: the turn counts as never asked.
        :returns: The turn_id if the turn is in the log already.
        """
        with self._lock:
            self._heard, self._withdrawn = heard, heard is None
            return self._logged

    def _finish(self, answer: Answer) -> None:
        with self._lock:
            if not self._withdrawn:
                self._record(answer if self._heard is None else replace(answer, answer=self._heard))
                self._logged = answer.turn_id

    def _stop(self, begun: Answer, said: Sequence[Said]) -> None:
        with self._lock:
            if not self._withdrawn and (self._heard is not None or self._closed_is_heard):
                self._record(cut_short(begun, said, self._heard))
                self._logged = begun.turn_id


class SpokenTurns:
    """The turns of one voice loop, one after another: what it asks with, and whom it tells of interruptions."""

    def __init__(
        self,
        begin: Callable[[Question], tuple[FollowedTurn, Generator[Event]]],
        shorten: Callable[[str, str], object],
        withdraw: Callable[[str], object],
    ):
        """
        :param begin: Question -> its turn, and the events to follow.
        :param shorten: Makes of the logged turn with this turn_id one with this answer.
        :param withdraw: Takes the turn with this turn_id out of the log.
        """
        self._begin = begin
        self._shorten = shorten
        self._withdraw = withdraw
        self._current: FollowedTurn | None = None

    def ask(self, question: Question) -> Iterator[Event]:
        self._current, events = self._begin(question)
        return self._current.follow(events)

    def interrupted(self, event: Interrupted) -> None:
        """A log that cannot be written costs nothing but its correction."""
        try:
            self._correct(event)
        except TurnLogError as error:
            _log.warning("An interrupted turn stays as it was logged: %s", error)

    def _correct(self, event: Interrupted) -> None:
        if event.turn_id is not None:
            if event.continues:
                self._withdraw(event.turn_id)
            else:
                self._shorten(event.turn_id, event.heard_text)
        elif self._current is not None:
            logged = self._current.interrupted(None if event.continues else event.heard_text)
            # Finished in the meantime. Without a word heard it may as well be an earlier one, long since told.
            if logged is not None and event.heard_text:
                self._shorten(logged, event.heard_text)


@dataclass(frozen=True)
class _Kept:
    person: str
    conversation_id: str
    answer: Answer
    until: float
    """On the monotonic clock."""


class Unlogged:
    """Answers of the live voice that are in no log, for the page that shows them: each for minutes, in memory only."""

    def __init__(self, keep: int = 100, keep_s: float = 120.0):
        """:param keep_s: For longer than an answer is spoken: until then it may be interrupted."""
        self._keep = keep
        self._keep_s = keep_s
        self._kept = dict[str, _Kept]()
        """By turn_id, oldest first."""
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None

    def add(self, person: str, conversation_id: str, answer: Answer) -> None:
        with self._lock:
            self._kept[answer.turn_id] = _Kept(person, conversation_id, answer, time.monotonic() + self._keep_s)
            while len(self._kept) > self._keep:
                del self._kept[next(iter(self._kept))]
            self._forget_in_time()

    def of(self, person: str, conversation_id: str) -> list[Answer]:
        """Oldest first."""
        now = time.monotonic()
        with self._lock:
            kept = [one for one in self._kept.values() if one.until > now]
        return [one.answer for one in kept if (one.person, one.conversation_id) == (person, conversation_id)]

    def shorten(self, turn_id: str, heard: str) -> None:
        """As `TurnLog.shorten`."""
        with self._lock:
            kept = self._kept.get(turn_id)
            if kept and kept.answer.answer.strip() != heard.strip():
                self._kept[turn_id] = replace(kept, answer=replace(kept.answer, answer=heard, confidence=0.0))

    def withdraw(self, turn_id: str) -> None:
        with self._lock:
            self._kept.pop(turn_id, None)

    def forget(self, person: str) -> None:
        with self._lock:
            self._kept = {turn_id: one for turn_id, one in self._kept.items() if one.person != person}

    def _forget_in_time(self) -> None:
        """Nobody may ever look again."""
        if self._kept and self._timer is None:
            first = min(one.until for one in self._kept.values())
            self._timer = threading.Timer(max(0.0, first - time.monotonic()), self._forget_old)
            self._timer.daemon = True
            self._timer.start()

    def _forget_old(self) -> None:
        now = time.monotonic()
        with self._lock:
            self._kept = {turn_id: one for turn_id, one in self._kept.items() if one.until > now}
            self._timer = None
            self._forget_in_time()


def cut_short(begun: Answer, said: Sequence[Said], heard: str | None = None) -> Answer:
    """An answer that was interrupted. Its confidence, which is known at the end only, is 0.

    :param begun: From `Found`.
    :param heard: What of it was heard; None is all that was said.
    """
    citations: dict[Citation, None] = dict.fromkeys(one.citation for one in said if one.citation is not None)
    answer = " ".join(one.text.strip() for one in said if one.text) if heard is None else heard
    return replace(begun, answer=answer, citations=tuple(citations))
