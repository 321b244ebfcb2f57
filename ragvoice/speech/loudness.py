"""How loud a sentence is and what follows it, the same for every voice."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray

from ragvoice.datatypes import AudioChunk
from ragvoice.errors import SpeechError

PAUSE_S = 0.2
"""Silence after a sentence: a reader's breath."""
PEAK = 0.95
SPEECH_RMS = 0.09
"""Of what `gain_for` is given. Peaks of speech are about ten times as high."""
_AUDIBLE = 0.01
"""Share of the peak: 40 dB below it."""
_LEAD_S = 0.01
_KNEE = 0.8
_GAINS = (0.25, 10.0)


def sentence(speech_t: NDArray[np.float32], sample_rate_hz: int) -> AudioChunk:
    """Peak 0.95, closed by 0.2 s of silence; what is as good as silent is not made loud."""
    speech_t = speech_t * (PEAK / max(0.01, float(np.abs(speech_t).max(initial=0))))
    pause_t = np.zeros(int(PAUSE_S * sample_rate_hz), np.float32)
    return AudioChunk(np.concatenate([speech_t, pause_t]).astype(np.float32), sample_rate_hz)


def gain_for(speech_t: NDArray[np.float32]) -> float:
    """What makes a voice as loud as others, from some of its speech: one factor for all that it says.

    The peak of a sentence is not known before the sentence is complete, and a factor that followed the sound would be
    heard as a change. Sentences of a Piper voice differ by as much with one factor as with equal peaks.
    """
    rms = float(np.sqrt(np.mean(np.square(speech_t, dtype=np.float64))))
    return float(np.clip(SPEECH_RMS / max(rms, 1e-6), *_GAINS))


def amplified(speech_t: NDArray[np.float32], gain: float) -> NDArray[np.float32]:
    """So many times as loud; peaks above 0.8 are rounded off towards 0.95, sample by sample, so that pieces fit."""
    speech_t = speech_t * np.float32(gain)
    within_t = np.clip(speech_t, -_KNEE, _KNEE)
    rounded_t: NDArray[np.float32] = within_t + (PEAK - _KNEE) * np.tanh((speech_t - within_t) / (PEAK - _KNEE))
    return rounded_t


def from_first_sound(audio: AudioChunk) -> AudioChunk:
    """Without the silence before it, but for a hundredth of a second; what is silent stays as it is."""
    loudness_t = np.abs(audio.samples_t)
    audible = np.flatnonzero(loudness_t > _AUDIBLE * loudness_t.max(initial=0))
    start = max(0, int(audible[0]) - int(_LEAD_S * audio.sample_rate_hz)) if len(audible) else 0
    return AudioChunk(audio.samples_t[start:], audio.sample_rate_hz)


def nothing(sample_rate_hz: int) -> AudioChunk:
    return AudioChunk(np.zeros(0, np.float32), sample_rate_hz)


def read_wav(data: bytes, maker: str) -> AudioChunk:
    """Mono sound of a WAV whose header may not know its length, as programs write it into a pipe.

    :param maker: named in the error.
    :raises SpeechError: it is no sound.
    """
    import soundfile

    try:
        samples_tc, sample_rate_hz = soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)
    except (soundfile.SoundFileError, RuntimeError) as error:
        raise SpeechError(f"{maker} gave {len(data)} bytes that are no WAV file: {error}") from error
    return AudioChunk(np.ascontiguousarray(samples_tc.mean(axis=1)), int(sample_rate_hz))
