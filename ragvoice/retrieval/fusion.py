"""How two rankings become one: pure functions on score vectors.

Legend: `c` candidates of one query.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SHORT_CHARACTERS = 320
"""A chunk shorter than this is short, unless it is the whole of its document."""
BREVITY_SHARE = 0.3
"""Of the score, what a chunk without a character would lose."""


def normalise_bm25(scores_c: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scores divided by the best one, so that 1 is the best lexical match; all zero stays all zero."""
    best = float(scores_c.max(initial=0.0))
    return scores_c / best if best > 0 else np.zeros_like(scores_c)


def fuse(cosine_c: NDArray[np.float32], bm25_c: NDArray[np.float32], dense_weight: float) -> NDArray[np.float32]:
    """Convex combination of the cosine and the normalised BM25 score (Bruch et al. 2023, arXiv 2210.11934).

    :param cosine_c: Cosine similarities, -1 to 1; negative ones count as 0.
    :param bm25_c: Raw BM25 scores, 0 and up, normalised here.
    :param dense_weight: 1 is dense only, 0 lexical only.
    :returns: Shape (c,), range 0 to 1.
    """
    dense_c = np.clip(cosine_c, 0.0, 1.0)
    return (dense_weight * dense_c + (1.0 - dense_weight) * normalise_bm25(bm25_c)).astype(np.float32)


def brevity(characters_c: NDArray[np.int64], document_characters_c: NDArray[np.int64]) -> NDArray[np.float32]:
    """Factors of the scores: 1 - 0.3 * (1 - length / limit), below a limit of 320 characters or the whole document.

    A line under its own heading has few words beside those of the question and so outranks the passage that answers.

    :returns: Shape (c,), range 0.7 to 1.
    """
    limit_c = np.clip(document_characters_c, 1, SHORT_CHARACTERS)
    missing_c = np.clip(1.0 - characters_c / limit_c, 0.0, 1.0)
    return (1.0 - BREVITY_SHARE * missing_c).astype(np.float32)
