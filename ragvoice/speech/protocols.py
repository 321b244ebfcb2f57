"""The two seams of this room. Every adapter is used through one of them, so another engine needs no other change."""

from __future__ import annotations

from typing import Protocol

from ragvoice.datatypes import AudioChunk, Transcription


class SpeechToText(Protocol):
    """A recogniser."""

    def transcribe(self, audio: AudioChunk) -> Transcription:
        """Recognise one recording of any length and sample rate.

        :return: the words; `text` is empty when nobody spoke.
        :raises SpeechError: the recogniser failed.
        """


class TextToSpeech(Protocol):
    """A voice."""

    sample_rate_hz: int
    """Of every chunk that it returns."""

    def synthesise(self, text: str) -> AudioChunk:
        """Speak one sentence.

        :return: the sound; no samples when there is nothing to say.
        :raises SpeechError: the voice failed.
        """
