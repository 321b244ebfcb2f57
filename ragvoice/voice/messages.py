"""What goes into the voice loop's state machine and what comes out of it, and the loop's options."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ragvoice.datatypes import AudioChunk, Transcription
from ragvoice.errors import RagVoiceError
from ragvoice.voice.events import TurnEvent, VoiceEvent

Question = Transcription | str


@dataclass(frozen=True)
class LoopOptions:
    """How the loop listens and when it answers."""

    pause_s: float = 0.6
    """Silence that ends a turn whose words look finished."""
    patient_pause_s: float = 1.5
    """Silence that ends any turn."""
    work_pause_s: float = 0.1
    """Silence at which the words are recognised and an answer is begun."""
    partial_every_s: float = 1.0
    """Speech between two recognitions while the person speaks; at least twice as long as the last one took."""
    interrupt_after_s: float = 0.16
    """Speech that stops an answer."""
    rejoin_s: float = 2.0
    """Who goes on within this time, before the voice has begun, has only paused: both parts are one question."""
    echo: Literal["cancelled", "half_duplex", "correlated"] = "cancelled"
    """What keeps the voice from interrupting itself. `cancelled`: the caller removes the echo, as browsers do.
    `half_duplex`: nobody is heard while the voice speaks. `correlated`: sound that resembles what is played is not."""
    answer_at_once: bool = True
    """When a turn is over; else at `Respond`."""
    answer_silence: bool = False
    """Let `ask` say that nothing was heard, where otherwise only `NothingHeard` is told."""


@dataclass(frozen=True)
class Sound:
    frame: AudioChunk


@dataclass(frozen=True)
class Typed:
    text: str


@dataclass(frozen=True)
class Commit:
    """The turn is over by hand."""


@dataclass(frozen=True)
class Respond:
    """Answer the latest turn, where that is not done at once."""


@dataclass(frozen=True)
class Clear:
    """What was heard and is not yet a turn does not count."""


@dataclass(frozen=True)
class Interrupt:
    heard_s: float | None = None


@dataclass(frozen=True)
class Played:
    position_s: float


@dataclass(frozen=True)
class Recognised:
    job: int
    result: Transcription | RagVoiceError | None
    """None where it was given up."""


@dataclass(frozen=True)
class TurnYielded:
    turn: int
    event: TurnEvent


@dataclass(frozen=True)
class TurnHeldUp:
    """It has waited long at its first sentence, and others wait for it."""

    turn: int


@dataclass(frozen=True)
class TurnEnded:
    turn: int
    error: RagVoiceError | None = None


@dataclass(frozen=True)
class Close:
    """Nothing more is given."""


@dataclass(frozen=True)
class Tick:
    """Time has passed."""


Input = (
    Sound
    | Typed
    | Commit
    | Respond
    | Clear
    | Interrupt
    | Played
    | Recognised
    | TurnYielded
    | TurnHeldUp
    | TurnEnded
    | Close
    | Tick
)


@dataclass(frozen=True)
class Emit:
    event: VoiceEvent


@dataclass(frozen=True)
class Recognise:
    job: int
    sound: AudioChunk


@dataclass(frozen=True)
class GiveUp:
    """The words of this job are no longer wanted, and the recogniser is."""

    job: int


@dataclass(frozen=True)
class Prepare:
    text: str


@dataclass(frozen=True)
class StartTurn:
    turn: int
    question: Question


@dataclass(frozen=True)
class LetGo:
    """The turn may go on beyond its first sentence."""

    turn: int


@dataclass(frozen=True)
class CancelTurn:
    turn: int


Action = Emit | Recognise | GiveUp | Prepare | StartTurn | LetGo | CancelTurn
