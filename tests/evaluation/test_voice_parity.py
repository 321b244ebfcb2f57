"""The walk of a question through every condition, with a scripted recogniser; and once with the real models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from ragvoice.build import build_speech_to_text, build_text_to_speech
from ragvoice.datatypes import Answer, AudioChunk, Passage, Transcription
from ragvoice.errors import SpeechError
from ragvoice.evaluation.datasets import Question
from ragvoice.evaluation.voice_parity import CONDITIONS, VoiceRun, measure
from ragvoice.settings import Settings
from ragvoice.voicebot import VoiceBot

ASKED = "How many days does Edith get after 25 years?"
QUESTION = Question("1", ASKED, ("30 days",), ("gold",), True)
UNANSWERABLE = Question("2", "Who won the cup?", (), (), False)


class Voice:
    """A tone for every text, and a note of what was said."""

    sample_rate_hz = 16_000

    def __init__(self) -> None:
        self.said: list[str] = []

    def synthesise(self, text: str) -> AudioChunk:
        self.said.append(text)
        return AudioChunk(0.1 * np.sin(np.arange(16_000, dtype=np.float32)), 16_000)


class Ear:
    """Hears what it is told to, and keeps the sound."""

    def __init__(self, *texts: str):
        self._texts = list(texts)
        self.sounds: list[AudioChunk] = []

    def transcribe(self, audio: AudioChunk) -> Transcription:
        self.sounds.append(audio)
        return Transcription(self._texts.pop(0), "en", 1.0, confidence=0.5)


class Bot:
    def __init__(self) -> None:
        self.asked: list[str] = []

    def ask(self, question: str, *_: object) -> Answer:
        self.asked.append(question)
        if "Edith" in question:
            return Answer("t", question, question, "answered", "She gets 30 days, not 25.", 0.9)
        return Answer("t", question, question, "abstained", "That is not in the documents.", 0.1)


def search(query: str, groups: Sequence[str]) -> list[Passage]:
    doc_id = "gold" if "days" in query else "other"
    return [Passage(doc_id, doc_id, "", "", None, None, "", 0, 0.5)]


def scripted(*heard: str, bot: Bot | None = None) -> VoiceRun:
    return VoiceRun(search, Ear(*heard), Voice(), cast(VoiceBot, bot) if bot else None, noise="white")


def test_a_question_under_every_condition() -> None:
    bot = Bot()
    heard = (ASKED, "How many days does he get after 25 years?", "How many daze does Edith get after 20 years?", "")
    run = scripted(*heard, "She gets 30 days not 20.", bot=bot)
    (result,) = measure([QUESTION], run)
    text, clean, at_20, at_10, at_5 = result.heard
    assert [one.condition for one in result.heard] == ["text", *CONDITIONS]
    assert [one.heard for one in result.heard] == [ASKED, *heard]
    assert [one.words.wrong for one in result.heard] == [0, 0, 1, 2, 9]
    assert [one.numbers.wrong for one in result.heard] == [0, 0, 0, 1, 1]
    assert [one.names.wrong for one in result.heard] == [0, 0, 1, 0, 1]
    assert [one.hit_at_5 for one in result.heard] == [1, 1, 1, 0, 0]
    assert [one.outcome for one in result.heard] == ["answered", "answered", "abstained", "answered", "no_speech"]
    assert [one.contains for one in result.heard] == [1, 1, 0, 1, 0]
    assert text.recogniser_confidence is None
    assert clean.recogniser_confidence == 0.5
    assert at_20.refused is None
    assert at_10.f1 == pytest.approx(2 * 2 / (6 + 2))  # 30 days: 2 of 6 words, 2 of 2
    assert at_5.f1 == 0
    assert bot.asked == [ASKED, heard[1], heard[2]]  # once for the same words
    assert result.spoken is not None
    assert (result.spoken.said, result.spoken.heard) == ("She gets 30 days, not 25.", "She gets 30 days not 20.")
    assert (result.spoken.kept.numbers, result.spoken.kept.negations) == (False, True)


def test_each_condition_has_its_noise() -> None:
    run = scripted("", "", "", "")
    measure([QUESTION], run)
    clean, *noisy = [sound.samples_t for sound in cast(Ear, run.stt).sounds]
    noise = [10 * np.log10(np.square(clean).mean() / np.square(sound - clean).mean()) for sound in noisy]
    assert noise == pytest.approx([20, 10, 5], abs=0.2)


def test_a_question_without_an_answer_counts_its_refusal() -> None:
    (result,) = measure([UNANSWERABLE], scripted(*["Who won the cup?"] * 4, "That is in the documents.", bot=Bot()))
    assert {one.refused for one in result.heard} == {1.0}
    assert {(one.hit_at_5, one.f1, one.contains) for one in result.heard} == {(None, None, None)}
    assert result.spoken is not None
    assert not result.spoken.kept.refusal


def test_without_a_bot_only_recognition_and_retrieval_are_measured() -> None:
    (result,) = measure([QUESTION], scripted(*["no idea"] * 4))
    assert result.spoken is None
    assert [one.hit_at_5 for one in result.heard] == [1, 0, 0, 0, 0]
    assert {(one.outcome, one.answer, one.f1) for one in result.heard} == {(None, None, None)}


def test_written_forms_are_asked_as_a_person_would() -> None:
    run = scripted(*[""] * 4)
    measure([replace(QUESTION, text="May I spend 20 EUR at 10:30?")], run)
    assert cast(Voice, run.tts).said == ["May I spend 20 euros at 10 30?"]


def test_a_stopped_run_goes_on(tmp_path: Path) -> None:
    journal, models = tmp_path / "run.jsonl", {"stt": "base"}
    first = measure([QUESTION], scripted(*[ASKED] * 5, bot=Bot()), journal, models)
    with journal.open("a", encoding="utf-8") as lines:
        lines.write('{"key": "half a l')
    # Only the second question is heard: the ear knows no more.
    run = scripted(*["Who won the cup?"] * 5, bot=Bot())
    both = measure([QUESTION, UNANSWERABLE], run, journal, models)
    assert both[:1] == first
    assert measure([QUESTION, UNANSWERABLE], scripted(bot=Bot()), journal, models) == both
    with pytest.raises(IndexError):  # another recogniser, or no answers wanted: measured anew
        measure([QUESTION], scripted(bot=Bot()), journal, {"stt": "small"})
    with pytest.raises(IndexError):
        measure([QUESTION], scripted(), journal, models)


def test_a_failing_voice_is_not_hidden() -> None:
    class Mute(Voice):
        def synthesise(self, text: str) -> AudioChunk:
            raise SpeechError("no espeak-ng")

    with pytest.raises(SpeechError):
        measure([QUESTION], VoiceRun(search, Ear(), Mute()))


def test_the_real_voice_and_the_real_recogniser(settings: Settings) -> None:
    run = VoiceRun(search, build_speech_to_text(settings), build_text_to_speech(settings))
    question = replace(QUESTION, text="How many days of annual leave do I get?")
    (result,) = measure([question], run)
    _, clean, *_, worst = result.heard
    assert clean.words.wrong == 0
    assert clean.hit_at_5 == 1
    assert clean.recogniser_confidence is not None
    assert worst.recogniser_confidence is None or worst.recogniser_confidence < clean.recogniser_confidence
