"""The four that answer a spoken question in `voice_turn.py`, each in a process of its own.

`loop` hears the question while it is spoken; `read` is the same, passages apart, with the documents read beforehand;
`whole` is `VoiceBot.turn` and `plain` the plain pipeline, both given the whole recording once the same pause has shown
that it is over. Times of a row are seconds after the last voiced sample.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Protocol

from ragvoice.datatypes import EVERYONE, Answer, AudioChunk, Transcription
from ragvoice.generation.kept_pieces import KeptPieces
from ragvoice.people.person import Person
from ragvoice.retrieval.index import DocumentIndex
from ragvoice.speech.pieces import begin
from ragvoice.speech.protocols import SoundInPieces
from ragvoice.voice.events import Failed, Interrupted, NothingHeard
from ragvoice.voice.loop import VoiceLoop
from ragvoice.voice.messages import LoopOptions
from ragvoice.voicebot import Heard, Said, VoiceBot

sys.path.insert(0, str(Path(__file__).resolve().parent))
from voice_turn_sound import Microphone, Spoken, leading_silence_s

PAUSE_S = LoopOptions().pause_s
PATIENCE_S = 60.0
STAGES = (
    "pause",
    "transcription",
    "retrieval",
    "first token",
    "first sentence",
    "whole text",
    "voice",
    "end of turn",
    "leading silence",
)
Row = dict[str, Any]


class Side(Protocol):
    def turn(self, question: Spoken) -> Row: ...


@dataclass
class Timed:
    """A recogniser or a voice, and when each of its calls began and ended."""

    inner: Any
    calls: list[tuple[float, float]] = field(default_factory=list)

    def transcribe(self, audio: AudioChunk) -> Transcription:
        return self._timed(self.inner.transcribe, audio)

    def transcribe_while(self, audio: AudioChunk, wanted: Callable[[], bool]) -> Transcription | None:
        return self._timed(partial(self.inner.transcribe_while, wanted=wanted), audio)

    def begin(self, text: str) -> SoundInPieces:
        """A call of a voice ends with the first piece, which is what can be heard."""

        def begun(text: str) -> SoundInPieces:
            sound = begin(self.inner, text)
            first = next(sound.pieces)
            return replace(sound, pieces=chain([first], sound.pieces))

        return self._timed(begun, text)

    def _timed(self, call: Callable[[Any], Any], given: Any) -> Any:
        began = time.perf_counter()
        try:
            return call(given)
        finally:
            self.calls.append((began, time.perf_counter()))

    def last_before(self, moment: float) -> tuple[float, float]:
        """(began, ended) of the latest call that had ended by then."""
        return max(call for call in self.calls if call[1] <= moment)


def timed(bot: VoiceBot) -> tuple[Timed, Timed]:
    """(recogniser, voice) of a bot, which it uses from now on."""
    recogniser, voice = Timed(bot.recogniser), Timed(bot.voice)
    bot._stt, bot._tts = recogniser, voice
    return recogniser, voice


def forget(bot: VoiceBot) -> None:
    """What the model has read: a question that comes again, in another room, is to be as new as the first time."""
    kept = getattr(bot.answering.chat, "_kept", None)
    if isinstance(kept, KeptPieces):
        kept.clear()


def answered_row(answer: Answer, spoke: tuple[float, float], said_at: float, silence_s: float) -> Row:
    """Stages between the question's words and the first sound of the answer."""
    timings = answer.timings
    began = spoke[1] - (timings.first_audio or 0.0)
    transcribe, retrieve, first_token = timings.transcribe or 0.0, timings.retrieve or 0.0, timings.first_token or 0.0
    return {
        "retrieval": retrieve,
        "first token": first_token - retrieve - transcribe,
        "first sentence": spoke[0] - began - first_token,
        "voice": spoke[1] - spoke[0],
        "end of turn": said_at - spoke[1],
        "leading silence": silence_s,
    }


class Loop:
    """`Desk.loop`, as the page and `ragvoice talk` use it."""

    apart: bool | None = None
    """None: as it is configured."""

    def __init__(self, index: Path):
        from ragvoice.desk import build_desk
        from ragvoice.settings import read_settings

        self._folder = tempfile.TemporaryDirectory()
        turns = Path(self._folder.name) / "turns.sqlite"
        self._desk = build_desk(read_settings(index=index, turns=turns, passages_apart=self.apart))
        self._recogniser, self._voice = timed(self._desk.models.bot)
        self._person = Person("bench")

    def turn(self, question: Spoken) -> Row:
        forget(self._desk.models.bot)
        return self._turn(question)

    def _turn(self, question: Spoken) -> Row:
        loop, watchdog = self._loop()
        microphone = Microphone(loop.hear, question.sound)
        ended_at = microphone.began_at + question.ends_s
        row: Row = {"outcome": "nothing", "question": "", "answer": "", "interrupted": 0}
        heard_at = said_at = silence_s = None
        answer: Answer | None = None
        for event in loop.events():
            now = time.perf_counter()
            match event:
                case Heard():
                    heard_at = now
                case Said(audio=AudioChunk() as audio) if said_at is None:
                    silence_s = leading_silence_s(audio)
                    said_at = None if silence_s is None else now
                case Interrupted():
                    row["interrupted"] += 1
                    said_at = None
                case Answer() if now > ended_at:
                    answer = event
                    break
                case NothingHeard() | Failed():
                    break
        watchdog.cancel()
        microphone.stop()
        loop.close()
        if heard_at is not None:
            row["words known"] = self._recogniser.last_before(heard_at)[1] - ended_at
        if answer is None or said_at is None or silence_s is None:
            return row
        row |= {"outcome": answer.outcome, "question": answer.question, "answer": answer.answer}
        if answer.outcome == "answered":
            spoke = self._voice.last_before(said_at)
            began = spoke[1] - (answer.timings.first_audio or 0.0)
            recognised = self._recogniser.last_before(began + 0.01)
            row |= {"pause": recognised[0] - ended_at, "transcription": began - recognised[0]}
            row |= answered_row(answer, spoke, said_at, silence_s)
            row["first sound"] = said_at + silence_s - ended_at
        return row

    def interruption(self, question: str, by: Spoken | None) -> float | None:
        """Seconds from `interrupt()`, or from the first voiced sample of `by`, to `Interrupted`.

        It comes 0.3 s after the first sentence, while the second is written. None where the answer was over by then.
        """
        loop, watchdog = self._loop()
        loop.say(question)
        called: list[float] = []
        microphone: Microphone | None = None
        seconds = None

        def press() -> None:
            called.append(time.perf_counter())
            loop.interrupt()

        for event in loop.events():
            now = time.perf_counter()
            if isinstance(event, Interrupted) and called:
                seconds = now - called[0]
                break
            if isinstance(event, Said) and event.audio is not None and not called and microphone is None:
                if by is None:
                    threading.Timer(0.3, press).start()
                else:
                    microphone = Microphone(loop.hear, by.since(by.begins_s - 0.3))
                    called.append(microphone.began_at + 0.3)
        watchdog.cancel()
        if microphone is not None:
            microphone.stop()
        loop.close()
        return seconds

    def _loop(self) -> tuple[VoiceLoop, threading.Timer]:
        loop = self._desk.loop(self._person)
        watchdog = threading.Timer(PATIENCE_S, loop.close)
        watchdog.daemon = True
        watchdog.start()
        return loop, watchdog


