"""What a spoken question costs against a typed one, and what of a spoken answer arrives, as sections of the report."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, fields
from pathlib import Path

from ragvoice.build import build_speech_to_text, build_text_to_speech
from ragvoice.datatypes import Style
from ragvoice.evaluation.datasets import Dataset
from ragvoice.evaluation.provenance import code_hash, models
from ragvoice.evaluation.report import Section
from ragvoice.evaluation.runner import DEPTH, System
from ragvoice.evaluation.voice_parity import VoiceResult, VoiceRun, measure
from ragvoice.evaluation.voice_scores import (
    TEXT,
    AnswerScores,
    ConditionScores,
    Loss,
    Separation,
    answer_scores,
    condition_scores,
    separation,
)
from ragvoice.generation.grounding import content_words
from ragvoice.settings import Settings

_NOTE = (
    "The same questions typed, spoken by the configured voice, and with eight voices talking in the background at so "
    "many decibels below it, through the recogniser. What is lost is against text on the same questions, with its 95 % "
    "interval; positive is worse."
)
_LISTENING = (
    "speech",
    *(f"evaluation/{name}.py" for name in ("voice_parity", "speech_metrics", "answer_metrics", "noise")),
)
"""Code that a record of the journal depends on besides the answer: it holds the figures, too."""


def voice_sections(
    dataset: Dataset,
    system: System,
    settings: Settings,
    style: Style,
    journal: Path,
    state: str,
    progress: Callable[[int, int], None],
) -> list[Section]:
    """:param journal: JSON lines, one a question; a run that was stopped goes on there.
    :param state: What names the application that answers, with its settings and index: `provenance.fingerprint`.
    """
    run = VoiceRun(
        lambda query, groups: system.search(query, groups, DEPTH),
        build_speech_to_text(settings),
        build_text_to_speech(settings),
        system,
        style,
    )
    made_by = {"answers": state, "models": models(settings, ("stt", "tts")), "code": code_hash(_LISTENING)}
    return sections(measure(dataset.questions, run, journal, made_by, progress))


def sections(results: Sequence[VoiceResult]) -> list[Section]:
    heard = [one for result in results for one in result.heard]
    made = [_by_condition(condition_scores(heard))]
    if spoken := [result.spoken for result in results if result.spoken]:
        note = "Each answer, said by the voice and heard again by the recogniser."
        made.append(_table("Spoken answers, heard again", AnswerScores, [answer_scores(spoken)], note))
    said = [one for one in heard if one.condition != TEXT and one.recogniser_confidence is not None]
    found = separation(
        [one.recogniser_confidence or 0.0 for one in said],
        [content_words(one.asked) != content_words(one.heard) for one in said],
    )
    note = "Does the recogniser's confidence tell the questions with a misheard content word? Setting: unclear_speech."
    made.append(_table("When to ask: did you mean?", Separation, [found], note))
    return made


def _by_condition(scores: Sequence[ConditionScores]) -> Section:
    """A column a condition: there are more figures than conditions."""
    names = [field.name for field in fields(ConditionScores) if field.name != "condition"]
    return Section(
        "Spoken questions against typed ones",
        ("", *(score.condition for score in scores)),
        tuple((name.replace("_", " "), *(_shown(getattr(score, name)) for score in scores)) for name in names),
        _NOTE,
        {"rows": [asdict(score) for score in scores]},
    )


def _table(title: str, kind: type, rows: Sequence[object], note: str) -> Section:
    names = [field.name for field in fields(kind)]
    return Section(
        title,
        tuple(name.replace("_", " ") for name in names),
        tuple(tuple(_shown(getattr(row, name)) for name in names) for row in rows),
        note,
        {"rows": [asdict(row) for row in rows]},  # type: ignore[call-overload]
    )


def _shown(value: object) -> str:
    if isinstance(value, Loss):
        return f"{value.mean:+.2f}\n{value.low:+.2f} {value.high:+.2f}".replace("0.", ".")
    return "-" if value is None else f"{value:.3f}" if isinstance(value, float) else str(value)
