"""The whole turn on the real models: a recorded question in, a spoken and cited answer out."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from ragvoice import build
from ragvoice.build import build_vocabulary, build_voicebot
from ragvoice.datatypes import Answer, AudioChunk, Draft, Message, Transcription
from ragvoice.errors import SpeechError, UsageError
from ragvoice.evaluation.answer_metrics import normalise
from ragvoice.retrieval.index import DocumentIndex
from ragvoice.settings import Settings
from ragvoice.speech.audio import decode, resample
from ragvoice.voicebot import NO_SPEECH, Event, Found, Heard, Said, SaidOn, VoiceBot

RECORDINGS = Path(__file__).resolve().parents[1] / "data" / "recordings"


@pytest.fixture(scope="module")
def bot(settings: Settings, sample_index: Path) -> VoiceBot:
    return build_voicebot(settings.model_copy(update={"index": sample_index}), listens=True, speaks=True)


@pytest.fixture(scope="module")
def spoken_turn(bot: VoiceBot) -> list[Event]:
    recording = next(RECORDINGS.glob("tf-011-*.flac"))
    return list(bot.turn(decode(recording), speak=True))


def test_a_turn_hears_searches_speaks_and_ends_with_the_answer(spoken_turn: list[Event]) -> None:
    kinds = [type(event) for event in spoken_turn]
    assert kinds[:2] == [Heard, Found]
    assert set(kinds[2:-1]) == {Draft, Said, SaidOn}
    assert kinds[-1] is Answer


def test_the_recorded_question_is_understood_and_answered(spoken_turn: list[Event]) -> None:
    answer = spoken_turn[-1]
    assert isinstance(answer, Answer)
    assert "doctor" in answer.question.lower()
    assert answer.outcome == "answered"
    assert "eighth day" in answer.answer
    assert answer.models.stt
    assert answer.models.tts


def test_the_spoken_answer_says_what_is_written(bot: VoiceBot, spoken_turn: list[Event]) -> None:
    chunks = [event.audio for event in spoken_turn if isinstance(event, Said | SaidOn) and event.audio is not None]
    spoken = AudioChunk(np.concatenate([chunk.samples_t for chunk in chunks]), chunks[0].sample_rate_hz)
    heard = bot.recogniser.transcribe(resample(spoken, 16_000)).text
    answer = spoken_turn[-1]
    assert isinstance(answer, Answer)
    written, listened = set(normalise(answer.answer).split()), set(normalise(heard).split())
    assert len(written & listened) >= 0.7 * len(written)


def test_each_piece_of_a_sentence_says_how_much_sound_is_still_to_come(spoken_turn: list[Event]) -> None:
    rests = [(type(event), event.rest_s) for event in spoken_turn if isinstance(event, Said | SaidOn)]
    pieces = [event.audio for event in spoken_turn if isinstance(event, Said | SaidOn) and event.audio is not None]
    for (_, rest_s), (kind, left_s), piece in zip(rests, rests[1:], pieces[1:], strict=False):
        assert rest_s == pytest.approx(0.0 if kind is Said else left_s + piece.duration_s)
    assert rests[0][1] > 0
    assert rests[-1][1] == 0
    said = [event for event in spoken_turn if isinstance(event, Said | SaidOn)]
    assert [event.last for event in said] == [event.rest_s == 0 for event in said]


def test_each_document_is_named_aloud_once_after_its_sentence_and_not_written(spoken_turn: list[Event]) -> None:
    said = [event for event in spoken_turn if isinstance(event, Said)]
    named = [event.citation.doc_id for event in said if not event.text and event.citation and event.audio is not None]
    cited = [event.citation.doc_id for event in said if event.text and event.citation]
    assert said[0].text
    assert named == list(dict.fromkeys(cited)) != []
    answer = spoken_turn[-1]
    assert isinstance(answer, Answer)
    assert "According to" not in answer.answer


def test_citations_are_verbatim_in_the_document(spoken_turn: list[Event], sample: DocumentIndex) -> None:
    answer = spoken_turn[-1]
    assert isinstance(answer, Answer)
    assert answer.citations
    for citation in answer.citations:
        text = sample.document(citation.doc_id).text
        assert text[citation.start_index : citation.start_index + len(citation.quote)] == citation.quote


def test_timings_are_in_the_order_of_the_stages(spoken_turn: list[Event]) -> None:
    answer = spoken_turn[-1]
    assert isinstance(answer, Answer)
    timings = answer.timings
    assert timings.transcribe is not None
    assert timings.first_token is not None
    assert timings.first_audio is not None
    assert timings.total is not None
    assert 0 < timings.transcribe < timings.first_token < timings.first_audio <= timings.total


def test_the_vocabulary_of_the_sample_company_is_its_products_and_people(
    settings: Settings, sample: DocumentIndex
) -> None:
    words = build_vocabulary(settings.model_copy(update={"vocabulary_words": 40}), sample)()
    assert {"Tarnfeld", "Skelder", "turbidity", "DL-8"} <= set(words)
    assert not {"January", "policy", "employee", "Heron"} & set(words)
    assert len(words) == 40


def test_silence_is_not_answered(bot: VoiceBot) -> None:
    events = list(bot.turn(AudioChunk(np.zeros(32_000, dtype=np.float32), 16_000), speak=True))
    answer = events[-1]
    assert isinstance(answer, Answer)
    assert (answer.outcome, answer.answer) == ("no_speech", NO_SPEECH)
    assert answer.passages == ()
    assert any(isinstance(event, Said) and event.audio is not None for event in events)


def test_an_off_topic_question_is_an_abstention_without_citations(bot: VoiceBot) -> None:
    answer = bot.ask("What is the capital of Australia?")
    assert answer.outcome == "abstained"
    assert answer.citations == ()
    assert "Canberra" not in answer.answer


def test_what_is_read_ahead_changes_no_answer(bot: VoiceBot) -> None:
    question = "From which day do I need a doctor's note in England?"
    before = bot.ask(question)
    assert not bot.prepare(" ")
    assert bot.prepare("From which day do I need a doctor's")
    after = bot.ask(question)
    assert (before.outcome, before.answer, before.citations) == ("answered", after.answer, after.citations)
    assert (before.confidence, before.draft, before.prompt_hash) == (after.confidence, after.draft, after.prompt_hash)


def test_an_empty_or_endless_question_is_refused(bot: VoiceBot) -> None:
    for question in ("  ", "word " * 10_000):
        with pytest.raises(UsageError):
            bot.ask(question)


def test_a_recording_without_a_recogniser_says_so(bot: VoiceBot) -> None:
    deaf = VoiceBot(bot._retriever, bot._answering)
    with pytest.raises(SpeechError, match="recogniser"):
        deaf.ask(AudioChunk(np.zeros(16_000, dtype=np.float32), 16_000))


class Mumbled:
    """A recogniser that is not sure."""

    def __init__(self, text: str, confidence: float):
        self._heard = Transcription(text, "en", 1.0, confidence=confidence)

    def transcribe(self, audio: AudioChunk) -> Transcription:
        return self._heard


def test_unclear_speech_is_asked_back_and_yes_answers_it(bot: VoiceBot) -> None:
    question = "From which day do I need a doctor's note in England?"
    audio = AudioChunk(np.zeros(16_000, dtype=np.float32), 16_000)
    unsure = VoiceBot(bot._retriever, bot._answering, stt=Mumbled(question, 0.3), unclear_speech=0.5)
    back = unsure.ask(audio)
    assert (back.outcome, back.answer) == ("clarify", f'Did you mean: "{question}"?')
    assert back.abstained
    assert back.passages == ()
    answer = bot.ask("Yes.", (Message("user", question), Message("agent", back.answer)))
    assert (answer.question, answer.outcome) == (question, "answered")
    sure = VoiceBot(bot._retriever, bot._answering, stt=Mumbled(question, 0.6), unclear_speech=0.5)
    assert sure.ask(audio).outcome == "answered"


def test_a_question_that_points_at_nothing_is_asked_back(bot: VoiceBot) -> None:
    answer = bot.ask("What is the range of this sensor?")
    assert answer.outcome == "clarify"
    assert answer.answer.startswith("Which one do you mean: ")
    assert answer.citations == ()


def test_a_confidence_that_was_fitted_for_another_model_is_noted(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(build, "build_chat_model", lambda settings: None)
    build.build_answering(settings.model_copy(update={"adapter": "none"}))
    assert not caplog.records
    build.build_answering(settings.model_copy(update={"adapter": "mine", "llm_runtime": "openai"}))
    assert "another adapter" in caplog.text


def test_a_question_that_is_recognised_already_is_not_recognised_again(bot: VoiceBot) -> None:
    heard = Transcription("From which day do I need a doctor's note in England?", "en", 3.0, confidence=0.9)
    deaf = VoiceBot(bot._retriever, bot._answering)

    events = list(deaf.turn(heard))

    answer = events[-1]
    assert isinstance(answer, Answer)
    assert events[0] == Heard(heard)
    assert answer.transcription == heard
    assert answer.timings.transcribe is None
    assert "eighth day" in answer.answer


def test_what_is_being_written_is_told_to_those_who_want_to_see_it(bot: VoiceBot) -> None:
    question = "From which day do I need a doctor's note in England?"
    shown = list(VoiceBot(bot._retriever, bot._answering, drafts=True).turn(question))

    first = next(index for index, event in enumerate(shown) if isinstance(event, Said))
    drafts = [event.text for event in shown[:first] if isinstance(event, Draft)]
    assert len(drafts) > 3
    assert [text.startswith(before) for before, text in pairwise(drafts)] == [True] * (len(drafts) - 1)
    assert [type(event) for event in shown if not isinstance(event, Draft)] == [
        type(event) for event in VoiceBot(bot._retriever, bot._answering).turn(question)
    ]
