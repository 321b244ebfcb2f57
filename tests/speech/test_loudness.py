from __future__ import annotations

import numpy as np
import pytest

from ragvoice.datatypes import AudioChunk
from ragvoice.speech.loudness import PEAK, SPEECH_RMS, amplified, from_first_sound, gain_for


def test_a_soft_voice_is_raised_and_a_loud_one_lowered_to_the_same_level() -> None:
    wave_t = np.sin(np.arange(22_050) / 7).astype(np.float32)  # its RMS is the square root of a half

    assert gain_for(0.05 * wave_t) == pytest.approx(SPEECH_RMS / (0.05 * 0.5**0.5), rel=1e-3)
    assert gain_for(0.5 * wave_t) == pytest.approx(SPEECH_RMS / (0.5 * 0.5**0.5), rel=1e-3)
    assert gain_for(0 * wave_t) == 10


def test_peaks_are_rounded_off_below_full_scale_and_the_rest_is_only_louder() -> None:
    speech_t = np.linspace(-1, 1, 2001, dtype=np.float32)
    loud_t = amplified(speech_t, 1.6)

    assert loud_t.dtype == np.float32
    np.testing.assert_allclose(loud_t[np.abs(speech_t) <= 0.5], 1.6 * speech_t[np.abs(speech_t) <= 0.5], rtol=1e-6)
    assert np.abs(loud_t).max() < PEAK
    assert (np.diff(loud_t) > 0).all()


def test_silence_before_the_first_sound_is_left_out_but_for_a_moment() -> None:
    speech_t = np.concatenate([np.full(1000, 0.001), np.full(500, 0.5), np.zeros(300)]).astype(np.float32)
    begun = from_first_sound(AudioChunk(speech_t, 10_000))
    np.testing.assert_array_equal(begun.samples_t, speech_t[900:])
    assert from_first_sound(begun).samples_t.shape == begun.samples_t.shape
    for silent_t in (np.zeros(50, np.float32), np.zeros(0, np.float32)):
        assert from_first_sound(AudioChunk(silent_t, 10_000)).samples_t.shape == silent_t.shape
