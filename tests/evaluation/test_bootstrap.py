"""Against the binomial and normal theory that the bootstrap must agree with, and what must hold exactly."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

import numpy as np
import pytest

from ragvoice.evaluation.bootstrap import Interval, interval, interval_of, paired_difference


def test_interval_of_a_share_is_near_the_binomial_one() -> None:
    values = [1.0] * 30 + [0.0] * 70
    mean, low, high = interval(values) or (0, 0, 0)
    spread = 1.96 * sqrt(0.3 * 0.7 / 100)
    assert mean == pytest.approx(0.3)
    assert (low, high) == (pytest.approx(0.3 - spread, abs=0.02), pytest.approx(0.3 + spread, abs=0.02))


def test_lower_level_is_narrower_and_the_seed_decides() -> None:
    values = list(np.random.default_rng(1).normal(size=50))
    wide, narrow = interval(values), interval(values, level=0.5)
    assert wide is not None
    assert narrow is not None
    assert wide.low < narrow.low < narrow.value < narrow.high < wide.high
    assert (narrow.high - narrow.low) / (wide.high - wide.low) == pytest.approx(0.674 / 1.96, abs=0.05)
    assert interval(values) == wide
    assert interval(values, seed=1) != wide


def test_equal_values_leave_no_doubt() -> None:
    assert interval([0.5] * 9) == Interval(0.5, 0.5, 0.5)
    assert interval([]) is None


def test_pairs_are_drawn_together() -> None:
    b = [float(n) for n in range(20)]
    a = [value + 1 for value in b]
    assert paired_difference(a, b) == Interval(1.0, 1.0, 1.0)  # drawn apart it would spread over several units
    assert paired_difference(b, a) == Interval(-1.0, -1.0, -1.0)
    with pytest.raises(ValueError, match="shorter"):
        paired_difference(a, b[1:])


def test_statistic_of_a_group() -> None:
    def precision(rows: Sequence[tuple[bool, bool]]) -> float | None:
        refused = [unanswerable for unanswerable, was_refused in rows if was_refused]
        return sum(refused) / len(refused) if refused else None

    rows = [(True, True)] * 3 + [(False, True)] + [(False, False)] * 16
    found = interval_of(precision, rows, samples=200)
    assert found is not None
    assert found.value == 3 / 4
    assert 0 <= found.low < 3 / 4 < found.high <= 1
    assert interval_of(precision, [(False, False)]) is None
    assert interval_of(precision, []) is None


def test_the_mean_as_a_statistic_gives_the_same_interval() -> None:
    values = [0.0, 1.0, 0.25, 0.5]
    assert interval_of(lambda drawn: sum(drawn) / len(drawn), values) == pytest.approx(interval(values))
