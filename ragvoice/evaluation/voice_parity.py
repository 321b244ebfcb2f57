"""The same questions as text, as clean speech and in noise, through the real recogniser; and the answers back.

A synthetic voice asks, the system's own, which the recogniser hears better than people. `benchmarks/speech.py` has
recordings of people.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ragvoice.datatypes import Answer, AudioChunk, Passage, Style
from ragvoice.evaluation.answer_metrics import contains, f1
from ragvoice.evaluation.datasets import Question
from ragvoice.evaluation.journal import Journal
from ragvoice.evaluation.noise import add_noise, babble, pink, white
from ragvoice.evaluation.retrieval_metrics import ranked_documents, retrieval_scores
from ragvoice.evaluation.runner import Asks
from ragvoice.evaluation.speech_metrics import (
    Errors,
    KeptMeaning,
    entity_errors,
    kept_meaning,
    number_errors,
    word_errors,
)
from ragvoice.evaluation.voice_scores import TEXT, HeardQuestion, SpokenAnswer
from ragvoice.generation.followup import standalone_question
from ragvoice.sentences import split_sentences
from ragvoice.speech.protocols import SpeechToText, TextToSpeech
from ragvoice.speech.speakable import speakable

CONDITIONS: dict[str, float | None] = {"clean": None, "20 dB": 20.0, "10 dB": 10.0, "5 dB": 5.0}
"""Name -> signal-to-noise ratio in dB; None is no noise."""
NoiseKind = Literal["babble", "pink", "white"]
_TALKERS = (
    "The smell of fresh bread came up the stairs before anybody had put the lights on.",
    "She told him that the boat would leave in the morning whether or not the weather was kind.",
    "Several of the older trees along the river were cut back last autumn.",
    "He played the same tune over and over until the neighbours knocked on the wall.",
    "Nobody at the table could remember who had ordered the second pot of coffee.",
    "A long train of empty wagons rolled slowly through the station and out again.",
    "Her brother keeps bees behind the garage and gives the honey away at midsummer.",
    "They walked the whole way home along the beach because the last bus had gone.",
)
"""Who talks in the background: about nothing that is asked for."""


@dataclass(frozen=True)
class VoiceRun:
    """What the questions go through."""

    search: Callable[[str, Sequence[str]], Sequence[Passage]]
    """(standalone question, groups) -> enough chunks for five documents."""
    stt: SpeechToText
    tts: TextToSpeech
    bot: Asks | None = None
    """None measures recognition and retrieval only, at a small part of the cost."""
    style: Style = "short"
    noise: NoiseKind = "babble"

    def talkers(self) -> list[AudioChunk]:
        """The background voices; empty where the noise is none of voices."""
        return background_voices(self.tts) if self.noise == "babble" else []


@dataclass(frozen=True)
class VoiceResult:
    """One question under every condition, and its answer said and heard again where one was given."""

    heard: tuple[HeardQuestion, ...]
    spoken: SpokenAnswer | None


def measure(
    questions: Sequence[Question],
    run: VoiceRun,
    journal: Path | None = None,
    models: Mapping[str, object] | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[VoiceResult]:
    """:param journal: JSON lines, one a question; a run that was stopped goes on there. None keeps nothing.
    :param models: What the result depends on beside the questions, as JSON: models, state of the application.
    """
    setting = {"models": dict(models or {}), "style": run.style, "noise": run.noise, "answers": run.bot is not None}
    kept = Journal(journal)
    talkers: list[AudioChunk] = []
    results = []
    for number, question in enumerate(questions):
        progress(number, len(questions))
        key = json.dumps([setting, asdict(question)], sort_keys=True)
        record = kept.get(key)
        if record is None:
            talkers = talkers or run.talkers()
            results.append(_measure_question(question, run, talkers))
            kept.put(key, asdict(results[-1]))
        else:
            results.append(_result(record))
    progress(len(questions), len(questions))
    return results


def _measure_question(question: Question, run: VoiceRun, talkers: Sequence[AudioChunk]) -> VoiceResult:
    clip = run.tts.synthesise(speakable(question.text))
    answers: dict[str, Answer] = {}  # the same words get the same answer: decoding is greedy
    heard = [_judge(question, TEXT, question.text, None, run, answers)]
    seed = zlib.crc32(question.id.encode())
    for condition, snr_db in CONDITIONS.items():
        noisy = (
            clip if snr_db is None else add_noise(clip, noise_of(run.noise, talkers, len(clip.samples_t), seed), snr_db)
        )
        transcription = run.stt.transcribe(noisy)
        heard.append(_judge(question, condition, transcription.text, transcription.confidence, run, answers))
    answer = answers.get(question.text)
    return VoiceResult(tuple(heard), _say_back(question.id, answer, run) if answer else None)


def background_voices(tts: TextToSpeech) -> list[AudioChunk]:
    """Eight of them, for `babble`; about nothing that is asked for."""
    return [tts.synthesise(sentence) for sentence in _TALKERS]


def noise_of(kind: NoiseKind, talkers: Sequence[AudioChunk], samples: int, seed: int) -> NDArray[np.float32]:
    if kind == "babble":
        return babble(talkers, samples, seed)
    return pink(samples, seed) if kind == "pink" else white(samples, seed)


def _judge(
    question: Question, condition: str, heard: str, confidence: float | None, run: VoiceRun, answers: dict[str, Answer]
) -> HeardQuestion:
    understood = bool(heard.strip())
    hit = None
    if question.answerable and question.gold_ids:
        query = standalone_question(heard, question.history)
        ranked = ranked_documents(run.search(query, question.groups), question.gold_ids) if understood else []
        hit = retrieval_scores(ranked, question.gold_ids)["hit@5"]
    outcome, said = None, None
    if run.bot is not None:
        outcome, said = "no_speech", ""
        if understood:
            if heard not in answers:
                answers[heard] = run.bot.ask(heard, question.history, question.groups, run.style)
            outcome, said = answers[heard].outcome, answers[heard].answer
    claimed = said if outcome == "answered" and said else ""
    scored = run.bot is not None and question.answerable
    return HeardQuestion(
        question.id,
        condition,
        question.answerable,
        question.text,
        heard,
        confidence,
        word_errors(question.text, heard),
        number_errors(question.text, heard),
        entity_errors(question.text, heard),
        hit,
        outcome,
        said,
        f1(claimed, question.answers) if scored else None,
        contains(claimed, question.answers) if scored else None,
        float(outcome != "answered") if run.bot is not None and not question.answerable else None,
    )


def _say_back(question_id: str, answer: Answer, run: VoiceRun) -> SpokenAnswer:
    """Sentence by sentence, as a turn is spoken."""
    said = [answer.answer[start:end] for start, end in split_sentences(answer.answer)]
    chunks = [run.tts.synthesise(speakable(sentence)).samples_t for sentence in said]
    samples_t = np.concatenate(chunks) if chunks else np.zeros(0, np.float32)
    heard = run.stt.transcribe(AudioChunk(samples_t, run.tts.sample_rate_hz)).text
    return SpokenAnswer(
        question_id,
        answer.outcome,
        answer.answer,
        heard,
        word_errors(answer.answer, heard),
        kept_meaning(answer.answer, heard),
    )


def _result(record: dict[str, Any]) -> VoiceResult:
    """The inverse of `asdict`."""
    heard = tuple(HeardQuestion(**_with_errors(one)) for one in record["heard"])
    spoken = record["spoken"]
    if spoken is not None:
        spoken = SpokenAnswer(**{**_with_errors(spoken), "kept": KeptMeaning(**spoken["kept"])})
    return VoiceResult(heard, spoken)


def _with_errors(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, **{name: Errors(**row[name]) for name in ("words", "numbers", "names") if name in row}}
