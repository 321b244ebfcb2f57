"""The threads around the state machine, with a scripted recogniser and bot."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage
from scene import ReadsSamples, answer, level, said

from ragvoice.datatypes import AudioChunk, Transcription
from ragvoice.errors import AudioError, GenerationError, SpeechError
from ragvoice.voice.events import (
    AnswerPaused,
    AnswerResumed,
    Failed,
    Interrupted,
    NothingHeard,
    NothingToAnswer,
    Partial,
    SpeechEnded,
    TurnEvent,
    VoiceEvent,
)
from ragvoice.voice.loop import VoiceLoop
from ragvoice.voice.messages import LoopOptions, Question
from ragvoice.voicebot import Heard, Said, SaidOn

QUESTION = "How many holidays do I get?"
WAIT_S = 20.0


class Recogniser:
    def __init__(self, text: str = QUESTION, error: Exception | None = None):
        self.text, self.error = text, error

    def transcribe(self, audio: AudioChunk) -> Transcription:
        if self.error:
            raise self.error
        return Transcription(self.text, "en", audio.duration_s, confidence=0.9)


class Bot:
    """Says one sentence of two seconds, waits until it may go on, then answers."""

    def __init__(self) -> None:
        self.asked: list[Question] = []
        self.may_finish = threading.Event()
        self.closed = threading.Event()

    def ask(self, question: Question) -> Iterator[TurnEvent]:
        self.asked.append(question)
        try:
            if isinstance(question, Transcription):
                yield Heard(question)
            yield said("You get 25 days.", 2.0)
            assert self.may_finish.wait(WAIT_S)
            yield answer("You get 25 days.")
        except GeneratorExit:
            self.closed.set()
            raise


def until(stream: Iterator[VoiceEvent], kind: type) -> list[VoiceEvent]:
    seen: list[VoiceEvent] = []
    for event in stream:
        seen.append(event)
        if isinstance(event, kind):
            return seen
    raise AssertionError(f"the loop closed without {kind.__name__}: {seen}")


def speak(loop: VoiceLoop, seconds: float = 0.8, then_silence: float = 1.6) -> None:
    loop.hear(level(1.0, seconds))
    loop.hear(level(0.0, then_silence))


@pytest.fixture
def bot() -> Bot:
    return Bot()


@pytest.fixture
def loop(bot: Bot) -> Iterator[VoiceLoop]:
    loop = VoiceLoop(bot.ask, Recogniser(), detector=ReadsSamples())
    yield loop
    bot.may_finish.set()
    loop.close()


def test_a_spoken_question_is_answered(loop: VoiceLoop, bot: Bot) -> None:
    bot.may_finish.set()
    speak(loop)
    seen = until(loop.events(), type(answer("")))

    kinds = [type(event).__name__ for event in seen]
    assert kinds == ["SpeechStarted", "SpeechEnded", "Partial", "Heard", "Said", "Answer"]
    (question,) = bot.asked
    assert isinstance(question, Transcription)
    assert question.text == QUESTION


def test_a_typed_question_is_answered_in_the_same_conversation(loop: VoiceLoop, bot: Bot) -> None:
    bot.may_finish.set()
    loop.say("And in Poland?")

    assert isinstance(until(loop.events(), type(answer("")))[0], Said)
    assert bot.asked == ["And in Poland?"]


def test_an_interruption_closes_the_generator_after_it_was_told(bot: Bot) -> None:
    order: list[object] = []

    def ask(question: Question) -> Iterator[TurnEvent]:
        order.append("asked")
        try:
            yield said("You get 25 days.", 2.0)
            yield said("Ask Ada.", 2.0)
            bot.may_finish.wait(WAIT_S)
            yield said("Never told.", 2.0)
        finally:
            order.append("closed")

    loop = VoiceLoop(ask, Recogniser(), detector=ReadsSamples(), on_interrupted=order.append, clock=lambda: 0.0)
    loop.say("first")
    stream = loop.events()
    until(stream, Said)
    until(stream, Said)
    loop.played(1.0)
    loop.interrupt()
    (stopped,) = until(stream, Interrupted)
    loop.say("second")
    bot.may_finish.set()
    until(stream, Said)
    loop.close()

    assert stopped == Interrupted("You get", 1.0, None)
    assert order[:4] == ["asked", stopped, "closed", "asked"]


def test_an_answer_goes_on_when_the_microphone_is_switched_off_at_a_sound(loop: VoiceLoop) -> None:
    loop.say("first")
    stream = loop.events()
    until(stream, Said)
    loop.hear(level(1.0, 0.032))

    assert until(stream, AnswerPaused)[-1] == AnswerPaused()
    assert until(stream, AnswerResumed) == [AnswerResumed()]


def test_an_action_that_fails_takes_no_other_with_it(bot: Bot) -> None:
    def fails(event: Interrupted) -> None:
        raise ZeroDivisionError("a bug")

    loop = VoiceLoop(bot.ask, Recogniser(), detector=ReadsSamples(), on_interrupted=fails, clock=lambda: 0.0)
    loop.say("first")
    stream = loop.events()
    until(stream, Said)
    loop.interrupt()
    failed = until(stream, Failed)[-1]
    loop.say("second")  # which is asked only when the first was stopped
    bot.may_finish.set()
    until(stream, Said)
    loop.close()

    assert "a bug" in str(failed.error)  # type: ignore[union-attr]
    assert bot.closed.is_set()


def test_generation_ends_at_the_next_token_when_nobody_wants_it() -> None:
    written: list[str] = []
    go_on, first = threading.Event(), threading.Event()
    left: list[str] = []

    def ask(question: Question) -> Iterator[TurnEvent]:
        model = GenericFakeChatModel(messages=iter([AIMessage(" ".join(["word"] * 50))]))
        try:
            for chunk in model.stream("question"):
                written.append(str(chunk.content))
                first.set()
                assert go_on.wait(WAIT_S)
            yield answer("never")
        except GeneratorExit:
            left.append("closed")
            raise

    loop = VoiceLoop(ask, Recogniser(), detector=ReadsSamples())
    loop.say("question")
    assert first.wait(WAIT_S)
    loop.interrupt()
    until(loop.events(), Interrupted)
    go_on.set()
    loop.close()

    assert left == ["closed"]
    assert len(written) <= 2


def test_half_a_question_is_read_no_further_than_its_first_sentence(bot: Bot) -> None:
    began, went_on = threading.Event(), threading.Event()

    def ask(question: Question) -> Iterator[TurnEvent]:
        yield said("You get 25 days.", 2.0)
        went_on.set()
        yield answer("You get 25 days.")

    class Signals(Recogniser):
        def transcribe(self, audio: AudioChunk) -> Transcription:
            began.set()
            return super().transcribe(audio)

    loop = VoiceLoop(ask, Signals(), LoopOptions(pause_s=2.0), detector=ReadsSamples())
    stream = loop.events()
    speak(loop, then_silence=0.3)
    assert began.wait(WAIT_S)
    assert not went_on.wait(0.2)
    loop.hear(level(0.0, 2.0))
    until(stream, Said)
    assert went_on.wait(WAIT_S)
    loop.close()


def test_the_first_sentence_is_spoken_to_its_end_while_it_is_not_certain_that_it_will_be_told() -> None:
    spoken, went_on = threading.Event(), threading.Event()

    def ask(question: Question) -> Iterator[TurnEvent]:
        piece = said("You get 25 days.", 1.0)
        assert piece.audio is not None
        yield replace(piece, rest_s=1.0, last=False)
        spoken.set()
        yield SaidOn(piece.audio, 1e-17, last=True)
        went_on.set()
        yield answer("You get 25 days.")

    loop = VoiceLoop(ask, Recogniser(), LoopOptions(pause_s=2.0), detector=ReadsSamples())
    speak(loop, then_silence=0.3)
    assert spoken.wait(WAIT_S)
    assert not went_on.wait(0.2)
    loop.hear(level(0.0, 2.0))
    told = until(loop.events(), type(answer("")))
    loop.close()

    assert [type(event) for event in told[-3:-1]] == [Said, SaidOn]


def test_half_a_question_holds_nobody_up_when_no_more_sound_comes(bot: Bot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ragvoice.voice.loop.PATIENCE_S", 0.05)
    loop = VoiceLoop(bot.ask, Recogniser(), detector=ReadsSamples())
    speak(loop, then_silence=0.3)
    assert bot.closed.wait(WAIT_S)

    bot.may_finish.set()
    loop.commit()
    until(loop.events(), type(answer("")))
    loop.close()
    assert len(bot.asked) == 2


@pytest.mark.parametrize("error", [GenerationError("the server is down"), ZeroDivisionError("a bug")])
@pytest.mark.filterwarnings("ignore")
def test_a_failed_turn_is_told_and_the_next_one_works(error: Exception) -> None:
    def ask(question: Question) -> Iterator[TurnEvent]:
        if question == "bad":
            raise error
        yield answer("fine")

    loop = VoiceLoop(ask, Recogniser(), detector=ReadsSamples())
    stream = loop.events()
    loop.say("bad")
    (failed,) = until(stream, Failed)
    loop.say("good")
    until(stream, type(answer("")))
    loop.close()

    assert isinstance(failed, Failed)
    assert str(error) in str(failed.error)


def test_a_failed_recognition_is_told(bot: Bot) -> None:
    loop = VoiceLoop(bot.ask, Recogniser(error=SpeechError("no memory")), detector=ReadsSamples())
    speak(loop)
    seen = until(loop.events(), Failed)
    loop.close()

    assert "no memory" in str(seen[-1].error)  # type: ignore[union-attr]


def test_what_is_understood_is_prepared_for_while_the_person_speaks(bot: Bot) -> None:
    prepared: list[str] = []
    done = threading.Event()

    def prepare(text: str, wanted: Callable[[], bool]) -> bool:
        prepared.append(text)
        done.set()
        raise GenerationError("it only saves time")

    heard = threading.Semaphore(0)

    class Signals(Recogniser):
        def transcribe(self, audio: AudioChunk) -> Transcription:
            heard.release()
            return super().transcribe(audio)

    loop = VoiceLoop(bot.ask, Signals("How many holidays"), prepare=prepare, detector=ReadsSamples(), clock=lambda: 0.0)
    loop.hear(level(1.0, 1.2))
    assert heard.acquire(timeout=WAIT_S)
    stream = loop.events()
    until(stream, Partial)
    loop.hear(level(1.0, 1.2))
    assert done.wait(WAIT_S)
    loop.close()

    assert prepared == ["How many holidays"]


def test_a_preparation_gives_way_to_a_recognition_and_goes_on_after_it(bot: Bot) -> None:
    began, gave_way, recognise, went_on = (threading.Event() for _ in range(4))

    def prepare(text: str, wanted: Callable[[], bool]) -> bool:
        if began.is_set():
            assert gave_way.is_set()
            went_on.set()
            return True
        began.set()
        for _ in range(int(WAIT_S / 0.01)):
            if not wanted():
                gave_way.set()
                return False
            time.sleep(0.01)
        raise AssertionError("it was wanted all the time")

    class Waits(Recogniser):
        def transcribe(self, audio: AudioChunk) -> Transcription:
            if began.is_set():
                assert gave_way.wait(WAIT_S)
                assert recognise.wait(WAIT_S)
            return super().transcribe(audio)

    loop = VoiceLoop(bot.ask, Waits("How many holidays"), prepare=prepare, detector=ReadsSamples(), clock=lambda: 0.0)
    loop.hear(level(1.0, 1.2))
    assert began.wait(WAIT_S)
    loop.hear(level(1.0, 1.2))
    assert gave_way.wait(WAIT_S)
    assert not went_on.is_set()
    recognise.set()
    assert went_on.wait(WAIT_S)
    loop.close()


def test_a_recogniser_that_can_give_up_does_so_at_a_pause(bot: Bot) -> None:
    began, gave_up = threading.Event(), threading.Event()

    class Listens(Recogniser):
        def transcribe_while(self, audio: AudioChunk, wanted: Callable[[], bool]) -> Transcription | None:
            if began.is_set():
                return self.transcribe(audio) if wanted() else None
            began.set()
            for _ in range(int(WAIT_S / 0.01)):
                if not wanted():
                    gave_up.set()
                    return None
                time.sleep(0.01)
            return self.transcribe(audio)

    loop = VoiceLoop(bot.ask, Listens(), detector=ReadsSamples())
    loop.hear(level(1.0, 1.2))
    assert began.wait(WAIT_S)
    loop.hear(level(0.0, 1.6))
    assert gave_up.wait(WAIT_S)
    until(loop.events(), Heard)
    bot.may_finish.set()
    loop.close()


def test_sound_that_comes_much_too_fast_is_refused(loop: VoiceLoop) -> None:
    waiting_s = loop.hear(level(0.0, 1.0))
    assert waiting_s >= 1.0
    with pytest.raises(AudioError, match="faster"):
        loop.hear(AudioChunk(np.zeros(200 * 16_000, np.float32), 16_000))


def test_silence_by_hand_is_nothing(loop: VoiceLoop) -> None:
    loop.hear(level(0.0, 1.0))
    loop.commit()

    assert until(loop.events(), NothingHeard) == [NothingHeard()]


def test_who_waits_for_an_answer_when_the_loop_is_closed_is_told_that_none_comes(bot: Bot) -> None:
    recognises = threading.Event()

    class Slow(Recogniser):
        def transcribe(self, audio: AudioChunk) -> Transcription:
            assert recognises.wait(WAIT_S)
            return super().transcribe(audio)

    loop = VoiceLoop(bot.ask, Slow(), LoopOptions(answer_at_once=False), detector=ReadsSamples())
    speak(loop)
    loop.respond()
    loop.close()
    recognises.set()

    assert list(loop.events())[-1] == NothingToAnswer()


def test_closing_ends_the_events_and_an_answer_in_progress(bot: Bot) -> None:
    loop = VoiceLoop(bot.ask, Recogniser(), detector=ReadsSamples())
    loop.say("question")
    stream = loop.events()
    until(stream, Said)
    bot.may_finish.set()
    loop.close()
    loop.close()

    assert not any(isinstance(event, SpeechEnded) for event in stream)
