"""A turn on its way to somebody: the log gets what they have heard of it. Part of `Desk`."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Sequence
from dataclasses import replace

from ragvoice.datatypes import Answer, Citation
from ragvoice.fair_queue import Waiting
from ragvoice.voicebot import Event as BotEvent
from ragvoice.voicebot import Found, Said

Event = Waiting | BotEvent


class FollowedTurn:
    """Of the two threads that may call, one reads `follow` and the other says `interrupted`."""

    def __init__(
        self, record: Callable[[Answer], object], shorten: Callable[[str, str], object], *, closed_is_heard: bool
    ):
        """
        :param record: Puts a turn into the log.
        :param shorten: Makes of the logged turn with this turn_id one with this answer.
        :param closed_is_heard: Of a turn that is closed half-way all that was handed out counts as heard. Without it
            the turn counts as never asked, unless `interrupted` has said how much was heard.
        """
        self._record = record
        self._shorten = shorten
        self._closed_is_heard = closed_is_heard
        self._lock = threading.Lock()
        self._logged: str | None = None
        self._heard: str | None = None

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

    def interrupted(self, heard: str) -> None:
        """:param heard: Of the answer, whether it is finished, being written or about to be closed."""
        with self._lock:
            self._heard = heard
            if self._logged is not None:
                self._shorten(self._logged, heard)

    def _finish(self, answer: Answer) -> None:
        with self._lock:
            self._record(answer if self._heard is None else replace(answer, answer=self._heard))
            self._logged = answer.turn_id

    def _stop(self, begun: Answer, said: Sequence[Said]) -> None:
        with self._lock:
            if self._heard is not None or self._closed_is_heard:
                self._record(cut_short(begun, said, self._heard))
                self._logged = begun.turn_id


def cut_short(begun: Answer, said: Sequence[Said], heard: str | None = None) -> Answer:
    """An answer that was interrupted. Its confidence, which is known at the end only, is 0.

    :param begun: From `Found`.
    :param heard: What of it was heard; None is all that was said.
    """
    citations: dict[Citation, None] = dict.fromkeys(one.citation for one in said if one.citation is not None)
    answer = " ".join(one.text.strip() for one in said) if heard is None else heard
    return replace(begun, answer=answer, citations=tuple(citations))
