"""Pairs of neighbouring words, by hand."""

from __future__ import annotations

from ragvoice.retrieval.phrases import shared_pairs


def test_the_share_of_the_pairs_of_the_question() -> None:
    query = ["hotel", "limit", "london"]  # hotel limit, limit london
    assert shared_pairs(query, ["the", "hotel", "limit", "is", "per", "night"]) == 0.5
    assert shared_pairs(query, ["hotel", "limit", "london"]) == 1.0
    assert shared_pairs(query, ["limit", "hotel", "london", "limit"]) == 0.0


def test_a_pair_counts_once() -> None:
    assert shared_pairs(["a", "b", "a", "b"], ["a", "b", "a", "b"]) == 1.0
    assert shared_pairs(["a", "b", "c"], ["a", "b", "a", "b"]) == 0.5


def test_one_word_has_no_pairs() -> None:
    assert shared_pairs(["hotel"], ["hotel"]) == 0.0
    assert shared_pairs([], []) == 0.0
