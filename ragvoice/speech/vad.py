"""Who speaks when: Silero VAD, the model that faster-whisper's wheel carries.

Whisper writes plausible sentences for noise, so no recogniser here hears anything that this module did not call speech.

Array legend: `t` samples, `w` windows of 512 samples.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ragvoice.datatypes import AudioChunk
from ragvoice.speech.audio import SAMPLE_RATE_HZ, resample

WINDOW = 512
"""Samples for one probability: 32 ms at 16 kHz. Fixed by the model."""
_BLOCK_S = 120
"""The detector copies its input several times, so an hour is shown to it in blocks; its memory restarts at each."""


@dataclass(frozen=True)
class VadOptions:
    """When a window counts as speech."""

    threshold: float = 0.5
    """Probability, 0 to 1, at which speech starts; it goes on down to 0.15 below it, as upstream."""
    min_speech_ms: int = 96
    """A shorter burst is a click or a cough."""
    min_silence_ms: int = 500
    """A shorter pause does not end a span."""
    padding_ms: int = 300
    """Kept before and after: soft consonants at the edges score low."""


def speech_spans(audio: AudioChunk, options: VadOptions | None = None) -> tuple[tuple[float, float], ...]:
    """Where somebody speaks: (start_s, end_s) in order, never overlapping; empty when nobody does."""
    options = options or VadOptions()
    audio = resample(audio, SAMPLE_RATE_HZ)
    return spans_of(speech_probabilities(audio), options, audio.duration_s)


def speech_probabilities(audio: AudioChunk) -> NDArray[np.float32]:
    """Shape (w,): how sure the detector is of speech in each window of 16 kHz sound."""
    from faster_whisper.vad import get_vad_model

    model = get_vad_model()
    block = _BLOCK_S * SAMPLE_RATE_HZ // WINDOW * WINDOW
    parts: list[NDArray[np.float32]] = []
    for start in range(0, len(audio.samples_t), block):
        samples_t = audio.samples_t[start : start + block]
        padded_t = np.pad(samples_t, (0, -len(samples_t) % WINDOW))
        parts.append(np.asarray(model(padded_t), np.float32).reshape(-1))
    return np.concatenate(parts) if parts else np.zeros(0, np.float32)


def spans_of(
    probabilities_w: NDArray[np.float32], options: VadOptions, duration_s: float
) -> tuple[tuple[float, float], ...]:
    """Hysteresis, then short spans out, then padding; plain arithmetic on the detector's output."""
    window_s = WINDOW / SAMPLE_RATE_HZ
    runs: list[tuple[float, float]] = []
    start: int | None = None
    for index, probability in enumerate(probabilities_w.tolist()):
        if start is None and probability >= options.threshold:
            start = index
        elif start is not None and probability < options.threshold - 0.15:
            runs.append((start * window_s, index * window_s))
            start = None
    if start is not None:
        runs.append((start * window_s, len(probabilities_w) * window_s))

    padding_s, spans = options.padding_ms / 1000, list[tuple[float, float]]()
    for run in _joined(runs, options.min_silence_ms / 1000):
        if run[1] - run[0] >= options.min_speech_ms / 1000:
            spans.append((max(0.0, run[0] - padding_s), min(duration_s, run[1] + padding_s)))
    return tuple(_joined(spans, 0.0))


def _joined(spans: list[tuple[float, float]], max_gap_s: float) -> list[tuple[float, float]]:
    joined: list[tuple[float, float]] = []
    for start_s, end_s in spans:
        if joined and start_s - joined[-1][1] <= max_gap_s:
            joined[-1] = (joined[-1][0], max(end_s, joined[-1][1]))
        else:
            joined.append((start_s, end_s))
    return joined
