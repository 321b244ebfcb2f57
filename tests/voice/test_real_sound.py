"""The loop with the real detector and recogniser: recordings of the sample company, and sounds that are no speech."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from ragvoice.build import build_speech_to_text
from ragvoice.datatypes import AudioChunk, Transcription
from ragvoice.settings import Settings
from ragvoice.speech.audio import decode
from ragvoice.speech.protocols import SpeechToText
from ragvoice.voice.events import Failed, NothingHeard, Partial, SpeechEnded, SpeechStarted, TurnEvent, VoiceEvent
from ragvoice.voice.loop import VoiceLoop
from ragvoice.voice.messages import Question
from ragvoice.voicebot import Heard

RECORDINGS = Path(__file__).resolve().parents[2] / "data" / "recordings"
FRAME = 320
"""20 ms at 16 kHz."""


@pytest.fixture(scope="module")
def recogniser(settings: Settings) -> SpeechToText:
    return build_speech_to_text(settings)


def repeats(question: Question) -> Iterator[TurnEvent]:
    assert isinstance(question, Transcription)
    yield Heard(question)


def told(recogniser: SpeechToText, samples_t: NDArray[np.float32], *, commit: bool = False) -> list[VoiceEvent]:
    """Everything up to the words, or to what comes instead."""
    loop = VoiceLoop(repeats, recogniser)
    sound_t = np.concatenate([np.zeros(8_000, np.float32), samples_t, np.zeros(0 if commit else 32_000, np.float32)])
    for start in range(0, len(sound_t), FRAME):
        loop.hear(AudioChunk(sound_t[start : start + FRAME], 16_000))
    if commit:
        loop.commit()
    seen: list[VoiceEvent] = []
    for event in loop.events():
        seen.append(event)
        if isinstance(event, Heard | NothingHeard | Failed):
            break
    loop.close()
    return seen


def test_a_live_question_has_the_words_of_its_recording(recogniser: SpeechToText) -> None:
    recording = decode(RECORDINGS / "tf-011-kal.flac")

    seen = told(recogniser, recording.samples_t)

    heard = seen[-1]
    assert isinstance(heard, Heard)
    assert heard.transcription.text == recogniser.transcribe(recording).text
    kinds = [type(event) for event in seen]
    assert kinds[0] is SpeechStarted
    assert Partial in kinds
    assert SpeechEnded in kinds


@pytest.mark.parametrize("kind", ["silence", "noise", "clicks", "music"])
def test_no_words_are_invented_for(recogniser: SpeechToText, kind: str) -> None:
    rng = np.random.default_rng(0)
    times_t = np.arange(3 * 16_000) / 16_000
    clicks_t = np.zeros(3 * 16_000)
    clicks_t[::2_000] = 1.0
    chord_t = sum(np.sin(2 * np.pi * hertz * times_t) for hertz in (262, 330, 392)) * (1 - times_t % 0.5)
    samples_t = {
        "silence": np.zeros(3 * 16_000),
        "noise": rng.normal(0, 0.1, 3 * 16_000),
        "clicks": np.convolve(clicks_t, rng.normal(0, 0.3, 160))[: 3 * 16_000],
        "music": 0.2 * np.asarray(chord_t),
    }[kind]

    assert told(recogniser, samples_t.astype(np.float32), commit=True)[-1] == NothingHeard()
