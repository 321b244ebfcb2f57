"""What the benchmark of the spoken turn counts from and to."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.voice_turn_sound import BEFORE_S, leading_silence_s, sample_company
from ragvoice.datatypes import AudioChunk

RECORDINGS = Path(__file__).resolve().parents[2] / "data" / "recordings"


def test_an_answer_begins_where_it_is_heard() -> None:
    sound_t = np.concatenate([np.zeros(800), np.full(160, 0.004), np.full(400, 0.5), np.zeros(100)])

    assert leading_silence_s(AudioChunk(sound_t.astype(np.float32), 16_000)) == pytest.approx(960 / 16_000)


@pytest.mark.parametrize("samples", [0, 400])
def test_silence_is_no_answer(samples: int) -> None:
    assert leading_silence_s(AudioChunk(np.zeros(samples, np.float32), 16_000)) is None


def test_a_question_ends_at_the_same_moment_in_noise() -> None:
    clean, noisy = sample_company(RECORDINGS, [10.0], 1)

    assert (clean.room, noisy.room) == ("clean", "10 dB")
    assert (clean.begins_s, clean.ends_s) == (noisy.begins_s, noisy.ends_s)
    assert BEFORE_S < clean.begins_s < clean.ends_s < BEFORE_S + 3.47
    after_t = slice(int((clean.ends_s + 1) * 16_000), None)  # the microphone hears the room on
    assert np.square(clean.sound.samples_t[after_t]).mean() == 0
    assert np.square(noisy.sound.samples_t[after_t]).mean() > 0
