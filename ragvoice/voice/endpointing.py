"""When a person begins to speak, pauses, goes on and has finished. Plain arithmetic on speech probabilities."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ragvoice.voice.detection import WINDOW_S
from ragvoice.voice.events import SpeechEnded, SpeechStarted

THRESHOLD = 0.5
"""Probability at which speech starts; it goes on down to 0.15 below it, as in `ragvoice.speech.vad`."""
ONSET_S = 0.096
"""A shorter burst is a click or a cough."""
RESUME_S = 0.064
"""Within a turn less is enough."""


@dataclass(frozen=True)
class Pause:
    """The person is silent for a moment: it may be the end. `at_s` is where the silence begins."""

    at_s: float


@dataclass(frozen=True)
class Resumed:
    """It was not."""

    at_s: float


Endpoint = SpeechStarted | Pause | Resumed | SpeechEnded


class Endpointer:
    """Call `step` once for each window of 32 ms.

    :param pause_s: silence at which `Pause` is given, for work that may turn out to be in vain.
    """

    def __init__(self, pause_s: float = 0.2):
        self._pause_s = pause_s
        self._now_s = 0.0
        """Of sound that was seen."""
        self.voiced = False
        """Whether the newest window may be speech."""
        self._run_s = 0.0
        self._end_s = 0.0
        self.speaking = False
        """Between `SpeechStarted` and `SpeechEnded`."""
        self.paused = False

    def step(self, probability: float, *, end_after_s: float, onset_s: float = ONSET_S) -> Endpoint | None:
        """:param probability: of speech in this window.
        :param end_after_s: silence that ends a turn, as far as one can say now.
        :param onset_s: speech that begins one.
        """
        self._now_s += WINDOW_S
        self.voiced = probability >= (THRESHOLD - 0.15 if self.voiced else THRESHOLD)
        self._run_s = self._run_s + WINDOW_S if self.voiced else 0.0
        if not self.speaking:
            return self._started() if _reaches(self._run_s, onset_s) else None
        if self.voiced and (not self.paused or _reaches(self._run_s, RESUME_S)):
            self._end_s = self._now_s
            if self.paused:
                self.paused = False
                return Resumed(self._now_s - self._run_s)
            return None
        silence_s = self._now_s - self._end_s
        if not self.paused and _reaches(silence_s, self._pause_s):
            self.paused = True
            return Pause(self._end_s)
        return self.end() if self.paused and not self.voiced and _reaches(silence_s, end_after_s) else None

    def end(self) -> SpeechEnded:
        """The turn is over now, because the caller says so or by silence."""
        self.speaking = self.paused = False
        self._run_s = 0.0
        return SpeechEnded(self._end_s)

    def _started(self) -> SpeechStarted:
        self.speaking = True
        self.paused = False
        self._end_s = self._now_s
        return SpeechStarted(self._now_s - self._run_s)


def _reaches(seconds: float, limit_s: float) -> bool:
    """Whole windows, whatever floating point makes of their sum."""
    return seconds > limit_s - WINDOW_S / 2


# After these a sentence goes on. A question may end in a preposition ("Who do I write to?"), so they count only
# where the recogniser heard no question.
_GOES_ON = frozenset(
    "a an the my your our their his its this these and or but because if that which whose than as so um uh er "
    "is are was were can could do does did will would should very every".split()
)
_GOES_ON_UNLESS_ASKED = frozenset(
    "of to in on at for from with by about into during until between per what how".split()
)
_CLOSED = (".", "?", "!", '."', '?"', '!"', "。", "？", "！", "؟", "।")
_LAST_WORD = re.compile(r"([\w']+)\W*$")


def looks_unfinished(text: str) -> bool:
    """Whether somebody who has said this, and is silent, will probably go on.

    Whisper closes what it takes for a sentence with a sign, in any language: none, or a comma, and it was not one. The
    words are English ones. Figures: docs/voice.md
    """
    text = text.rstrip()
    if text and (not text.endswith(_CLOSED) or text.endswith("...")):
        return True
    found = _LAST_WORD.search(text)
    if found is None:
        return False
    word = found[1].lower()
    return word in _GOES_ON or (word in _GOES_ON_UNLESS_ASKED and not text.endswith("?"))
