"""What counts as better, on figures worked by hand."""

from __future__ import annotations

import pytest

from finetune.embedder.proof import DENSE, MEASURES, SERVED, Rankings, compared, is_better


def scored(ndcg: list[float], hit5: list[float]) -> Rankings:
    rows = [{**dict.fromkeys(MEASURES, 0.0), "ndcg@10": n, "hit@5": h} for n, h in zip(ndcg, hit5, strict=True)]
    return {SERVED: rows, DENSE: rows}


BASE = scored([0.5] * 20, [1.0] * 20)


def test_means_and_their_difference() -> None:
    rows = compared(BASE, scored([0.6] * 10 + [0.5] * 10, [1.0] * 20))
    row = next(row for row in rows if (row.search, row.measure) == (SERVED, "ndcg@10"))
    assert (row.base, row.tuned, row.change.value) == pytest.approx((0.5, 0.55, 0.05))
    assert 0 < row.change.low < 0.05 < row.change.high < 0.1
    assert len(rows) == 2 * len(MEASURES)


@pytest.mark.parametrize(
    ("tuned", "better"),
    [
        (scored([0.6] * 10 + [0.5] * 10, [1.0] * 20), True),
        (BASE, False),
        (scored([0.6] + [0.5] * 19, [1.0] * 20), False),  # one question: the interval reaches 0
        (scored([0.6] * 20, [1.0] * 19 + [0.0]), False),  # ranks rise, but a document falls out of the first five
    ],
)
def test_better_is_surely_higher_and_loses_nothing(tuned: Rankings, better: bool) -> None:
    assert is_better(compared(BASE, tuned)) is better


def test_nothing_to_compare() -> None:
    with pytest.raises(ValueError, match="no question"):
        compared(scored([], []), scored([], []))
