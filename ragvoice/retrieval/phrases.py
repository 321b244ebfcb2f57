"""Words of the question that stand side by side in a passage. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise


def shared_pairs(query: Sequence[str], text: Sequence[str]) -> float:
    """Share of the query's pairs of neighbouring words that are neighbours, in that order, in the text too; 0 to 1.

    The ordered window of length two of the sequential dependence model (Metzler & Croft 2005,
    doi 10.1145/1076034.1076115), counted once each.

    :param query: Its content words in order, stemmed, as those of the text.
    """
    asked = set(pairwise(query))
    return len(asked & set(pairwise(text))) / len(asked) if asked else 0.0
