"""Real voices, mixed: one from the loudspeaker, with delay and a room, and another in front of the microphone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from ragvoice.datatypes import AudioChunk
from ragvoice.speech.audio import decode
from ragvoice.voice.echo import EchoGuard, best_correlation

RECORDINGS = Path(__file__).resolve().parents[2] / "data" / "recordings"
WINDOW = 512


def voice(name: str) -> NDArray[np.float32]:
    samples_t = decode(next(RECORDINGS.glob(name))).samples_t
    return samples_t / np.sqrt(np.mean(np.square(samples_t)))


def in_a_room(samples_t: NDArray[np.float32], delay_s: float, gain: float) -> NDArray[np.float32]:
    """Later, softer, with reflections that die away within a tenth of a second."""
    taps = np.random.default_rng(0).normal(0, 1, 1600) * np.exp(-np.arange(1600) / 250) * 0.05
    taps[0] = 1.0
    delayed_t = np.concatenate([np.zeros(int(delay_s * 16_000)), samples_t])
    return (gain * np.convolve(delayed_t, taps)[: len(samples_t)]).astype(np.float32)


def explained(played_t: NDArray[np.float32], microphone_t: NDArray[np.float32]) -> float:
    """Share of the audible windows."""
    guard = EchoGuard()
    guard.add(AudioChunk(played_t, 16_000))
    found = []
    for start in range(0, len(microphone_t) - WINDOW, WINDOW):
        window_t = microphone_t[start : start + WINDOW]
        by_echo = guard.explains(window_t, (start + WINDOW) / 16_000)
        if np.sqrt(np.mean(np.square(window_t))) > 0.1:
            found.append(by_echo)
    return float(np.mean(found))


@pytest.mark.parametrize("delay_s", [0.02, 0.3])
def test_its_own_voice_is_explained(delay_s: float) -> None:
    played_t = voice("tf-018-slt*")

    assert explained(played_t, in_a_room(played_t, delay_s, 0.3)) > 0.95


def test_another_speaker_is_not() -> None:
    played_t, speaker_t = voice("tf-018-slt*"), voice("tf-022-rms*")
    size = min(len(played_t), len(speaker_t))
    played_t, speaker_t = played_t[:size], speaker_t[:size]

    assert explained(played_t, speaker_t) < 0.2
    # Over an echo that is three times softer than the speaker.
    assert explained(played_t, speaker_t + in_a_room(played_t, 0.2, 0.3)) < 0.35


def test_correlation_of_known_sounds() -> None:
    rng = np.random.default_rng(1)
    sound_t = rng.normal(0, 1, 4096).astype(np.float32)
    noise_t = rng.normal(0, 1, 1024).astype(np.float32)

    assert best_correlation(-0.1 * sound_t[1000:2024], sound_t) == pytest.approx(1.0, abs=1e-3)
    # Signal and unrelated noise of the same power: the signal has half of the energy, so the root of it.
    assert best_correlation(sound_t[1000:2024] + noise_t, sound_t) == pytest.approx(np.sqrt(0.5), abs=0.06)
    assert best_correlation(sound_t, sound_t[:100]) == 0.0
    assert best_correlation(np.zeros(100, np.float32), sound_t) == 0.0
