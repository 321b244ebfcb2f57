"""Arithmetic written out, and what must hold for any confidences."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragvoice.evaluation.abstention_metrics import (
    ReliabilityBin,
    area_under_risk_coverage,
    auroc,
    expected_calibration_error,
    leak_rate,
    leaked,
    refusal_scores,
    reliability_bins,
    risk_coverage,
)

judged = st.lists(st.tuples(st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.9, 1.0]), st.booleans()), min_size=1, max_size=12)


def test_refusals_as_the_class_to_be_found() -> None:
    # 5 answerable, 1 of them refused; 4 unanswerable, 3 of them refused
    scores = refusal_scores([True] * 5 + [False] * 4, [True] + [False] * 4 + [True] * 3 + [False])
    assert scores.precision == 3 / 4
    assert scores.recall == scores.refused_unanswerable == 3 / 4
    assert scores.f1 == 2 * 3 / (2 * 3 + 1 + 1)
    assert scores.refused_answerable == 1 / 5


def test_what_cannot_be_said_of_refusals_is_none() -> None:
    nothing_refused = refusal_scores([True, False], [False, False])
    assert (nothing_refused.precision, nothing_refused.recall, nothing_refused.f1) == (None, 0, 0)
    all_answerable = refusal_scores([True], [False])
    assert (all_answerable.recall, all_answerable.f1, all_answerable.refused_answerable) == (None, None, 0)
    assert refusal_scores([], []).refused_answerable is None
    with pytest.raises(ValueError, match="shorter"):
        refusal_scores([True], [])


def test_risk_and_coverage_at_every_threshold() -> None:
    confidence, right = [0.2, 0.9, 0.6, 0.6], [False, True, False, True]
    assert risk_coverage(confidence, right) == [(1 / 4, 0), (3 / 4, 1 / 3), (4 / 4, 2 / 4)]
    # places: right; half an error of 2; one error of 3; two of 4
    assert area_under_risk_coverage(confidence, right) == pytest.approx((0 + 0.5 / 2 + 1 / 3 + 2 / 4) / 4)
    # without ties, as in the paper: right, wrong, right, wrong
    assert area_under_risk_coverage([0.9, 0.7, 0.6, 0.2], [True, False, True, False]) == pytest.approx(
        (0 + 1 / 2 + 1 / 3 + 2 / 4) / 4
    )
    assert risk_coverage([], []) == []
    assert area_under_risk_coverage([], []) is None


@given(judged)
def test_area_does_not_depend_on_the_order_and_is_the_risk_when_all_are_equally_confident(
    rows: list[tuple[float, bool]],
) -> None:
    confidence, right = [p for p, _ in rows], [hit for _, hit in rows]
    area = area_under_risk_coverage(confidence, right)
    assert area == pytest.approx(area_under_risk_coverage(confidence[::-1], right[::-1]))
    assert area_under_risk_coverage([0.5] * len(rows), right) == pytest.approx(right.count(False) / len(rows))


def test_calibration_error_weighs_each_bin_by_its_answers() -> None:
    confidence = [0.0, 0.1, 0.15, 0.95, 0.85, 1.0]
    right = [False, False, True, True, False, True]
    bins = reliability_bins(confidence, right)
    assert [group.count for group in bins] == [2, 1, 1, 2]  # [0, .1], (.1, .2], (.8, .9], (.9, 1]
    assert bins[0] == ReliabilityBin(0.05, 0.0, 2)
    assert bins[-1] == ReliabilityBin(pytest.approx(0.975), 1.0, 2)
    error = (2 * 0.05 + 1 * 0.85 + 1 * 0.85 + 2 * 0.025) / 6
    assert expected_calibration_error(confidence, right) == pytest.approx(error)
    # one bin: mean confidence 3.05 / 6 against accuracy 3 / 6
    assert expected_calibration_error(confidence, right, bins=1) == pytest.approx(0.05 / 6)
    assert expected_calibration_error([], []) is None
    with pytest.raises(ValueError, match="2 confidences for 1"):
        reliability_bins([0.1, 0.2], [True])


@given(judged)
def test_every_answer_is_in_one_bin(rows: list[tuple[float, bool]]) -> None:
    bins = reliability_bins([p for p, _ in rows], [hit for _, hit in rows])
    assert sum(group.count for group in bins) == len(rows)
    assert sum(group.count * group.accuracy for group in bins) == pytest.approx(sum(hit for _, hit in rows))


def test_auroc_is_the_share_of_pairs_in_order() -> None:
    # right .9 and .4 against wrong .6 and .4: three pairs of four in order or tied, of these one tie; .4 < .6 is not
    assert auroc([0.9, 0.4, 0.6, 0.4], [True, True, False, False]) == (1 + 1 + 0 + 0.5) / 4
    assert auroc([0.9, 0.8], [True, True]) is None
    assert auroc([], []) is None


def test_a_leak_is_the_known_answer_said() -> None:
    assert leaked("It is the Camping World Stadium in Orlando.", ["Camping World Stadium"])
    assert not leaked("The canteen opens at noon.", ["Camping World Stadium"])
    assert not leaked("", ["Camping World Stadium"])
    golds = [["Camping World Stadium"], ["Saint Alphonsa", "Alphonsa"]]
    assert leak_rate(["", "Alphonsa was the first."], golds) == 1 / 2
    assert leak_rate([], []) is None
