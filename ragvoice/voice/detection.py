"""Speech probabilities of a stream: the detector of `ragvoice.speech.vad`, window by window.

The same network with its memory carried from window to window, so that live sound and a recording are judged alike.

Array legend: `t` samples, `c` channels.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ragvoice.datatypes import AudioChunk
from ragvoice.speech.audio import SAMPLE_RATE_HZ
from ragvoice.speech.vad import WINDOW

WINDOW_S = WINDOW / SAMPLE_RATE_HZ
_CONTEXT = 64
"""Samples of the window before that the network sees again."""
_STATE = (1, 1, 128)


class SpeechDetector:
    """Takes frames of any size and rate; gives windows of 512 samples at 16 kHz, each with its speech probability."""

    def __init__(self) -> None:
        from faster_whisper.vad import get_vad_model

        self._session: Any = get_vad_model().session
        self._hidden: Any = np.zeros(_STATE, np.float32)
        self._cell: Any = np.zeros(_STATE, np.float32)
        self._context_t = np.zeros(_CONTEXT, np.float32)
        self._rest_t = np.zeros(0, np.float32)
        self._resampler: Any = None
        self._rate_hz = SAMPLE_RATE_HZ

    def feed(self, frame: AudioChunk) -> list[tuple[NDArray[np.float32], float]]:
        """(window, probability) for each window that this frame fills.

        :param frame: samples of shape (t,), or (t, c), whose channels are averaged; the rate may change between frames.
        """
        samples_t = np.concatenate([self._rest_t, self._at_16_khz(frame)])
        count = len(samples_t) // WINDOW
        self._rest_t = samples_t[count * WINDOW :]
        return [(window_t, self._probability(window_t)) for window_t in samples_t[: count * WINDOW].reshape(-1, WINDOW)]

    def _at_16_khz(self, frame: AudioChunk) -> NDArray[np.float32]:
        samples_t = np.asarray(frame.samples_t, np.float32)
        if samples_t.ndim == 2:
            samples_t = samples_t.mean(axis=1, dtype=np.float32)
        samples_t = np.clip(np.nan_to_num(samples_t, posinf=1.0, neginf=-1.0), -1, 1)
        if frame.sample_rate_hz != self._rate_hz:
            import soxr

            self._rate_hz = frame.sample_rate_hz
            same = self._rate_hz == SAMPLE_RATE_HZ
            self._resampler = None if same else soxr.ResampleStream(self._rate_hz, SAMPLE_RATE_HZ, 1, dtype="float32")
        if self._resampler is None:
            return samples_t
        return np.asarray(self._resampler.resample_chunk(samples_t), np.float32)

    def _probability(self, window_t: NDArray[np.float32]) -> float:
        input_1t = np.concatenate([self._context_t, window_t])[np.newaxis]
        output, self._hidden, self._cell = self._session.run(
            None, {"input": input_1t, "h": self._hidden, "c": self._cell}
        )
        self._context_t = window_t[-_CONTEXT:]
        return float(np.asarray(output).reshape(-1)[0])
