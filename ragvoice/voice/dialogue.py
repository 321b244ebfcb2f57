"""The voice loop as a pure state machine: inputs in, actions out, no thread and no clock of its own.

A turn goes through: speech starts -> recognised again and again -> a short pause: recognised, and an answer begun
without being told -> either the person goes on and that answer is dropped, or the longer pause comes and it is told.
Whether a turn is over depends on the words too: after "how many days of the" the pause may be longer.

What is begun without being told never gets further than its first sentence, so whoever logs a turn at its `Answer`
logs only turns that took place.

Array legend: `t` samples.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from ragvoice.datatypes import AudioChunk, Transcription
from ragvoice.errors import RagVoiceError
from ragvoice.speech.stretches import MAX_STRETCH_S
from ragvoice.voice.answers import Answers
from ragvoice.voice.detection import WINDOW_S
from ragvoice.voice.endpointing import ONSET_S, THRESHOLD, Endpointer, Pause, Resumed, looks_unfinished
from ragvoice.voice.events import Failed, NothingHeard, NothingToAnswer, Partial, SpeechEnded, SpeechStarted
from ragvoice.voice.messages import (
    Action,
    Clear,
    Close,
    Commit,
    Emit,
    GiveUp,
    Input,
    Interrupt,
    LoopOptions,
    Played,
    Prepare,
    Recognise,
    Recognised,
    Respond,
    Sound,
    Tick,
    TurnEnded,
    TurnHeldUp,
    TurnYielded,
    Typed,
)
from ragvoice.voice.transcribing import FINISH_AFTER_S, Utterance
from ragvoice.voicebot import Heard

_BEFORE_WINDOWS = 16
"""Half a second of sound before speech is certain: its soft beginning, and the windows that were waited for."""
_MIN_WORDS = 3
"""To search with; fewer find nothing in particular."""

JobKind = Literal["partial", "pause", "overlong"]


class Detector(Protocol):
    def feed(self, frame: AudioChunk) -> list[tuple[NDArray[np.float32], float]]:
        """Windows at 16 kHz, each with its probability of speech."""


@dataclass(frozen=True)
class _Job:
    """A recognition under way."""

    number: int
    kind: JobKind
    sound: AudioChunk
    utterance: Utterance
    started_at: float
    resumes: int
    """How often the person had gone on by then: an older one does not know the last words."""


class Dialogue:
    """One conversation. All calls come from one thread."""

    def __init__(self, detector: Detector, options: LoopOptions | None = None):
        self._options = options or LoopOptions()
        self._detector = detector
        self._endpointer = Endpointer(self._options.work_pause_s)
        self._answers = Answers(self._options, lambda action: self._actions.append(action))
        self._before: deque[NDArray[np.float32]] = deque(maxlen=_BEFORE_WINDOWS)
        self._utterance: Utterance | None = None
        self._final: Transcription | None = None
        self._resumes = 0
        self._ended_at_s = float("-inf")
        self._unanswered: Transcription | None = None
        self._respond_soon = False
        """The latest turn is to be answered, and its words are not known yet."""
        self._stopped = False
        """Its answer was stopped before its words were known."""
        self._since_partial_s = 0.0
        self._partial_gap_s = self._options.partial_every_s
        self._job: _Job | None = None
        self._jobs = 0
        self._wanted: JobKind | None = None
        self._prepared = ""
        self._now = 0.0
        self._actions: list[Action] = []

    @property
    def unrecognised_s(self) -> float:
        """Seconds of sound that are held for the recogniser."""
        utterance = self._utterance  # `VoiceLoop.hear` asks from another thread
        return utterance.unfinished_s if utterance else 0.0

    def wakes_in_s(self, now: float) -> float | None:
        """When it wants a `Tick`, if nothing else is given by then; None: never."""
        return self._answers.resumes_in_s(now)

    def step(self, given: Input, now: float) -> list[Action]:
        """:param now: seconds of any clock that runs evenly; it says how far the player may be."""
        self._now, self._actions = now, []
        match given:
            case Tick():
                self._answers.end_long_pause(now)
            case Sound(frame):
                for window_t, probability in self._detector.feed(frame):
                    self._window(window_t, probability)
            case Recognised(job, result):
                self._recognised(job, result)
            case TurnYielded(turn, event):
                self._answers.yielded(turn, event, now)
            case TurnHeldUp(turn):
                self._answers.drop_untold(turn)
            case TurnEnded(turn, error):
                self._answers.ended(turn, error, now)
            case Typed(text):
                self._typed(text)
            case Commit():
                self._commit()
            case Respond():
                self._respond()
            case Clear():
                self._clear()
            case Interrupt(heard_s):
                self._answers.interrupt(now, heard_s)
                if heard_s is None:  # else it is of an answer that has begun
                    self._stop_what_comes()
            case Played(position_s):
                self._answers.played(position_s, now)
            case Close():
                self._end_listening()
        return self._actions

    def _window(self, window_t: NDArray[np.float32], probability: float) -> None:
        if self._answers.is_own_voice(window_t, self._now):
            probability = 0.0
        endpoint = self._endpointer.step(
            probability,
            end_after_s=self._end_after_s(),
            onset_s=self._options.interrupt_after_s if self._answers.answering(self._now) else ONSET_S,
        )
        self._answers.doubt(self._endpointer.voiced, self._now)
        # Until its words are known, an ended turn is still open: whoever speaks again goes on with it.
        if self._utterance is not None:
            self._utterance.add(window_t)
        else:
            self._before.append(window_t)
        match endpoint:
            case SpeechStarted():
                self._speech_started(endpoint)
            case Pause():
                self._want("pause")
            case Resumed():
                self._resumed()
            case SpeechEnded():
                self._speech_ended(endpoint)
            case _:
                self._go_on(probability)

    def _end_after_s(self) -> float:
        """As long as the newest words are not known, it cannot be told whether they are the last."""
        if self._final is None or looks_unfinished(self._final.text):
            return self._options.patient_pause_s
        return self._options.pause_s

    def _speech_started(self, event: SpeechStarted) -> None:
        soon = event.at_s - self._ended_at_s <= self._options.rejoin_s
        before = self._answers.unheard_question(self._now) if soon else None
        self._answers.interrupt(self._now, continues=before is not None)
        self._emit(event)
        self._stopped = False
        if self._utterance is None:
            self._utterance = Utterance(before)
            for window_t in self._before:
                self._utterance.add(window_t)
            self._before.clear()
            self._since_partial_s = 0.0
        self._resumed()

    def _resumed(self) -> None:
        """Whatever was recognised or begun at the last pause was not the whole."""
        self._resumes += 1
        self._final, self._wanted = None, None
        self._answers.drop_untold()

    def _go_on(self, probability: float) -> None:
        """The person speaks on: recognise what there is from time to time; so, too, in a silence that has no end."""
        if not self._endpointer.speaking:
            return
        if self.unrecognised_s > MAX_STRETCH_S and self._wanted != "pause":
            self._want("overlong")
        elif not self._endpointer.paused:
            self._since_partial_s += WINDOW_S
            if self._job is None and self._since_partial_s >= self._partial_gap_s and probability >= THRESHOLD:
                self._recognise("partial")

    def _speech_ended(self, event: SpeechEnded) -> None:
        self._ended_at_s = event.at_s
        self._emit(event)
        job = self._job
        if self._final is not None:
            self._settle(self._final)
        elif self._wanted != "pause" and not (job and job.kind == "pause" and job.resumes == self._resumes):
            self._want("pause")

    def _commit(self) -> None:
        if self._endpointer.speaking:
            self._speech_ended(self._endpointer.end())
        elif self._utterance is None and not self._answers.answering(self._now):
            self._emit(NothingHeard())

    def _want(self, kind: JobKind) -> None:
        """Recognise now, or as soon as the recogniser is free."""
        if self._job is None:
            self._recognise(kind)
        elif kind == "pause" or self._job.kind != "overlong":
            self._wanted = kind
            if kind == "pause" and self._job.kind == "partial":
                self._actions.append(GiveUp(self._job.number))

    def _recognise(self, kind: JobKind) -> None:
        if self._utterance is None:
            return
        sound = self._utterance.overlong() if kind == "overlong" else self._utterance.sound()
        if sound is None:
            return
        self._jobs += 1
        self._since_partial_s = 0.0
        self._job = _Job(self._jobs, kind, sound, self._utterance, self._now, self._resumes)
        self._actions.append(Recognise(self._jobs, sound))

    def _recognised(self, number: int, result: Transcription | RagVoiceError | None) -> None:
        job = self._job
        if job is None or job.number != number:
            return
        self._job = None
        if result is not None:
            self._partial_gap_s = max(self._options.partial_every_s, 2 * (self._now - job.started_at))
        if result is not None and job.utterance is self._utterance:
            if isinstance(result, RagVoiceError):
                self._respond_soon = False
                self._end_listening()
                self._emit(Failed(result))
            else:
                self._understood(job, result)
        wanted, self._wanted = self._wanted, None
        if wanted is not None:
            self._recognise(wanted)

    def _understood(self, job: _Job, heard: Transcription) -> None:
        if job.kind == "overlong":
            job.utterance.finish(heard, job.sound)
            return
        text, settled = job.utterance.hypothesis(heard)
        whole = job.utterance.transcription(heard)
        if job.kind == "pause" and job.sound.duration_s > FINISH_AFTER_S:
            job.utterance.finish(heard, job.sound)
        if text:
            self._emit(Partial(text, settled))
        if job.kind != "pause" or job.resumes != self._resumes:
            self._prepare(text)
            return
        self._final = whole
        if not self._endpointer.speaking:
            self._settle(whole)
        elif whole.text and self._options.answer_at_once and not looks_unfinished(whole.text):
            self._answers.start(whole, told=False)
        else:
            self._prepare(text)

    def _prepare(self, text: str) -> None:
        """A search forgives a wrong last word, and settled words lag too far behind to find the same passages."""
        if len(text.split()) >= _MIN_WORDS and text != self._prepared:
            self._prepared = text
            self._actions.append(Prepare(text))

    def _settle(self, heard: Transcription) -> None:
        """The turn is over and its words are known."""
        wanted = (self._options.answer_at_once and not self._stopped) or self._respond_soon
        if not heard.text and not self._options.answer_silence:
            self._emit(NothingHeard())
            self._end_listening()
            return
        self._respond_soon = False
        self._end_listening()
        if wanted:
            self._answers.tell(heard, self._now)
        else:
            self._unanswered = None if self._options.answer_at_once else heard
            self._emit(Heard(heard))

    def _stop_what_comes(self) -> None:
        """Who stops the answer to a turn whose words are not known yet gets none; the words are told."""
        if self._utterance is not None and not self._endpointer.speaking:
            self._stopped = True
            self._want_no_answer()

    def _want_no_answer(self) -> None:
        if self._respond_soon:
            self._respond_soon = False
            self._emit(NothingToAnswer())

    def _respond(self) -> None:
        question, self._unanswered = self._unanswered, None
        if question is not None:
            self._answers.interrupt(self._now)
            self._answers.start(question, told=True, known=True)
        elif self._utterance is not None:
            self._respond_soon = True
        elif not (self._options.answer_at_once and self._answers.answering(self._now)):
            self._emit(NothingToAnswer())

    def _clear(self) -> None:
        """A turn that has ended is not taken back, although its words are not known yet."""
        if self._utterance is None or self._endpointer.speaking:
            self._answers.drop_untold()
            self._end_listening()

    def _typed(self, text: str) -> None:
        """What is typed counts; what was said before and is not answered does not."""
        self._answers.interrupt(self._now)
        self._answers.drop_untold()
        self._end_listening()
        self._unanswered = None
        self._answers.start(text, told=True)

    def _end_listening(self) -> None:
        if self._endpointer.speaking:
            self._endpointer.end()
        self._utterance, self._final, self._wanted, self._prepared = None, None, None, ""
        self._before.clear()
        self._stopped = False
        self._want_no_answer()

    def _emit(
        self, event: Partial | SpeechStarted | SpeechEnded | Heard | NothingHeard | NothingToAnswer | Failed
    ) -> None:
        self._actions.append(Emit(event))
