"""What has been said so far, while it is being said.

The sound of the turn is recognised again and again from its beginning, each time when the recogniser is free; what two
successive recognitions agree on is taken for settled (LocalAgreement-2: Macháček, Dabre, Bojar 2023, arXiv
2307.14743). A stretch that is long enough is recognised for good at a pause and its sound dropped, so that an hour
needs no more memory than half a minute.

Array legend: `t` samples.
"""

from __future__ import annotations

import math
import re
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ragvoice.datatypes import AudioChunk, Transcription
from ragvoice.speech.audio import SAMPLE_RATE_HZ
from ragvoice.speech.stretches import MAX_STRETCH_S, quietest

FINISH_AFTER_S = 20.0
"""At a pause after so much sound the stretch is finished."""

_INAUDIBLE = re.compile(r"[^\w']+")


class Utterance:
    """One turn's sound, and the words of those stretches whose sound is dropped."""

    def __init__(self, before: Transcription | None = None) -> None:
        """:param before: words that the person had said already, and to which this is the rest."""
        self._finished = [before] if before and before.text else []
        self._windows: list[NDArray[np.float32]] = []
        self._samples = 0
        self._hypothesis = ""

    @property
    def unfinished_s(self) -> float:
        """Length of the sound that is held."""
        return self._samples / SAMPLE_RATE_HZ

    def add(self, window_t: NDArray[np.float32]) -> None:
        self._windows.append(window_t)
        self._samples += len(window_t)

    def sound(self) -> AudioChunk:
        """What no finished stretch covers."""
        return AudioChunk(self._all(), SAMPLE_RATE_HZ)

    def overlong(self) -> AudioChunk | None:
        """Sound that must be finished although nobody paused, up to where it is quietest; None while it is short."""
        if self.unfinished_s <= MAX_STRETCH_S:
            return None
        sound = self.sound()
        cut_s = quietest(sound, MAX_STRETCH_S / 2, MAX_STRETCH_S)
        return AudioChunk(sound.samples_t[: int(cut_s * SAMPLE_RATE_HZ)], SAMPLE_RATE_HZ)

    def finish(self, heard: Transcription, sound: AudioChunk) -> None:
        """Keep the words of the first stretch, `sound`, and drop it."""
        self._finished.append(heard)
        rest_t = self._all()[len(sound.samples_t) :]
        self._windows, self._samples, self._hypothesis = [rest_t], len(rest_t), ""

    def hypothesis(self, heard: Transcription) -> tuple[str, str]:
        """(all words so far, those of them that are settled), when `heard` is the newest recognition of `sound`."""
        settled = agreed(self._hypothesis, heard.text)
        self._hypothesis = heard.text
        before = [part.text for part in self._finished]
        return _sentence([*before, heard.text]), _sentence([*before, settled])

    def transcription(self, heard: Transcription | None = None) -> Transcription:
        """The whole turn: finished stretches, then `heard`."""
        parts = [*self._finished, *([heard] if heard else [])]
        return joined(parts)

    def _all(self) -> NDArray[np.float32]:
        if len(self._windows) != 1:
            self._windows = [np.concatenate(self._windows)] if self._windows else [np.zeros(0, np.float32)]
        return self._windows[0]


def agreed(before: str, now: str) -> str:
    """The longest beginning of `now`, in words, that `before` begins with too; case and signs do not count."""
    count = 0
    words = now.split()
    for old, new in zip(before.split(), words, strict=False):
        if _INAUDIBLE.sub("", old).lower() != _INAUDIBLE.sub("", new).lower():
            break
        count += 1
    return " ".join(words[:count])


def joined(parts: list[Transcription]) -> Transcription:
    """Stretches of one recording, in order, as if it had been recognised at once."""
    segments, start_s = [], 0.0
    for part in parts:
        segments += [replace(s, start_s=s.start_s + start_s, end_s=s.end_s + start_s) for s in part.segments]
        start_s += part.duration_s
    sure = [(math.log(part.confidence), len(part.text)) for part in parts if part.confidence]
    weight = sum(length for _, length in sure)
    return Transcription(
        text=_sentence([part.text for part in parts]),
        language=next((part.language for part in parts if part.language), ""),
        duration_s=start_s,
        segments=tuple(segments),
        confidence=math.exp(sum(value * length for value, length in sure) / weight) if weight else None,
    )


def _sentence(parts: list[str]) -> str:
    return " ".join(part for part in parts if part)
