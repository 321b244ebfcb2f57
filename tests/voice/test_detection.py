"""The live detector and the one for recordings are the same: the real network on a recording of the sample company."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from ragvoice.datatypes import AudioChunk
from ragvoice.speech.audio import decode, resample
from ragvoice.speech.vad import WINDOW, speech_probabilities
from ragvoice.voice.detection import SpeechDetector
from ragvoice.voice.endpointing import Endpointer
from ragvoice.voice.events import SpeechEnded, SpeechStarted

RECORDING = next((Path(__file__).resolve().parents[2] / "data" / "recordings").glob("tf-011-*.flac"))


@pytest.fixture(scope="module")
def recording() -> AudioChunk:
    return decode(RECORDING)


def streamed(samples: NDArray[np.float32], rate_hz: int, frame: int) -> list[float]:
    detector = SpeechDetector()
    frames = [AudioChunk(samples[start : start + frame], rate_hz) for start in range(0, len(samples), frame)]
    return [probability for each in frames for _, probability in detector.feed(each)]


@pytest.mark.parametrize("frame", [320, 441, 5000])
def test_a_stream_of_any_frames_gets_the_probabilities_of_the_whole(recording: AudioChunk, frame: int) -> None:
    whole_w = speech_probabilities(recording)[: len(recording.samples_t) // WINDOW]

    assert streamed(recording.samples_t, 16_000, frame) == pytest.approx(whole_w.tolist(), abs=1e-6)


def test_windows_are_the_samples_themselves(recording: AudioChunk) -> None:
    detector = SpeechDetector()
    windows = [
        w for s in range(0, 9_999, 333) for w, _ in detector.feed(AudioChunk(recording.samples_t[s : s + 333], 16_000))
    ]

    assert np.array_equal(np.concatenate(windows), recording.samples_t[: len(windows) * WINDOW])


def turn_of(probabilities: list[float]) -> tuple[float, float]:
    endpointer = Endpointer()
    found = [endpointer.step(p, end_after_s=0.6) for p in [*probabilities, *[0.0] * 30]]
    (start,) = [e.at_s for e in found if isinstance(e, SpeechStarted)]
    (end,) = [e.at_s for e in found if isinstance(e, SpeechEnded)]
    return start, end


@pytest.mark.parametrize(("rate_hz", "channels"), [(8_000, 1), (8_000, 2), (48_000, 2), (44_100, 1)])
def test_a_telephone_and_a_stereo_microphone_find_the_same_turn(
    recording: AudioChunk, rate_hz: int, channels: int
) -> None:
    mono = resample(recording, rate_hz).samples_t
    sound = mono if channels == 1 else np.stack([mono, mono], axis=1)

    assert turn_of(streamed(sound, rate_hz, rate_hz // 50)) == pytest.approx(
        turn_of(speech_probabilities(recording).tolist()), abs=0.1
    )
