"""Word error rates before and after, by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from finetune.recogniser.manifest import Clip
from finetune.recogniser.proof import compared, heard, is_better
from ragvoice.datatypes import AudioChunk, Transcription
from ragvoice.evaluation.speech_metrics import Errors


def clip(question: str, snr_db: float | None) -> Clip:
    return Clip("x.wav", "x", "test", snr_db, "", question)


CLIPS = [clip("1", None), clip("1", 5.0), clip("2", None), clip("2", 5.0)]
BASE = [Errors(1, 10), Errors(4, 10), Errors(0, 30), Errors(7, 30)]


def test_rates_are_pooled_over_words() -> None:
    rows = compared(CLIPS, BASE, [Errors(0, 10), Errors(2, 10), Errors(0, 30), Errors(6, 30)])
    assert [(row.condition, row.clips) for row in rows] == [("all", 4), ("clean", 2), ("5 dB", 2)]
    assert rows[0].base == pytest.approx(12 / 80)
    assert rows[0].trained == pytest.approx(8 / 80)
    assert rows[0].change.value == pytest.approx(-4 / 80)
    assert rows[2].change.value == pytest.approx(-3 / 40)
    # Whole questions are drawn: the first alone changes by -3/20, the second by -1/60.
    assert rows[0].change.low == pytest.approx(-3 / 20)
    assert rows[0].change.high == pytest.approx(-1 / 60)


def test_better_is_surely_fewer_errors() -> None:
    assert is_better(compared(CLIPS, BASE, [Errors(0, n.total) for n in BASE]))
    assert not is_better(compared(CLIPS, BASE, BASE))
    assert not is_better(compared(CLIPS, BASE, [Errors(0, 10), Errors(0, 10), Errors(0, 30), Errors(7, 30)]))


def test_what_is_heard_is_counted(clips: list[Clip]) -> None:
    class Ear:
        def transcribe(self, audio: AudioChunk) -> Transcription:
            return Transcription(clips[0].text, "en", audio.duration_s)

    errors = heard(clips[:2], Ear())
    assert errors[0].wrong == 0
    assert errors[1].wrong > 0
    assert Path(clips[1].file).is_file()
