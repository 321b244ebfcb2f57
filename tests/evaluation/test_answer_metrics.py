"""The rules of SQuAD, with the arithmetic written out."""

from __future__ import annotations

import pytest

from ragvoice.evaluation.answer_metrics import contains, exact_match, f1, normalise


def test_normalisation() -> None:
    assert normalise("The  Answer, is: A 25-day leave!") == "answer is 25day leave"


def test_exact_match_takes_any_gold() -> None:
    assert exact_match("the 25 days.", ["three weeks", "25 Days"]) == 1
    assert exact_match("25 days a year", ["25 days"]) == 0
    assert exact_match("25 days", []) == 0


def test_f1_is_the_harmonic_mean_of_shared_words() -> None:
    # answer: get 25 days leave (4 words); gold: 25 days (2). Shared 2: precision 2/4, recall 2/2, F1 = 2*.5*1/1.5
    assert f1("get 25 days leave", ["25 days"]) == pytest.approx(2 / 3)
    # "days days" against "days": shared 1, precision 1/2, recall 1
    assert f1("days days", ["days"]) == pytest.approx(2 / 3)
    assert f1("25 days", ["nothing", "25 days"]) == 1
    assert f1("elephants", ["25 days"]) == 0
    assert f1("", ["25 days"]) == 0
    assert f1("the", ["a"]) == 1  # both are empty once normalised
    assert f1("x", []) == 0


def test_contains_wants_whole_words_in_one_piece() -> None:
    assert contains("You get 25 days a year.", ["25 days"]) == 1
    assert contains("You get 125 days a year.", ["25 days"]) == 0
    assert contains("25 long days", ["25 days"]) == 0
    assert contains("anything", ["the"]) == 0
    assert contains("anything", []) == 0
