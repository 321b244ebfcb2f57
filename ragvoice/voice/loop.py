"""The voice loop: sound in, events out, while the person speaks, thinks and interrupts.

`Dialogue` decides; here are the threads that do what it says: one that listens, one that recognises, one that answers,
one that prepares. None of them waits for another.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from ragvoice.datatypes import AudioChunk
from ragvoice.errors import AudioError, RagVoiceError, SpeechError
from ragvoice.speech.protocols import GivesUp, SpeechToText
from ragvoice.voice.detection import SpeechDetector
from ragvoice.voice.dialogue import Detector, Dialogue
from ragvoice.voice.events import Failed, Interrupted, VoiceEvent
from ragvoice.voice.messages import (
    Action,
    CancelTurn,
    Clear,
    Close,
    Commit,
    Emit,
    GiveUp,
    Input,
    Interrupt,
    LetGo,
    LoopOptions,
    Played,
    Prepare,
    Recognise,
    Recognised,
    Respond,
    Sound,
    StartTurn,
    Tick,
    Typed,
)
from ragvoice.voice.turn_worker import Ask, TurnWorker

MAX_WAITING_S = 120.0
"""Sound that may wait to be looked at or recognised; a sender that is so far ahead does not listen to `hear`."""
PATIENCE_S = 15.0
"""Longer than a pause within a question: whoever turns the microphone off in one must not hold up everybody else."""

_log = logging.getLogger(__name__)


class VoiceLoop:
    """One conversation with one person.

    :param ask: answers a `Transcription` or a typed text with the events of `VoiceBot.turn`, perhaps after `Waiting`.
        It is called from one thread, one turn after another. A generator that is closed was interrupted, or began
        on half a question; one that is not closed ran to its end. It is read beyond its first sentence only when the
        turn is certain, so a turn that reaches its `Answer` took place.
    :param transcriber: recognises; used from one thread. One that `GivesUp` makes a question wait less at its end.
    :param prepare: called with the beginning of a question, as far as it is known, while the person speaks; never
        twice at a time. It may ask whether it is still wanted and stop at a no: because more is known, or because
        something is recognised, which goes first on the same processor. Returns whether there is nothing left to do;
        otherwise it is called again after the recognition.
    :param on_interrupted: called before the interrupted generator is closed and before the next turn begins, so that
        the next turn can be told how much was heard. With `turn_id` the `Answer` of that id was complete and is cut;
        without, the generator is closed next. Not called where the person goes on with the question. Must return soon.
    :param clock: seconds, even.
    """

    def __init__(
        self,
        ask: Ask,
        transcriber: SpeechToText,
        options: LoopOptions | None = None,
        *,
        prepare: Callable[[str, Callable[[], bool]], bool] | None = None,
        on_interrupted: Callable[[Interrupted], None] | None = None,
        detector: Detector | None = None,
        clock: Callable[[], float] = time.monotonic,
    ):
        self._transcriber = transcriber
        self._prepare = prepare
        self._on_interrupted = on_interrupted
        self._clock = clock
        self._dialogue = Dialogue(detector or SpeechDetector(), options)
        self._inbox: queue.SimpleQueue[Input | None] = queue.SimpleQueue()
        self._outbox: queue.SimpleQueue[VoiceEvent | None] = queue.SimpleQueue()
        self._unseen_s = 0.0
        self._unseen = threading.Lock()
        self.closed = threading.Event()
        """Set when `close` is called."""
        self._turns = TurnWorker(ask, self._inbox.put, patience_s=PATIENCE_S)
        self._recogniser = ThreadPoolExecutor(1, "voice-recognise")
        self._preparer = ThreadPoolExecutor(1, "voice-prepare")
        self._given_up = 0
        """Number of the newest recognition that is not wanted any more."""
        self._recognising = False
        self._to_prepare: str | None = None
        self._thread = threading.Thread(target=self._run, name="voice-loop", daemon=True)
        self._thread.start()

    def hear(self, chunk: AudioChunk) -> float:
        """Sound of the microphone, of any length and rate; from any thread, returns at once.

        :return: seconds of sound that wait to be looked at or recognised. Who sends faster than real time waits while
            this is more than a few.
        :raises AudioError: two minutes of sound are waiting.
        """
        seconds = len(chunk.samples_t) / chunk.sample_rate_hz
        with self._unseen:
            waiting_s = self._unseen_s + self._dialogue.unrecognised_s
            if waiting_s + seconds > MAX_WAITING_S:
                raise AudioError(
                    f"{waiting_s:.0f} s of sound are waiting to be recognised; send sound no faster than it is spoken."
                )
            self._unseen_s += seconds
        self._inbox.put(Sound(chunk))
        return waiting_s + seconds

    def say(self, text: str) -> None:
        """A typed question in the same conversation; it interrupts an answer."""
        self._inbox.put(Typed(text))

    def interrupt(self, heard_s: float | None = None) -> None:
        """Stop the answer, also the one to a turn that has ended and whose words are not known yet.

        :param heard_s: how much of it was played, so one that has begun; None is what `played` said last, and on.
        """
        self._inbox.put(Interrupt(heard_s))

    def played(self, seconds: float) -> None:
        """Where the player is in the current answer; reports make `Interrupted` exact."""
        self._inbox.put(Played(seconds))

    def commit(self) -> None:
        """The person has finished, whatever the pause."""
        self._inbox.put(Commit())

    def respond(self) -> None:
        """Answer the latest turn, where `LoopOptions.answer_at_once` is off; `NothingToAnswer` where there is none."""
        self._inbox.put(Respond())

    def clear(self) -> None:
        """What was said since the last turn does not count; a turn that has ended stays one."""
        self._inbox.put(Clear())

    def events(self) -> Iterator[VoiceEvent]:
        """What happens, until the loop is closed; for one reader."""
        while (event := self._outbox.get()) is not None:
            yield event

    @property
    def at_work(self) -> bool:
        """Whether something that was said is being recognised or prepared for."""
        return self._recognising or self._to_prepare is not None

    def close(self) -> None:
        """Stop everything; safe to call twice and from any thread but those that the loop calls from."""
        if not self.closed.is_set():
            self.closed.set()
            self._inbox.put(None)
            self._thread.join(timeout=10)

    def _run(self) -> None:
        while (given := self._next()) is not None:
            actions: list[Action] = []
            with self._outliving(given):
                actions = self._dialogue.step(given, self._clock())
            for action in actions:
                with self._outliving(action):
                    self._do(action)
            if isinstance(given, Recognised) and self._to_prepare is not None:
                self._preparer.submit(self._prepare_newest)
            if isinstance(given, Sound):
                with self._unseen:
                    self._unseen_s -= len(given.frame.samples_t) / given.frame.sample_rate_hz
        for action in self._dialogue.step(Close(), self._clock()):
            self._do(action)
        self._turns.close()
        self._recogniser.shutdown(wait=False, cancel_futures=True)
        self._preparer.shutdown(wait=False, cancel_futures=True)
        self._outbox.put(None)

    def _next(self) -> Input | None:
        wait_s = self._dialogue.wakes_in_s(self._clock())
        if wait_s == 0:
            return Tick()
        try:
            return self._inbox.get(timeout=wait_s)
        except queue.Empty:
            return Tick()

    @contextmanager
    def _outliving(self, what: Input | Action) -> Iterator[None]:
        """One bad frame, and one action that fails, is told; the conversation goes on."""
        try:
            yield
        except Exception as error:
            _log.exception("The voice loop failed at %s", type(what).__name__)
            self._outbox.put(Failed(SpeechError(f"The voice loop failed: {error}")))

    def _do(self, action: Action) -> None:
        match action:
            case Emit(event):
                self._outbox.put(event)
                if isinstance(event, Interrupted) and not event.continues and self._on_interrupted is not None:
                    self._on_interrupted(event)
            case Recognise(job, sound):
                self._recognising = True
                self._recogniser.submit(self._recognise, job, sound)
            case GiveUp(job):
                self._given_up = job
            case Prepare(text):
                self._to_prepare = text
            case StartTurn(turn, question):
                self._to_prepare = None
                self._turns.start(turn, question)
            case LetGo(turn):
                self._turns.let_go(turn)
            case CancelTurn(turn):
                self._turns.cancel(turn)

    def _recognise(self, job: int, sound: AudioChunk) -> None:
        try:
            if isinstance(self._transcriber, GivesUp):
                heard = self._transcriber.transcribe_while(sound, lambda: self._given_up != job)
            else:
                heard = self._transcriber.transcribe(sound)
            recognised = Recognised(job, heard)
        except RagVoiceError as error:
            recognised = Recognised(job, error)
        except Exception as error:
            _log.exception("Recognition failed")
            recognised = Recognised(job, SpeechError(f"Recognition failed: {error}"))
        self._recognising = False  # before the next one can be asked for
        self._inbox.put(recognised)

    def _prepare_newest(self) -> None:
        """After each recognition, as long as there is something to prepare for: the one before may have had to stop."""
        text = self._to_prepare
        if text is None or self._prepare is None or self._recognising:
            return
        try:
            done = self._prepare(text, lambda: self._to_prepare == text and not self._recognising)
        except Exception as error:  # it only saves time; the turn itself will say what is wrong
            _log.warning("Nothing was prepared for the question: %s", error)
            done = True
        if done and self._to_prepare == text:
            self._to_prepare = None
