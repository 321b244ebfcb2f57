"""How far a figure can be trusted: percentile bootstrap over questions (Efron and Tibshirani 1993, chapter 13)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

Row = TypeVar("Row")


class Interval(NamedTuple):
    """A figure of all questions, and between what it lies in `level` of the resamples."""

    value: float
    low: float
    high: float


def interval(values: Sequence[float], seed: int = 0, samples: int = 1000, level: float = 0.95) -> Interval | None:
    """Of the mean; None without values.

    :param values: One a question, shape (n,).
    """
    if not len(values):
        return None
    array = np.asarray(values, dtype=float)
    means = array[_drawn(len(array), seed, samples)].mean(axis=1)
    return Interval(float(array.mean()), *_bounds(means, level))


def paired_difference(
    a: Sequence[float], b: Sequence[float], seed: int = 0, samples: int = 1000, level: float = 0.95
) -> Interval | None:
    """Of mean(a) - mean(b), where both systems answered the same questions: what is drawn is a question, so that an
    easy one is easy for both. An interval without 0 is a difference.

    :raises ValueError: when the two differ in length.
    """
    return interval([x - y for x, y in zip(a, b, strict=True)], seed, samples, level)


def interval_of(
    statistic: Callable[[Sequence[Row]], float | None],
    rows: Sequence[Row],
    seed: int = 0,
    samples: int = 1000,
    level: float = 0.95,
) -> Interval | None:
    """Of any figure of a group of questions, such as the calibration error or the precision of refusals.

    Resamples in which the figure is undefined (None) are left out; None when it is undefined for all rows.
    """
    value = statistic(rows) if len(rows) else None
    if value is None:
        return None
    figures = [statistic([rows[i] for i in drawn]) for drawn in _drawn(len(rows), seed, samples)]
    return Interval(value, *_bounds([figure for figure in figures if figure is not None] or [value], level))


def _drawn(rows: int, seed: int, samples: int) -> NDArray[np.int64]:
    """Indices with replacement, shape (samples, rows)."""
    return np.random.default_rng(seed).integers(rows, size=(samples, rows))


def _bounds(figures: Sequence[float] | NDArray[np.float64], level: float) -> tuple[float, float]:
    low, high = np.quantile(figures, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