class Read(Loop):
    """The same, whose model reads passages apart and has read the documents while nobody asked
    (`Desk.read_while_idle`), as a server has after some minutes."""

    apart = True

    def __init__(self, index: Path):
        super().__init__(index)
        bot = self._desk.models.bot
        for passage in DocumentIndex.open(index).every_passage():
            bot.answering.read_ahead(passage)

    def turn(self, question: Spoken) -> Row:
        return self._turn(question)


class Whole:
    """The same bot, which hears the recording when it is over."""

    def __init__(self, index: Path):
        from ragvoice.build import build_voicebot
        from ragvoice.settings import read_settings

        self._bot = build_voicebot(read_settings(index=index), listens=True, speaks=True)
        self._voice = timed(self._bot)[1]

    def turn(self, question: Spoken) -> Row:
        said_at = silence_s = None
        answer: Any = None
        forget(self._bot)
        began = time.perf_counter()
        for answer in self._bot.turn(question.until(question.ends_s + PAUSE_S), speak=True):
            if isinstance(answer, Said) and answer.audio is not None and said_at is None:
                said_at, silence_s = time.perf_counter(), leading_silence_s(answer.audio)
        transcribe = answer.timings.transcribe or 0.0
        row = {"outcome": answer.outcome, "question": answer.question, "answer": answer.answer}
        row |= {"pause": PAUSE_S, "transcription": transcribe, "words known": PAUSE_S + transcribe}
        if answer.outcome == "answered" and said_at is not None and silence_s is not None:
            row |= answered_row(answer, self._voice.last_before(said_at), said_at, silence_s)
            row["first sound"] = PAUSE_S + said_at + silence_s - began
        return row


class Plain:
    """`plain_pipeline.PlainPipeline`."""

    def __init__(self, index: Path):
        from plain_pipeline import PlainPipeline

        from ragvoice.build import build_store
        from ragvoice.settings import read_settings

        settings, store, opened = read_settings(), build_store(), DocumentIndex.open(index)
        texts = [opened.document(d.doc_id).text for d in opened.documents() if EVERYONE in d.allowed_groups]
        self._pipeline = PlainPipeline(
            texts,
            embedder=store.path(settings.embedder),
            llm=store.converted(settings.llm, "transformers"),
            stt=store.path(settings.stt),
            voice=store.path(settings.tts),
        )
        self._folder = tempfile.TemporaryDirectory()

    def turn(self, question: Spoken) -> Row:
        import soundfile

        file = Path(self._folder.name) / "question.wav"
        sound = question.until(question.ends_s + PAUSE_S)
        soundfile.write(file, sound.samples_t, sound.sample_rate_hz)
        given = self._pipeline.turn(file)
        silence_s = leading_silence_s(given["audio"])
        row = {"outcome": given["outcome"], "question": given["question"], "answer": given["answer"]}
        row |= {"pause": PAUSE_S, "transcription": given["transcribe"], "retrieval": given["retrieve"]}
        row |= {"whole text": given["generate"], "voice": given["speak"], "words known": PAUSE_S + given["transcribe"]}
        if silence_s is None:
            return row | {"outcome": "nothing"}
        return row | {"leading silence": silence_s, "first sound": PAUSE_S + given["first_audio"] + silence_s}


SIDES: dict[str, type[Loop] | type[Whole] | type[Plain]] = {"read": Read, "loop": Loop, "whole": Whole, "plain": Plain}


def serve(name: str, index: Path, pipe: Connection) -> None:
    """(method, its arguments) -> what it returns; rows also say what the process has cost."""
    side = SIDES[name](index)
    pipe.send("ready")
    idle_since, used_s = time.perf_counter(), time.process_time()
    while (asked := pipe.recv()) is not None:
        idle_s = time.perf_counter() - idle_since
        spun = (time.process_time() - used_s) / idle_s if idle_s > 0 else 0.0
        method, arguments = asked
        given = getattr(side, method)(*arguments)
        if isinstance(given, dict):
            given |= {"rss_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, "cores while idle": spun}
        pipe.send(given)
        idle_since, used_s = time.perf_counter(), time.process_time()
