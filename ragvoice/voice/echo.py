"""Whether the microphone hears only the voice's own sound from the loudspeaker.

Normalised cross-correlation of the newest sound with what is being played, over the delays that a loudspeaker and its
driver may have. Sound of which the played one explains enough is echo; a second speaker lowers the correlation. It is
no echo canceller: who speaks much more softly than the loudspeaker is not noticed.

Array legend: `t` samples, `l` lags.
"""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

from ragvoice.datatypes import AudioChunk
from ragvoice.speech.audio import SAMPLE_RATE_HZ, resample

MIN_CORRELATION = 0.5
"""Of the sound's energy the echo then has a quarter or more."""
MAX_DELAY_S = 0.7
"""Between the position that the player reports and the sound in the microphone."""
_AHEAD_S = 0.15
"""A reported position may be late."""
_WINDOWS = 6
"""Newest windows of 32 ms that are compared: shorter ones correlate with anything."""


class EchoGuard:
    """Knows what one answer sounds like."""

    def __init__(self) -> None:
        self._played_t = np.zeros(0, np.float32)
        self._newest: deque[NDArray[np.float32]] = deque(maxlen=_WINDOWS)

    def add(self, audio: AudioChunk) -> None:
        """A sentence that follows those before it."""
        self._played_t = np.concatenate([self._played_t, resample(audio, SAMPLE_RATE_HZ).samples_t])

    def explains(self, window_t: NDArray[np.float32], position_s: float) -> bool:
        """:param window_t: newest sound of the microphone at 16 kHz.
        :param position_s: of the player in the answer, at the end of that sound.
        """
        self._newest.append(window_t)
        sound_t = np.concatenate(self._newest)
        end_s = position_s + _AHEAD_S
        start_s = position_s - MAX_DELAY_S - len(sound_t) / SAMPLE_RATE_HZ
        played_t = self._played_t[max(0, int(start_s * SAMPLE_RATE_HZ)) : max(0, int(end_s * SAMPLE_RATE_HZ))]
        return best_correlation(sound_t, played_t) >= MIN_CORRELATION


def best_correlation(sound_t: NDArray[np.float32], played_t: NDArray[np.float32]) -> float:
    """Highest absolute correlation, 0 to 1, of a sound with any equally long part of another."""
    size = len(sound_t)
    if len(played_t) < size or not size:
        return 0.0
    length = 1 << (len(played_t) + size - 1).bit_length()
    spectrum = np.fft.rfft(played_t, length) * np.conj(np.fft.rfft(sound_t, length))
    products_l = np.fft.irfft(spectrum, length)[: len(played_t) - size + 1]
    sums = np.concatenate([[0.0], np.cumsum(np.square(played_t, dtype=np.float64))])
    energy_l = np.maximum(sums[size:] - sums[:-size], 0.0)
    norms_l = np.sqrt(energy_l * float(np.square(sound_t, dtype=np.float64).sum()))
    audible_l = norms_l > 1e-6
    return float(np.abs(products_l[audible_l] / norms_l[audible_l]).max()) if audible_l.any() else 0.0
