"""What a voice loop tells: in the order in which it happens, for a page, a terminal or a socket to show.

`Heard`, `Found`, `Draft`, `Said`, `SaidOn` and `Answer` are those of `VoiceBot.turn`.
"""

from __future__ import annotations

from dataclasses import dataclass

from ragvoice.datatypes import Answer, Draft
from ragvoice.errors import RagVoiceError
from ragvoice.fair_queue import Waiting
from ragvoice.voicebot import Found, Heard, Said, SaidOn


@dataclass(frozen=True)
class SpeechStarted:
    """Times are seconds of sound since the loop began to listen."""

    at_s: float


@dataclass(frozen=True)
class Partial:
    """What has been understood while the person still speaks. The end of it may change yet."""

    text: str
    stable: str = ""
    """Its beginning, as far as two successive recognitions agree."""


@dataclass(frozen=True)
class SpeechEnded:
    """The turn is over; `at_s` is the end of its last word, not of the pause that showed it."""

    at_s: float


@dataclass(frozen=True)
class Interrupted:
    """The answer is not said any further: stop the sound."""

    heard_text: str
    """What the person has heard of it, in whole words; empty when the voice had not begun."""
    heard_s: float
    turn_id: str | None = None
    """Of the finished `Answer` that was being played; None while it was still being written."""
    continues: bool = False
    """The person had only paused and goes on with the question, which counts as not asked yet."""


@dataclass(frozen=True)
class AnswerPaused:
    """Somebody may be speaking: be silent until `Interrupted`, which drops the rest, or `AnswerResumed`."""


@dataclass(frozen=True)
class AnswerResumed:
    """It was no speech: play on from the same place."""


@dataclass(frozen=True)
class NothingHeard:
    """There was a sound, or the person ended the turn by hand, and no words."""


@dataclass(frozen=True)
class NothingToAnswer:
    """An answer was asked for, and there is no question, or none any more: it was taken back or had no words."""


@dataclass(frozen=True)
class Failed:
    """This turn came to nothing; the loop goes on."""

    error: RagVoiceError


TurnEvent = Waiting | Heard | Found | Draft | Said | SaidOn | Answer
"""What answering one question yields."""
VoiceEvent = (
    SpeechStarted
    | Partial
    | SpeechEnded
    | TurnEvent
    | AnswerPaused
    | AnswerResumed
    | Interrupted
    | NothingHeard
    | NothingToAnswer
    | Failed
)
