"""The seams of this room. Every adapter is used through one of them, so another engine needs no other change."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from ragvoice.datatypes import AudioChunk, Transcription


class SpeechToText(Protocol):
    """A recogniser."""

    def transcribe(self, audio: AudioChunk) -> Transcription:
        """Recognise one recording of any length and sample rate.

        :return: the words; `text` is empty when nobody spoke.
        :raises SpeechError: the recogniser failed.
        """


@runtime_checkable
class GivesUp(Protocol):
    """A recogniser that can leave a recognition unfinished."""

    def transcribe_while(self, audio: AudioChunk, wanted: Callable[[], bool]) -> Transcription | None:
        """As `transcribe`.

        :param wanted: whether the words are still wanted; asked now and then, from the calling thread.
        :return: None when they were not.
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


@dataclass(frozen=True)
class SoundInPieces:
    """A sentence that can be heard before all of it is made."""

    pieces: Iterator[AudioChunk]
    """In their order, one at least, each made when it is asked for; raises SpeechError when the voice fails."""
    samples: int
    """Of all of them together."""
    sample_rate_hz: int


@runtime_checkable
class SpeaksInPieces(Protocol):
    """A voice whose sentences begin to sound before they are complete."""

    def begin(self, text: str) -> SoundInPieces:
        """Speak one sentence; joined, the pieces are what `synthesise` returns.

        :raises SpeechError: the voice failed.
        """
