"""The arithmetic of fusing two rankings, written out."""

from __future__ import annotations

import numpy as np
import pytest

from ragvoice.retrieval.fusion import brevity, fuse, normalise_bm25


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


def test_a_short_chunk_of_a_long_document_weighs_less() -> None:
    lengths, documents = np.array([0, 160, 320, 1000]), np.array([5000, 5000, 5000, 5000])
    # 1 - 0.3 * (1 - 160 / 320) = 0.85
    assert brevity(lengths, documents) == pytest.approx([0.7, 0.85, 1.0, 1.0])


def test_a_short_document_is_no_short_chunk() -> None:
    # the whole of 100 characters; half of 100; a document without a chunk
    assert brevity(np.array([100, 50, 0]), np.array([100, 100, 0])) == pytest.approx([1.0, 0.85, 0.7])
