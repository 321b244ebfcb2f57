"""A voice loop that hears and says what the test tells it to."""

from __future__ import annotations

import queue
from collections.abc import Iterator

import numpy as np

from ragvoice.datatypes import Answer, AudioChunk, Citation, Passage, Transcription
from ragvoice.errors import AudioError
from ragvoice.server.session import Session
from ragvoice.server.tickets import Admitted
from ragvoice.voice.events import VoiceEvent
from ragvoice.voicebot import Found, Heard, Said

PASSAGE = Passage("d1", "hr/leave.md", "Leave", "Leave > Annual", 3, None, "You get 25 days of leave.", 0, 0.9)
CITATION = Citation("d1", "hr/leave.md", "Leave", "Leave > Annual", 3, None, "You get 25 days of leave.", 0)
HALF_SECOND = AudioChunk(np.full(11_025, 0.5, np.float32), 22_050)
ANSWER = Answer(
    "turn1", "How much leave?", "How much leave?", "answered", "You get 25 days.", 0.8, (CITATION,), (PASSAGE,)
)
TURN: tuple[VoiceEvent, ...] = (
    Heard(Transcription("How much leave?", "en", 2.0)),
    Found("How much leave?", (PASSAGE,)),
    Said("You get 25 days.", CITATION, HALF_SECOND),
    Said("A year.", None, HALF_SECOND),
    ANSWER,
)


class FakeLoop:
    def __init__(self, admitted: Admitted, session: Session, *, full: bool = False):
        self.admitted, self.session, self.full = admitted, session, full
        self.heard: list[AudioChunk] = []
        self.calls: list[tuple[str, object]] = []
        self.when_interrupted: tuple[VoiceEvent, ...] = ()
        self.outbox: queue.SimpleQueue[VoiceEvent | None] = queue.SimpleQueue()

    def tell(self, *events: VoiceEvent) -> None:
        for event in events:
            self.outbox.put(event)

    def hear(self, chunk: AudioChunk) -> float:
        if self.full:
            raise AudioError("120 s of sound are waiting to be recognised; send sound no faster than it is spoken.")
        self.heard.append(chunk)
        self.calls.append(("hear", chunk.sample_rate_hz))
        return 0.0

    def say(self, text: str) -> None:
        self.calls.append(("say", text))
        self.tell(*TURN[1:])

    def interrupt(self, heard_s: float | None = None) -> None:
        self.calls.append(("interrupt", heard_s))
        self.tell(*self.when_interrupted)

    def played(self, seconds: float) -> None:
        self.calls.append(("played", seconds))

    def commit(self) -> None:
        self.calls.append(("commit", None))
        self.tell(*TURN)

    def respond(self) -> None:
        self.calls.append(("respond", None))
        if not self.session.responds:
            self.tell(*TURN[1:])

    def clear(self) -> None:
        self.calls.append(("clear", None))

    def events(self) -> Iterator[VoiceEvent]:
        while (event := self.outbox.get()) is not None:
            yield event

    def close(self) -> None:
        self.calls.append(("close", None))
        self.outbox.put(None)
