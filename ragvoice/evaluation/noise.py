"""Noise of a known strength under a recording; the same seed gives the same noise.

Array legend: `t` samples, `f` frames, `k` frequencies.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ragvoice.datatypes import AudioChunk

FRAME_S = 0.02
ACTIVE_RANGE_DB = 30.0
"""A frame this much weaker than the loudest one is a pause."""


def active_power(audio: AudioChunk) -> float:
    """Mean square of the frames in which somebody speaks: pauses would make the speech weaker than it is heard.

    The idea of ITU-T P.56's active speech level, with a fixed margin below the loudest frame instead of its search.

    :return: 0 for silence.
    """
    size = max(1, round(FRAME_S * audio.sample_rate_hz))
    padded_t = np.pad(audio.samples_t.astype(np.float64), (0, -len(audio.samples_t) % size))
    power_f = np.square(padded_t).reshape(-1, size).mean(axis=1)
    loudest = power_f.max(initial=0.0)
    return float(power_f[power_f >= loudest * 10 ** (-ACTIVE_RANGE_DB / 10)].mean()) if loudest > 0 else 0.0


def white(samples: int, seed: int) -> NDArray[np.float32]:
    """Gaussian noise, shape (t,), unit variance."""
    return np.random.default_rng(seed).standard_normal(samples).astype(np.float32)


def pink(samples: int, seed: int) -> NDArray[np.float32]:
    """Noise whose power falls with 1/f, as that of rooms and fans; shape (t,), mean square 1."""
    spectrum_k = np.fft.rfft(np.random.default_rng(seed).standard_normal(samples))
    spectrum_k[0] = 0.0
    spectrum_k[1:] /= np.sqrt(np.arange(1, len(spectrum_k)))
    noise_t = np.fft.irfft(spectrum_k, samples)
    return np.asarray(noise_t / max(1e-12, float(np.sqrt(np.square(noise_t).mean()))), np.float32)


def babble(talkers: Sequence[AudioChunk], samples: int, seed: int) -> NDArray[np.float32]:
    """People who talk at once, all equally loud, each from a random moment on and in a circle.

    :param talkers: At one sample rate; eight of them cannot be understood.
    :return: Shape (t,), mean square about 1.
    """
    random = np.random.default_rng(seed)
    sum_t = np.zeros(samples, np.float64)
    for talker in talkers:
        power = active_power(talker)
        if power > 0:
            first = int(random.integers(len(talker.samples_t)))
            sum_t += np.resize(np.roll(talker.samples_t, -first), samples) / np.sqrt(power)
    return np.asarray(sum_t / np.sqrt(max(1, len(talkers))), np.float32)


def add_noise(audio: AudioChunk, noise_t: NDArray[np.float32], snr_db: float) -> AudioChunk:
    """The recording with noise below it; made quieter as a whole where the sum would overshoot 1.

    :param noise_t: As many samples, of any strength.
    :param snr_db: 10 log10 of the active power of the speech over the mean power of the noise.
    """
    noise_power = float(np.square(noise_t, dtype=np.float64).mean()) if len(noise_t) else 0.0
    if noise_power == 0.0:
        return audio
    gain = np.sqrt(active_power(audio) / noise_power / 10 ** (snr_db / 10))
    mixed_t = audio.samples_t + gain * noise_t
    mixed_t /= max(1.0, float(np.abs(mixed_t).max()))
    return AudioChunk(mixed_t.astype(np.float32), audio.sample_rate_hz)
