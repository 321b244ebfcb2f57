"""One turn: speech or text in, a grounded answer out, spoken sentence by sentence."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from ragvoice.datatypes import (
    Answer,
    AudioChunk,
    Citation,
    Draft,
    Message,
    ModelNames,
    Passage,
    Style,
    Timings,
    Transcription,
)
from ragvoice.errors import SpeechError, UsageError
from ragvoice.generation.answering import Answering, Verdict
from ragvoice.generation.clarify import did_you_mean, resolved
from ragvoice.generation.followup import search_follow_up
from ragvoice.speech.loudness import from_first_sound
from ragvoice.speech.pieces import begin
from ragvoice.speech.protocols import SpeechToText, TextToSpeech
from ragvoice.speech.speakable import speakable
from ragvoice.speech.spoken_source import spoken_source

NO_SPEECH = "I did not hear a question."
MAX_QUESTION_WORDS = 300
"""A longer text is a document, not a question; a minute of fast speech is about 200 words."""


class AnswerSource(Protocol):
    """`Answering` gives itself, `LiveAnswering` the one with the adapter in service."""

    def current(self) -> Answering: ...


class Searcher(Protocol):
    """What the turn needs of a retriever; `HybridRetriever` has it."""

    @property
    def generation(self) -> str:
        """Of the index."""

    def pinned(self) -> Searcher:
        """On one generation, whatever is published meanwhile."""

    def search(self, query: str, k: int | None = None, groups: Iterable[str] | None = None) -> list[Passage]: ...


@dataclass(frozen=True)
class Heard:
    transcription: Transcription


@dataclass(frozen=True)
class Found:
    standalone_question: str
    passages: tuple[Passage, ...]
    begun: Answer | None = None
    """The turn as far as it is known, without a word said: what is logged of it when it is cut short."""


@dataclass(frozen=True)
class Said:
    """One sentence of the answer; `audio` is None when nothing is spoken aloud.

    Where `text` is empty, the audio names the source of the sentence before: that is said and not written."""

    text: str
    citation: Citation | None
    audio: AudioChunk | None
    """Its sound, or the beginning of it."""
    rest_s: float = 0.0
    """Seconds of its sound that are still to come, as `SaidOn`."""
    last: bool = True
    """No more of its sound comes."""


@dataclass(frozen=True)
class SaidOn:
    """The sound of the last sentence goes on."""

    audio: AudioChunk
    rest_s: float
    last: bool
    """Both as of `Said`."""


Event = Heard | Found | Draft | Said | SaidOn | Answer


class VoiceBot:
    """Holds no conversation: the caller passes the history, so one bot serves many people."""

    def __init__(
        self,
        retriever: Searcher,
        answering: AnswerSource,
        *,
        stt: SpeechToText | None = None,
        tts: TextToSpeech | None = None,
        names: ModelNames | None = None,
        passages: int = 8,
        unclear_speech: float = 0.0,
        spoken_sources: bool = False,
        drafts: bool = False,
    ):
        """
        :param names: What answers name as their makers; the adapter's name comes from `answering`.
        :param passages: Retrieved for each question and reported; the model reads the best of them.
        :param unclear_speech: Below this confidence of the recogniser the question is asked back.
        :param spoken_sources: Name each document aloud, once, after the first sentence that rests on it.
        :param drafts: Tell what is being written before it is checked, for who wants to see it.
        """
        self._retriever = retriever
        self._answering = answering
        self._stt = stt
        self._tts = tts
        self._names = names or ModelNames()
        self._passages = passages
        self._unclear_speech = unclear_speech
        self._spoken_sources = spoken_sources
        self._drafts = drafts

    def turn(
        self,
        question: str | AudioChunk | Transcription,
        history: Sequence[Message] = (),
        groups: Iterable[str] = (),
        style: Style = "spoken",
        *,
        speak: bool = False,
    ) -> Iterator[Event]:
        """Events in the order in which they happen; the last one is the `Answer`.

        :param question: Typed, recorded, or recognised already.
        :raises UsageError: for an empty or endless question. :raises SpeechError, GenerationError: from the models.
        """
        clock, heard = _Clock(), 1.0
        searcher, answering = self._retriever.pinned(), self.answering
        names = replace(
            self._names,
            adapter=answering.adapter,
            stt=None if isinstance(question, str) else self._names.stt,
            tts=self._names.tts if speak else None,
        )
        blank = Answer(
            uuid.uuid4().hex, "", "", "no_speech", NO_SPEECH, 0.0, index_generation=searcher.generation, models=names
        )
        if not isinstance(question, str):
            if isinstance(question, AudioChunk):
                transcription = self.recogniser.transcribe(question)
                clock.mark("transcribe")
            else:
                transcription = question
            yield Heard(transcription)
            blank = replace(blank, question=transcription.text, transcription=transcription)
            if not transcription.text.strip():
                yield from self._say(NO_SPEECH, None, speak, clock)
                yield replace(blank, timings=clock.timings(None))
                return
            if (transcription.confidence or 1.0) < self._unclear_speech:
                back = did_you_mean(transcription.text)
                yield from self._say(back, None, speak, clock)
                yield replace(blank, outcome="clarify", answer=back, timings=clock.timings(None))
                return
            question, heard = transcription.text, transcription.confidence or 1.0
        check_question(question)
        started = time.perf_counter()
        asked = self._searched(question, history, groups, searcher)
        question = asked.question
        clock.mark("retrieve", since=started)
        blank = replace(blank, question=question, standalone_question=asked.standalone, passages=asked.passages)
        yield Found(asked.standalone, asked.passages, replace(blank, outcome="answered", answer=""))
        stream = answering.stream(question, asked.passages, asked.told, style, heard)
        named: set[str] = set()
        for statement in stream:
            if isinstance(statement, Draft):
                if self._drafts:
                    yield statement
                continue
            yield from self._say(statement.text, statement.citation, speak, clock)
            # After the sentence: the first sound does not wait for it.
            if speak and self._spoken_sources and (citation := statement.citation) and citation.doc_id not in named:
                named.add(citation.doc_id)
                if source := spoken_source(citation):
                    yield from self._say(source, citation, speak, clock, written=False)
        verdict: Verdict = stream.verdict
        if verdict.outcome != "answered":
            yield from self._say(verdict.answer, None, speak, clock)
        yield replace(
            blank,
            outcome=verdict.outcome,
            answer=verdict.answer,
            confidence=round(verdict.confidence, 4),
            citations=verdict.citations,
            timings=clock.timings(stream.first_token_at),
            draft=verdict.draft,
            evidence=verdict.evidence,
            prompt_hash=stream.prompt_hash,
        )

    def ask(
        self,
        question: str | AudioChunk,
        history: Sequence[Message] = (),
        groups: Iterable[str] = (),
        style: Style = "spoken",
    ) -> Answer:
        """The finished answer of a turn, when nobody listens to the events."""
        *_, answer = self.turn(question, history, groups, style)
        assert isinstance(answer, Answer)
        return answer

    def prepare(
        self,
        partial: str,
        history: Sequence[Message] = (),
        groups: Iterable[str] = (),
        style: Style = "spoken",
        wanted: Callable[[], bool] = lambda: True,
    ) -> bool:
        """Search with what was said so far and let the model read what was found, so that the answer begins sooner.

        Takes as long as reading it: call it from another thread than the one that listens, again whenever more is
        heard. What was read before costs a search (about 10 ms). The answer of the turn is the same without it.

        :param wanted: Asked meanwhile; at a no the model may stop, and go on from there another time.
        :returns: Whether nothing is left to read.
        :raises GenerationError: from the model.
        """
        if not partial.strip():
            return False
        asked = self._searched(partial, history, groups, self._retriever.pinned())
        return self.answering.prepare(asked.question, asked.passages, asked.told, style, wanted)

    def _searched(self, question: str, history: Sequence[Message], groups: Iterable[str], searcher: Searcher) -> _Asked:
        question = resolved(question, history)
        standalone, found = search_follow_up(
            question, history, lambda query: searcher.search(query, self._passages, groups)
        )
        # A question that was searched for by itself is read by itself.
        told = history if standalone != question.strip() else ()
        return _Asked(question, standalone, tuple(found), tuple(told))

    @property
    def answering(self) -> Answering:
        """With the adapter in service."""
        return self._answering.current()

    @property
    def recogniser(self) -> SpeechToText:
        """:raises SpeechError: when there is none."""
        if self._stt is None:
            raise SpeechError("A spoken question needs a recogniser, and none is configured.")
        return self._stt

    @property
    def voice(self) -> TextToSpeech:
        """:raises SpeechError: when there is none."""
        if self._tts is None:
            raise SpeechError("A spoken answer needs a voice, and none is configured.")
        return self._tts

    def _say(
        self, text: str, citation: Citation | None, speak: bool, clock: _Clock, *, written: bool = True
    ) -> Iterator[Said | SaidOn]:
        if not speak:
            yield Said(text, citation, None)
            return
        sound = begin(self.voice, speakable(text))
        rest = sound.samples
        for number, piece in enumerate(sound.pieces):
            rest -= len(piece.samples_t)
            rest_s, last = rest / sound.sample_rate_hz, rest == 0
            if clock.first_audio():
                piece = from_first_sound(piece)  # whoever waits for an answer waits no longer than for it
            if number:
                yield SaidOn(piece, rest_s, last)
            else:
                yield Said(text if written else "", citation, piece, rest_s, last)


@dataclass(frozen=True)
class _Asked:
    """What the model is asked: the question, the passages, and the lines of the conversation that it leans on."""

    question: str
    standalone: str
    passages: tuple[Passage, ...]
    told: tuple[Message, ...]


class _Clock:
    """Timings of one turn, in seconds."""

    def __init__(self) -> None:
        self._started = time.perf_counter()
        self._stages: dict[str, float] = {}

    def mark(self, stage: str, since: float | None = None) -> None:
        self._stages[stage] = time.perf_counter() - (self._started if since is None else since)

    def first_audio(self) -> bool:
        """Whether it is the first."""
        if "first_audio" in self._stages:
            return False
        self.mark("first_audio")
        return True

    def timings(self, first_token_at: float | None) -> Timings:
        return Timings(
            transcribe=_rounded(self._stages.get("transcribe")),
            retrieve=_rounded(self._stages.get("retrieve")),
            first_token=_rounded(first_token_at - self._started if first_token_at else None),
            first_audio=_rounded(self._stages.get("first_audio")),
            total=_rounded(time.perf_counter() - self._started),
        )


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 4)


def check_question(question: str) -> None:
    """:raises UsageError: when there is nothing to answer, or a whole document of it."""
    words = len(question.split())
    if words == 0:
        raise UsageError(
            'The question is empty. Ask something, for example: ragvoice ask "How many holidays do I get?"'
        )
    if words > MAX_QUESTION_WORDS or len(question) > 20 * MAX_QUESTION_WORDS:
        raise UsageError(f"The question has {words} words; ask it in at most {MAX_QUESTION_WORDS}.")
