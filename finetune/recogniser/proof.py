"""Base against trained recogniser: word error rates on clips that were not trained on, heard as in service."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from finetune.recogniser.manifest import Clip
from ragvoice.evaluation.bootstrap import Interval, interval_of
from ragvoice.evaluation.speech_metrics import Errors, pooled, word_errors
from ragvoice.speech.audio import decode
from ragvoice.speech.protocols import SpeechToText

ALL = "all"


@dataclass(frozen=True)
class Compared:
    """One condition; rates are errors over the words of all its clips, `change` is trained minus base."""

    condition: str
    clips: int
    base: float
    trained: float
    change: Interval


def heard(
    clips: Sequence[Clip],
    recogniser: SpeechToText,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Errors]:
    """Word errors of each clip, in their order."""
    errors = []
    for number, clip in enumerate(clips):
        progress(number, len(clips))
        errors.append(word_errors(clip.text, recogniser.transcribe(decode(Path(clip.file))).text))
    progress(len(clips), len(clips))
    return errors


def compared(clips: Sequence[Clip], base: Sequence[Errors], trained: Sequence[Errors], seed: int = 0) -> list[Compared]:
    """All clips together, then each strength of noise. What the bootstrap draws is a question with all its clips.

    :raises ValueError: when the lengths differ, or there is no word.
    """
    rows = list(zip(clips, base, trained, strict=True))
    conditions: dict[str, list[tuple[Clip, Errors, Errors]]] = {ALL: rows}
    for row in rows:
        name = "clean" if row[0].snr_db is None else f"{row[0].snr_db:g} dB"
        conditions.setdefault(name, []).append(row)
    return [_compared(name, part, seed) for name, part in conditions.items()]


def is_better(rows: Sequence[Compared]) -> bool:
    """Over all clips fewer errors: the whole interval lies below 0."""
    return next(row for row in rows if row.condition == ALL).change.high < 0


def _compared(condition: str, rows: Sequence[tuple[Clip, Errors, Errors]], seed: int) -> Compared:
    by_question: dict[str, list[tuple[Errors, Errors]]] = {}
    for clip, before, after in rows:
        by_question.setdefault(clip.question, []).append((before, after))

    def rate(questions: Sequence[list[tuple[Errors, Errors]]], side: int) -> float | None:
        return pooled(pair[side] for pairs in questions for pair in pairs).rate

    def change(questions: Sequence[list[tuple[Errors, Errors]]]) -> float | None:
        before, after = rate(questions, 0), rate(questions, 1)
        return None if before is None or after is None else after - before

    drawn = list(by_question.values())
    found, base, trained = interval_of(change, drawn, seed), rate(drawn, 0), rate(drawn, 1)
    if found is None or base is None or trained is None:
        raise ValueError(f"There is no word in the clips: {condition}.")
    return Compared(condition, len(rows), base, trained, found)
