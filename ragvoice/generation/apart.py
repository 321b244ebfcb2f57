"""Passages that are read apart: none sees another one, so what a model has read of one is of use beside any others.

A prompt is cut into pieces (`ChatTemplate.prompt_pieces`): what stands before the passages, each passage, the rest. A
passage sees the first piece and itself, at the positions right behind the first piece, as if it were alone; the rest
sees everything, at the positions behind all of it: block attention (Sun et al. 2024, arXiv 2409.15355) with the
positions of parallel context windows (Ratner et al. 2023, arXiv 2212.10947).

Legend: `l` tokens.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

REST = -1
"""The piece that sees all others."""


def pieces_of(pieces: Sequence[Sequence[object]]) -> list[int]:
    """For each token the number of its piece: 0 for the first, `REST` for the last."""
    *front, rest = pieces
    numbers = [number for number, piece in enumerate(front) for _ in piece]
    return [*numbers, *[REST] * len(rest)]


def positions(pieces: Sequence[int]) -> list[int]:
    """For each token of a prompt its position. :param pieces: Of each token, as `pieces_of`."""
    first = sum(piece == 0 for piece in pieces)
    starts: dict[int, int] = {}
    return [
        place if piece in (0, REST) else first + place - starts.setdefault(piece, place)
        for place, piece in enumerate(pieces)
    ]


def visible(pieces_l: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Shape (l, l), True where the token of the line may see that of the column, as far as pieces decide it."""
    line, column = pieces_l[:, None], pieces_l[None, :]
    seen: NDArray[np.bool_] = (line == column) | (line == REST) | (column == 0)
    return seen
