"""From a recording to a transcription, whichever recogniser does the listening.

A recording is cut at pauses into stretches that fit Whisper's 30 s window; each is heard by itself. So an hour needs
no more memory than half a minute, nothing is repeated from window to window, and one gate keeps invented sentences out
of all three adapters.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ragvoice.datatypes import AudioChunk, Segment, Transcription
from ragvoice.speech.audio import SAMPLE_RATE_HZ, resample
from ragvoice.speech.vad import speech_spans

MAX_STRETCH_S = 28.0
"""Below Whisper's window of 30 s, so that the last word is heard out."""
MAX_PAUSE_S = 3.0
"""A longer pause ends a stretch: Whisper fills long silences with words."""


@dataclass(frozen=True)
class Heard:
    """What a recogniser makes of a stretch, or of one of the windows that it takes it apart into."""

    segments: tuple[Segment, ...]
    """Times from the start of the stretch."""
    language: str
    mean_logprob: float
    """Mean log probability of the tokens, 0 at best."""
    no_speech_prob: float
    """Whisper's own probability that nobody speaks."""

    @property
    def text(self) -> str:
        return " ".join(segment.text for segment in self.segments).strip()


@dataclass(frozen=True)
class Gate:
    """When the text of a window is taken for an invention. Chosen on the visible recordings: benchmarks/speech.py."""

    min_mean_logprob: float = -1.0
    max_compression_ratio: float = 2.4
    """Bytes of the text over its zlib length; higher means that it repeats itself. Whisper's own limit."""
    max_no_speech_prob: float = 0.6
    """Counts only together with a mean log probability below `unsure_logprob`."""
    unsure_logprob: float = -0.5

    def lets_pass(self, heard: Heard) -> bool:
        text = heard.text.encode()
        if not any(character.isalnum() for character in heard.text):
            return False
        if heard.mean_logprob < self.min_mean_logprob:
            return False
        if heard.no_speech_prob > self.max_no_speech_prob and heard.mean_logprob < self.unsure_logprob:
            return False
        return len(text) / len(zlib.compress(text)) <= self.max_compression_ratio


Hear = Callable[[NDArray[np.float32], str | None], Sequence[Heard]]
"""(samples at 16 kHz, language or None to detect it) -> what was said, window by window: Whisper begins another one for
the rest that it left, be it a tenth of a second, and invents words for it."""


def transcribe_stretches(
    audio: AudioChunk, hear: Hear, *, language: str | None, gate: Gate | None = None
) -> Transcription:
    """Find the speech, hear it stretch by stretch, leave out what nobody said.

    :param language: ISO 639-1 code; None detects it on the first stretch that passes the gate and keeps it.
    """
    gate = gate or Gate()
    audio = resample(audio, SAMPLE_RATE_HZ)
    segments: list[Segment] = []
    logprobs: list[tuple[float, float]] = []
    for start_s, end_s in plan(speech_spans(audio), audio):
        samples_t = audio.samples_t[int(start_s * SAMPLE_RATE_HZ) : int(end_s * SAMPLE_RATE_HZ)]
        for heard in filter(gate.lets_pass, hear(samples_t, language)):
            language = language or heard.language
            logprobs.append((heard.mean_logprob, len(heard.text)))
            segments.extend(_shifted(segment, start_s, end_s) for segment in heard.segments if segment.text)
    weight = sum(length for _, length in logprobs)
    mean_logprob = sum(logprob * length for logprob, length in logprobs) / weight if weight else None
    return Transcription(
        text=" ".join(segment.text for segment in segments),
        language=language or "",
        duration_s=audio.duration_s,
        segments=tuple(segments),
        confidence=None if mean_logprob is None else min(1.0, math.exp(mean_logprob)),
    )


def plan(spans: tuple[tuple[float, float], ...], audio: AudioChunk) -> list[tuple[float, float]]:
    """Join spans of speech into stretches of at most 28 s; speech without a pause is cut where it is quietest."""
    stretches: list[tuple[float, float]] = []
    for start_s, end_s in spans:
        while end_s - start_s > MAX_STRETCH_S:
            cut_s = quietest(audio, start_s + MAX_STRETCH_S / 2, start_s + MAX_STRETCH_S)
            stretches.append((start_s, cut_s))
            start_s = cut_s
        if stretches and start_s - stretches[-1][1] <= MAX_PAUSE_S and end_s - stretches[-1][0] <= MAX_STRETCH_S:
            stretches[-1] = (stretches[-1][0], end_s)
        else:
            stretches.append((start_s, end_s))
    return stretches


def quietest(audio: AudioChunk, from_s: float, to_s: float) -> float:
    """Middle of the 0.2 s with the least energy between two times."""
    size = audio.sample_rate_hz // 5
    samples_t = audio.samples_t[int(from_s * audio.sample_rate_hz) : int(to_s * audio.sample_rate_hz)]
    blocks = samples_t[: len(samples_t) // size * size].reshape(-1, size)
    return from_s + (int(np.square(blocks).sum(axis=1).argmin()) + 0.5) * size / audio.sample_rate_hz


def _shifted(segment: Segment, start_s: float, end_s: float) -> Segment:
    """Times of the recording; Whisper's may overshoot the stretch, where it saw padding."""
    return Segment(
        start_s=round(min(start_s + segment.start_s, end_s), 2),
        end_s=round(min(start_s + segment.end_s, end_s), 2),
        text=segment.text,
    )
