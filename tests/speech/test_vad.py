from __future__ import annotations

import numpy as np
import pytest

from ragvoice.datatypes import AudioChunk
from ragvoice.speech.audio import resample
from ragvoice.speech.vad import VadOptions, spans_of, speech_spans


def test_spoken_words_are_found_where_they_are(question: AudioChunk) -> None:
    speech_t = resample(question, 16_000).samples_t
    silence_t = np.zeros(2 * 16_000, np.float32)

    spans = speech_spans(AudioChunk(np.concatenate([silence_t, speech_t, silence_t]), 16_000))

    assert spans[0][0] == pytest.approx(2.0, abs=0.5)
    assert spans[-1][1] == pytest.approx(2.0 + len(speech_t) / 16_000, abs=0.6)


@pytest.mark.parametrize("kind", ["silence", "noise", "tone", "empty"])
def test_nobody_speaks_in(kind: str, tone: AudioChunk) -> None:
    noise_t = np.random.default_rng(0).normal(0, 0.1, 48_000).astype(np.float32)
    samples_t = {
        "silence": np.zeros(48_000, np.float32),
        "noise": noise_t,
        "tone": tone.samples_t,
        "empty": noise_t[:0],
    }

    assert speech_spans(AudioChunk(samples_t[kind], 16_000)) == ()


def test_hysteresis_bridges_short_dips_and_drops_clicks() -> None:
    # 32 ms a window. Speech in 10-19 with a dip at 14, a click at 60; padding 64 ms = 2 windows.
    probabilities_w = np.zeros(100, np.float32)
    probabilities_w[10:20] = 0.9
    probabilities_w[14] = 0.1
    probabilities_w[60] = 0.9
    options = VadOptions(min_speech_ms=96, min_silence_ms=100, padding_ms=64)

    assert spans_of(probabilities_w, options, 3.2) == (pytest.approx((8 * 0.032, 22 * 0.032)),)


def test_probability_just_below_the_threshold_continues_speech_but_does_not_start_it() -> None:
    options = VadOptions(padding_ms=0)

    assert spans_of(np.full(50, 0.4, np.float32), options, 1.6) == ()
    assert spans_of(np.asarray([0.6] + [0.4] * 49, np.float32), options, 1.6) == (pytest.approx((0.0, 1.6)),)
