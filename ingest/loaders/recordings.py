"""Recordings, and the sound of videos: one `Document` for each stretch in which somebody speaks.

A recording is decoded, cut and heard piece by piece, so that an hour takes no more memory than a minute and every
stretch arrives by itself. It is cut in pauses, at most a minute apart: about as many words as a chunk holds.

Array legend: `t` samples at 16 kHz.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from langchain_core.documents import Document
from numpy.typing import NDArray

from ingest.loaders.options import LoadOptions
from ragvoice.datatypes import AudioChunk, Place
from ragvoice.errors import AudioError, DocumentError, RagVoiceError
from ragvoice.speech.audio import SAMPLE_RATE_HZ, stream
from ragvoice.speech.stretches import quietest
from ragvoice.speech.tags import tags
from ragvoice.speech.vad import VadOptions, speech_spans

if TYPE_CHECKING:
    from ragvoice.speech.protocols import SpeechToText

MIN_STRETCH_S, MAX_STRETCH_S = 30.0, 60.0
"""A stretch ends in the longest pause between the two."""
_LOOK_S = 75.0
"""Of sound at once: what is left at the end of a recording is one stretch, rather than one of a few words."""
_EDGE_S = 1.0
"""Kept of a silence that is passed over: the first sound of a word is hard to detect."""
_SHORT_CHARACTERS = 200
"""A stretch of fewer is joined with the next one, if that begins within `MAX_STRETCH_S`."""
_MAX_DURATION_S = 12 * 3600.0
_SIGN_OF_LIFE_S = 600.0
"""After so much silence an empty page says that the recording is still being listened to."""


def load_recording(path: Path, options: LoadOptions) -> Iterator[Document]:
    """Title, author and time of the recording stand on the first stretch, the language on every one."""
    if options.transcriber is None:
        raise DocumentError("a recording, and recordings are switched off (the setting recordings)")
    try:
        stated = tags(path)
        for document in _joined(_transcribed(path, options.transcriber)):
            if document.page_content:
                document.metadata |= stated
                stated = {}
            yield document
    except AudioError as error:
        raise DocumentError(str(error).removeprefix(f"{path.name}: ")) from error
    except DocumentError:
        raise
    except RagVoiceError as error:
        raise DocumentError(f"a recording that cannot be transcribed: {error}") from error


def _transcribed(path: Path, transcriber: Callable[[], SpeechToText]) -> Iterator[Document]:
    """An empty document is a sign of life. :raises DocumentError: nobody speaks."""
    spoken = False
    for start_s, samples_t in stretches(stream(path, max_duration_s=_MAX_DURATION_S)):
        if not len(samples_t):
            yield Document("")
            continue
        heard = _recogniser(transcriber).transcribe(AudioChunk(samples_t, SAMPLE_RATE_HZ))
        if not heard.text:
            continue
        spoken = True
        start_s += heard.segments[0].start_s if heard.segments else 0.0
        place = Place("time_s", round(start_s, 1))
        yield Document(heard.text, metadata={"place": place, "language": heard.language})
    if not spoken:
        raise DocumentError("no speech in it")


def _joined(documents: Iterator[Document]) -> Iterator[Document]:
    """Stretches of a few words together with what is said soon after them."""
    held: Document | None = None
    for document in documents:
        if held is not None and _belongs_to(held, document):
            held.page_content += f" {document.page_content}"
            continue
        if held is not None:
            yield held
        held = document
    if held is not None:
        yield held


def _belongs_to(held: Document, document: Document) -> bool:
    if not held.page_content or not document.page_content or len(held.page_content) >= _SHORT_CHARACTERS:
        return False
    return float(document.metadata["place"].value) - float(held.metadata["place"].value) <= MAX_STRETCH_S


def stretches(blocks: Iterator[NDArray[np.float32]]) -> Iterator[tuple[float, NDArray[np.float32]]]:
    """Start in seconds and sound of every stretch of speech; an empty one after each ten minutes of silence.

    :param blocks: A recording of any length, in order.
    """
    window, silent_s = _Window(blocks), 0.0
    while window.fill(_LOOK_S):
        spans = speech_spans(window.audio, VadOptions(min_silence_ms=200, padding_ms=100))
        if not spans and window.ended:
            return
        lead_s = (spans[0][0] if spans else window.audio.duration_s) - _EDGE_S
        if lead_s > _EDGE_S:
            window.take(lead_s)
            silent_s += lead_s
            if silent_s >= _SIGN_OF_LIFE_S:
                silent_s = 0.0
                yield window.start_s, np.zeros(0, np.float32)
            continue
        silent_s, start_s = 0.0, window.start_s
        if window.ended:
            yield start_s, window.take(window.audio.duration_s)
        else:
            pause_s = _longest_pause(spans)
            yield start_s, window.take(pause_s or quietest(window.audio, MIN_STRETCH_S, MAX_STRETCH_S))


def _longest_pause(spans: tuple[tuple[float, float], ...]) -> float | None:
    """Middle of the longest silence between the two limits, in seconds; None where the speech has none."""
    starts_s = [start_s for start_s, _ in spans[1:]]
    gaps = [
        (max(end_s, MIN_STRETCH_S), min(next_s, MAX_STRETCH_S))
        for (_, end_s), next_s in zip(spans, [*starts_s, MAX_STRETCH_S], strict=True)
    ]
    from_s, to_s = max(gaps, key=lambda gap: gap[1] - gap[0])
    return (from_s + to_s) / 2 if from_s < to_s else None


class _Window:
    """The part of a recording that is looked at: it grows at its end and is used up from its start."""

    def __init__(self, blocks: Iterator[NDArray[np.float32]]):
        self._blocks = blocks
        self.audio = _chunk(np.zeros(0, np.float32))
        self._start = 0  # samples since the start of the recording
        self.ended = False

    @property
    def start_s(self) -> float:
        return self._start / self.audio.sample_rate_hz

    def fill(self, duration_s: float) -> bool:
        """Up to a little more than `duration_s`; false when nothing is left."""
        missing = int(duration_s * self.audio.sample_rate_hz) - len(self.audio.samples_t)
        parts = [self.audio.samples_t]
        while missing > 0 and not self.ended:
            block_t = next(self._blocks, None)
            self.ended = block_t is None
            if block_t is not None:
                parts.append(block_t)
                missing -= len(block_t)
        self.audio = _chunk(np.concatenate(parts))
        return len(self.audio.samples_t) > 0

    def take(self, duration_s: float) -> NDArray[np.float32]:
        count = round(duration_s * self.audio.sample_rate_hz)
        samples_t = self.audio.samples_t
        self.audio = _chunk(samples_t[count:])
        self._start += count
        return samples_t[:count]


def _chunk(samples_t: NDArray[np.float32]) -> AudioChunk:
    return AudioChunk(samples_t, SAMPLE_RATE_HZ)


@lru_cache(maxsize=1)
def _recogniser(factory: Callable[[], SpeechToText]) -> SpeechToText:
    """One for all recordings of a process: loading it takes seconds."""
    return factory()
