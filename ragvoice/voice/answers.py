"""The answer of the moment: begun before it is sure to be wanted, told, played, interrupted. Part of `Dialogue`.

Times `now` are seconds of any clock that runs evenly. Array legend: `t` samples.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ragvoice.datatypes import Answer, Draft, Transcription
from ragvoice.errors import RagVoiceError
from ragvoice.voice.detection import WINDOW_S
from ragvoice.voice.echo import EchoGuard
from ragvoice.voice.events import AnswerPaused, AnswerResumed, Failed, Interrupted, TurnEvent, VoiceEvent
from ragvoice.voice.messages import Action, CancelTurn, Emit, LetGo, LoopOptions, Question, StartTurn
from ragvoice.voice.playback import Playback
from ragvoice.voicebot import Heard, Said, SaidOn

_TAIL_S = 0.3
"""The loudspeaker is still heard for so long after the player has finished."""
_DOUBT_S = 0.25
"""An answer is paused for so long by a sound that is not confirmed as speech."""
_LONGEST_PAUSE_S = 1.0
"""Where the microphone gives nothing more by which it could be confirmed; the page's player has the same."""


@dataclass
class _Turn:
    number: int
    question: Question
    told: bool
    known: bool
    """The person has been told what was understood."""
    held: list[VoiceEvent] = field(default_factory=list)
    running: bool = True
    answer_id: str | None = None
    playback: Playback = field(default_factory=Playback)
    echo: EchoGuard = field(default_factory=EchoGuard)
    doubted_s: float = 0.0
    """Since a sound that may be speech."""


class Answers:
    """At most one at a time. `act` takes what is to be done, in order."""

    def __init__(self, options: LoopOptions, act: Callable[[Action], None]):
        self._options = options
        self._act = act
        self._turn: _Turn | None = None
        self._started = 0

    def start(self, question: Question, *, told: bool, known: bool = False) -> None:
        """:param told: False holds back what comes until `tell`. :param known: Its `Heard` has been told already."""
        self._started += 1
        self._turn = _Turn(self._started, question, told, known)
        self._act(StartTurn(self._started, question))
        if told:
            self._act(LetGo(self._started))

    def tell(self, question: Transcription, now: float) -> None:
        """The person has finished: the answer that was begun is the one, or it is begun now."""
        turn = self._turn
        if turn is None or turn.told:
            self.start(question, told=True)
            return
        turn.told = True
        for event in turn.held:
            self._tell(turn, event, now)
        turn.held.clear()
        self._act(LetGo(turn.number))

    def drop_untold(self, number: int | None = None) -> None:
        """The person goes on, so what was begun answers half a question. :param number: This turn only."""
        if self._turn is not None and not self._turn.told and number in (None, self._turn.number):
            self._act(CancelTurn(self._turn.number))
            self._turn = None

    def answering(self, now: float) -> bool:
        """Whether an answer is being written or played."""
        turn = self._turn
        return turn is not None and turn.told and (turn.running or turn.playback.sounding(now))

    def unheard_question(self, now: float) -> Transcription | None:
        """The spoken question that is being answered, as long as nothing of the answer has been told."""
        turn = self._turn
        if turn is None or not self.answering(now) or turn.playback.begun:
            return None
        return turn.question if isinstance(turn.question, Transcription) else None

    def interrupt(self, now: float, heard_s: float | None = None, *, continues: bool = False) -> None:
        """:param heard_s: how much of it the player has played, where the caller knows better.
        :param continues: the person goes on with the question.
        """
        turn = self._turn
        if turn is None or not turn.told:
            return
        if heard_s is not None:
            turn.playback.played(heard_s, now)
        if self.answering(now):
            heard_text, position_s = turn.playback.heard(now), turn.playback.position(now)
            self._act(Emit(Interrupted(heard_text, round(position_s, 3), turn.answer_id, continues)))
            if turn.running:
                self._act(CancelTurn(turn.number))
        self._turn = None

    def played(self, position_s: float, now: float) -> None:
        if self._turn is not None:
            self._turn.playback.played(position_s, now)

    def doubt(self, voiced: bool, now: float) -> None:
        """At the first sound that may be speech the answer pauses; unless it is interrupted, it goes on.

        Once in an answer: with an echo that is not quite removed it would stutter.

        :param voiced: whether the newest window of the microphone may be speech.
        """
        turn = self._turn
        if turn is None or not turn.told:
            return
        if turn.playback.paused:
            turn.doubted_s += WINDOW_S
            if not voiced and turn.doubted_s >= _DOUBT_S:
                self._resume(turn, now)
        elif voiced and not turn.doubted_s and turn.playback.sounding(now):
            turn.playback.pause(now)
            self._act(Emit(AnswerPaused()))

    def resumes_in_s(self, now: float) -> float | None:
        """After how long a pause ends, whatever is heard meanwhile; None without one."""
        paused_s = self._turn.playback.paused_s(now) if self._turn else None
        return None if paused_s is None else max(0.0, _LONGEST_PAUSE_S - paused_s)

    def end_long_pause(self, now: float) -> None:
        if self._turn and self.resumes_in_s(now) == 0:
            self._resume(self._turn, now)

    def _resume(self, turn: _Turn, now: float) -> None:
        turn.playback.resume(now)
        self._act(Emit(AnswerResumed()))

    def is_own_voice(self, window_t: NDArray[np.float32], now: float) -> bool:
        """Whether this sound of the microphone is to be taken for the answer's, by the rule of `LoopOptions.echo`."""
        turn, echo = self._turn, self._options.echo
        if echo == "cancelled" or turn is None or not turn.playback.sounding(now, _TAIL_S):
            return False
        return echo == "half_duplex" or turn.echo.explains(window_t, turn.playback.position(now))

    def yielded(self, number: int, event: TurnEvent, now: float) -> None:
        """Turn `number` has got so far."""
        self._received(number, event, now)

    def ended(self, number: int, error: RagVoiceError | None, now: float) -> None:
        """Turn `number` yields nothing more."""
        if self._turn is not None and self._turn.number == number:
            self._turn.running = False
            if error is not None:
                self._received(number, Failed(error), now)

    def _received(self, number: int, event: TurnEvent | Failed, now: float) -> None:
        turn = self._turn
        if turn is None or turn.number != number:
            return
        if turn.told:
            self._tell(turn, event, now)
        else:
            if turn.held and isinstance(turn.held[-1], Draft):
                turn.held.pop()
            turn.held.append(event)

    def _tell(self, turn: _Turn, event: VoiceEvent, now: float) -> None:
        if isinstance(event, Heard) and turn.known:
            return
        if isinstance(event, Said | SaidOn):
            turn.playback.add(event, now)
            if event.audio is not None and self._options.echo == "correlated":
                turn.echo.add(event.audio)
        elif isinstance(event, Answer):
            turn.answer_id = event.turn_id
        self._act(Emit(event))
