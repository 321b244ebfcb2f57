"""The arithmetic of fusing two rankings, written out."""

from __future__ import annotations

import numpy as np
import pytest

from ragvoice.retrieval.fusion import fuse, normalise_bm25


def array(*values: float) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    return np.array(values, dtype=np.float32)


def test_bm25_is_divided_by_the_best() -> None:
    assert normalise_bm25(array(4, 2, 0)).tolist() == [1.0, 0.5, 0.0]
    assert normalise_bm25(array(0, 0)).tolist() == [0.0, 0.0]
    assert normalise_bm25(array()).tolist() == []


def test_the_fused_score_is_the_weighted_sum() -> None:
    # 0.7 * 0.8 + 0.3 * 2/4 = 0.71;  0.7 * 0.2 + 0.3 * 4/4 = 0.44
    assert fuse(array(0.8, 0.2), array(2, 4), 0.7) == pytest.approx([0.71, 0.44])


def test_a_negative_cosine_counts_nothing() -> None:
    assert fuse(array(-0.5, 0.5), array(1, 0), 0.5) == pytest.approx([0.5, 0.25])


def test_the_ends_of_the_weight_are_one_ranking_alone() -> None:
    assert fuse(array(0.9, 0.1), array(1, 5), 1.0) == pytest.approx([0.9, 0.1])
    assert fuse(array(0.9, 0.1), array(1, 5), 0.0) == pytest.approx([0.2, 1.0])
    assert fuse(array(1.0), array(3), 0.3) == pytest.approx([1.0])
