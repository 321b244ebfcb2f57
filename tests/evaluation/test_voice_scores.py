"""Figures of the voice evaluation from results that the test wrote."""

from __future__ import annotations

import pytest

from ragvoice.evaluation.speech_metrics import Errors, KeptMeaning
from ragvoice.evaluation.voice_scores import (
    HeardQuestion,
    SpokenAnswer,
    answer_scores,
    condition_scores,
    paired_loss,
    separation,
)


def heard(id: str, condition: str, hit: float | None, f1: float | None, wrong: int = 0) -> HeardQuestion:
    refused = 1.0 if f1 is None else None
    rates = (Errors(wrong, 5), Errors(wrong, 1), Errors(0, 0))
    return HeardQuestion(id, condition, f1 is not None, "q", "q", None, *rates, hit, "answered", "a", f1, f1, refused)


def test_figures_of_a_condition_and_what_it_loses_against_text() -> None:
    results = [
        heard("1", "text", 1.0, 0.8),
        heard("1", "clean", 1.0, 0.5, wrong=1),
        heard("2", "text", 1.0, 0.6),
        heard("2", "clean", 0.0, 0.0, wrong=2),
        heard("3", "text", None, None),
        heard("3", "clean", None, None),
    ]
    text, clean = condition_scores(results)
    assert (text.condition, clean.condition) == ("text", "clean")
    assert text.lost_f1 is None
    assert clean.questions == 3
    assert clean.wer == pytest.approx(3 / 15)
    assert clean.number_error_rate == 1.0
    assert clean.name_error_rate is None
    assert (text.hit_at_5, clean.hit_at_5) == (1.0, 0.5)
    assert (text.f1, clean.f1) == (pytest.approx(0.7), pytest.approx(0.25))
    assert clean.refused_unanswerable == 1.0
    assert clean.lost_f1 is not None
    assert clean.lost_f1.mean == pytest.approx((0.3 + 0.6) / 2)
    assert (clean.lost_f1.low, clean.lost_f1.high) == (pytest.approx(0.3), pytest.approx(0.6))
    assert clean.lost_f1.questions == 2
    assert clean.lost_hit_at_5 is not None
    assert clean.lost_hit_at_5.mean == 0.5


def test_the_interval_is_that_of_the_pairs() -> None:
    assert paired_loss([]) is None
    same = paired_loss([(1.0, 0.9)] * 30)  # each loses as much, so nothing is uncertain
    assert same is not None
    assert (same.low, same.mean, same.high) == (pytest.approx(0.1), pytest.approx(0.1), pytest.approx(0.1))
    mixed = paired_loss([(1.0, 0.0)] * 20 + [(0.0, 0.0)] * 80)
    assert mixed is not None
    # 20 of 100 lose 1: standard error sqrt(.2 * .8 / 100) = .04, so about .2 -+ 1.96 * .04
    assert mixed.mean == pytest.approx(0.2)
    assert mixed.low == pytest.approx(0.12, abs=0.02)
    assert mixed.high == pytest.approx(0.28, abs=0.02)


def test_shares_of_the_spoken_answers() -> None:
    kept = [KeptMeaning(True, True, True), KeptMeaning(False, True, True), KeptMeaning(True, False, False)]
    scores = answer_scores([SpokenAnswer(str(i), "answered", "s", "h", Errors(i, 4), k) for i, k in enumerate(kept)])
    assert scores.answers == 3
    assert scores.wer == pytest.approx(3 / 12)
    assert scores.numbers_kept == pytest.approx(2 / 3, abs=1e-4)
    assert scores.negations_kept == pytest.approx(2 / 3, abs=1e-4)
    assert scores.refusals_kept == pytest.approx(2 / 3, abs=1e-4)
    assert scores.meaning_kept == pytest.approx(1 / 3, abs=1e-4)
    assert answer_scores([]).meaning_kept is None


def test_confidence_that_separates_and_where() -> None:
    confidences = [0.2, 0.3, 0.4, 0.8, 0.9]
    found = separation(confidences, [True, True, False, True, False])
    # pairs of misheard and not: .2<.4 .2<.9 .3<.4 .3<.9 .8<.9 right, .8<.4 wrong: 5 of 6
    assert found.auroc == pytest.approx(5 / 6)
    assert found.threshold is not None
    # asking below it takes .2 and .3: 2 of 3 misheard, 0 of 2 others
    assert [confidence < found.threshold for confidence in confidences] == [True, True, False, False, False]
    assert (found.caught, found.disturbed) == (pytest.approx(2 / 3), 0.0)
    assert separation([0.5, 0.6], [False, False]).auroc is None
    misled = separation([0.9, 0.4], [True, False])
    assert (misled.auroc, misled.threshold, misled.caught, misled.disturbed) == (0.0, None, 0.0, 0.0)
    assert separation([], []).misheard == 0.0
