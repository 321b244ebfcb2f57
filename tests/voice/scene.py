"""A conversation without sound: the detector reads each window's probability off its samples, answers are scripted."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from ragvoice.datatypes import Answer, AudioChunk, Transcription
from ragvoice.errors import RagVoiceError
from ragvoice.speech.vad import WINDOW
from ragvoice.voice.dialogue import Dialogue
from ragvoice.voice.events import TurnEvent, VoiceEvent
from ragvoice.voice.messages import (
    Action,
    Emit,
    Input,
    LoopOptions,
    Recognise,
    Recognised,
    Sound,
    StartTurn,
    TurnEnded,
    TurnYielded,
)
from ragvoice.voicebot import Said

WINDOW_S = 0.032
Done = TypeVar("Done", bound=Action)


class ReadsSamples:
    """A window's probability is its first sample."""

    def __init__(self) -> None:
        self._rest_t = np.zeros(0, np.float32)

    def feed(self, frame: AudioChunk) -> list[tuple[NDArray[np.float32], float]]:
        samples_t = np.concatenate([self._rest_t, frame.samples_t])
        count = len(samples_t) // WINDOW
        self._rest_t = samples_t[count * WINDOW :]
        return [(w, float(w[0])) for w in samples_t[: count * WINDOW].reshape(-1, WINDOW)]


def level(probability: float, seconds: float) -> AudioChunk:
    """Whole windows of that probability, at least `seconds` of them."""
    return AudioChunk(np.full(int(np.ceil(seconds / WINDOW_S - 1e-9)) * WINDOW, probability, np.float32), 16_000)


def words(text: str, duration_s: float = 1.0) -> Transcription:
    return Transcription(text, "en", duration_s, confidence=0.9)


def said(text: str, seconds: float) -> Said:
    return Said(text, None, AudioChunk(np.zeros(int(seconds * 1000), np.float32), 1000))


def answer(text: str, turn_id: str = "t1") -> Answer:
    return Answer(turn_id, "?", "?", "answered", text, 1.0)


class Scene:
    """Time goes on with the sound, and by `wait`."""

    def __init__(self, options: LoopOptions | None = None):
        self.dialogue = Dialogue(ReadsSamples(), options)
        self.now = 0.0
        self.actions: list[Action] = []

    def give(self, given: Input) -> list[Action]:
        new = self.dialogue.step(given, self.now)
        self.actions += new
        return new

    def speak(self, seconds: float, probability: float = 1.0) -> list[Action]:
        new: list[Action] = []
        for window_t in level(probability, seconds).samples_t.reshape(-1, WINDOW):
            self.now += WINDOW_S
            new += self.give(Sound(AudioChunk(window_t, 16_000)))
        return new

    def silence(self, seconds: float) -> list[Action]:
        return self.speak(seconds, 0.0)

    def recognise(self, text: str) -> list[Action]:
        """The newest job is done."""
        job = self.last(Recognise)
        return self.give(Recognised(job.job, words(text, job.sound.duration_s)))

    def recognition_fails(self, error: RagVoiceError) -> list[Action]:
        return self.give(Recognised(self.last(Recognise).job, error))

    def answer(self, *events: TurnEvent, ends: bool = False) -> list[Action]:
        """The newest turn yields."""
        turn = self.last(StartTurn).turn
        new = [action for event in events for action in self.give(TurnYielded(turn, event))]
        return new + (self.give(TurnEnded(turn)) if ends else [])

    def last(self, kind: type[Done]) -> Done:
        return next(action for action in reversed(self.actions) if isinstance(action, kind))

    def kinds(self) -> list[type]:
        return [type(action) for action in self.actions]


def events(actions: list[Action]) -> list[VoiceEvent]:
    return [action.event for action in actions if isinstance(action, Emit)]
