"""A sentence's sound in pieces, whichever voice speaks it."""

from __future__ import annotations

import numpy as np

from ragvoice.datatypes import AudioChunk
from ragvoice.speech.protocols import SoundInPieces, SpeaksInPieces, TextToSpeech


def begin(voice: TextToSpeech, text: str) -> SoundInPieces:
    """Speak one sentence; a voice that cannot speak in pieces gives it in one.

    :raises SpeechError: the voice failed.
    """
    if isinstance(voice, SpeaksInPieces):
        return voice.begin(text)
    audio = voice.synthesise(text)
    return SoundInPieces(iter([audio]), len(audio.samples_t), audio.sample_rate_hz)


def joined(sound: SoundInPieces) -> AudioChunk:
    """:raises SpeechError: the voice failed."""
    return AudioChunk(np.concatenate([piece.samples_t for piece in sound.pieces]), sound.sample_rate_hz)
