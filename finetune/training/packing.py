"""Examples that begin alike share their beginning: one forward pass reads it once and every question after it.

A row is a tree: a prefix and branches, each a question with its answer. A token attends to the prefix and to its own
branch only, at the position that it would have alone, so that the loss and the gradient are those of the examples
one by one. The same mask lets several trees stand in one row, and keeps passages apart from one another where serving
does (`ragvoice.generation.apart`).

Legend: `l` tokens of a row, `a` tokens that are predicted.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from finetune.training.encoding import Encoded
from ragvoice.errors import UsageError
from ragvoice.generation import apart
from ragvoice.generation.apart import REST


@dataclass(frozen=True)
class Row:
    """Token ids and who may see whom; all arrays are int64."""

    tokens_l: NDArray[np.int64]
    positions_l: NDArray[np.int64]
    trees_l: NDArray[np.int64]
    """Number of the tree that a token belongs to, from 0."""
    branches_l: NDArray[np.int64]
    """Number of the branch, from 1; 0 is the prefix of its tree."""
    pieces_l: NDArray[np.int64]
    """Number of the prompt's piece; `REST` sees all before it."""
    predicting_a: NDArray[np.int64]
    """Places of the tokens whose successor is part of an answer."""
    targets_a: NDArray[np.int64]
    """Those successors."""
    owners_a: NDArray[np.int64]
    """Index among the examples that were packed."""

    def __len__(self) -> int:
        return len(self.tokens_l)


def mask(row: Row) -> NDArray[np.bool_]:
    """Shape (l, l), True where the token of the line may see that of the column."""
    places = np.arange(len(row))
    causal = places[:, None] >= places[None, :]
    tree = row.trees_l[:, None] == row.trees_l[None, :]
    branch = (row.branches_l[None, :] == 0) | (row.branches_l[:, None] == row.branches_l[None, :])
    seen: NDArray[np.bool_] = causal & tree & branch & apart.visible(row.pieces_l)
    return seen


def pack(
    examples: Sequence[Encoded],
    row_tokens: int,
    row_examples: int,
    seed: int,
    *,
    fill_tokens: int = 0,
    skip_long: bool = False,
) -> list[Row]:
    """Rows in random order; examples with a long common beginning are in one row where they fit.

    :param row_tokens: Most tokens of a row.
    :param fill_tokens: Trees stand together in a row up to so many tokens; attention costs their square, and most of
        what two trees compute together is masked.
    :raises UsageError: for an example of more than `row_tokens` tokens, unless it is to be skipped.
    """
    chance = random.Random(seed)
    kept = _fitting(examples, row_tokens, skip_long)
    # Sorted by their tokens, examples with a common beginning are neighbours.
    order = sorted(kept, key=lambda index: examples[index].prompt)
    trees: list[list[int]] = []
    for index in order:
        if trees and _joins(examples, trees[-1], index, row_tokens, row_examples):
            trees[-1].append(index)
        else:
            trees.append([index])
    chance.shuffle(trees)
    return [_row(examples, row) for row in _filled(examples, trees, fill_tokens, row_examples)]


def _fitting(examples: Sequence[Encoded], row_tokens: int, skip_long: bool) -> list[int]:
    long = [index for index, example in enumerate(examples) if len(example) > row_tokens]
    if long and not skip_long:
        raise UsageError(
            f"{len(long)} of {len(examples)} examples are longer than row_tokens = {row_tokens}; the longest has "
            f"{max(len(examples[index]) for index in long)} tokens. Raise row_tokens, or set skip_long = true."
        )
    left_out = set(long)
    return [index for index in range(len(examples)) if index not in left_out]


def _joins(examples: Sequence[Encoded], tree: Sequence[int], index: int, row_tokens: int, row_examples: int) -> bool:
    """Whether it shares at least half of its prompt with the tree, and there is room."""
    if len(tree) == row_examples:
        return False
    joined = [*tree, index]
    shared = _shared(examples, joined)
    return 2 * shared >= len(examples[index].prompt) and _size(examples, joined, shared) <= row_tokens


def _shared(examples: Sequence[Encoded], tree: Sequence[int]) -> int:
    """Length of the common beginning; the last token of a prompt is never in it, since it predicts the answer.

    The tree is sorted, so the first and the last prompt differ at least as early as any two.
    """
    if len(tree) == 1:
        return 0
    first, last = (list(zip(one.prompt, _pieces(one), strict=True)) for one in (examples[tree[0]], examples[tree[-1]]))
    most = min(len(examples[index].prompt) for index in tree) - 1
    same = next((place for place in range(min(len(first), len(last))) if first[place] != last[place]), len(first))
    return min(most, same)


def _size(examples: Sequence[Encoded], tree: Sequence[int], shared: int) -> int:
    return shared + sum(len(examples[index]) - shared for index in tree)


def _filled(
    examples: Sequence[Encoded], trees: Sequence[list[int]], fill_tokens: int, row_examples: int
) -> list[list[list[int]]]:
    """First fit: each tree goes into the first open row that has room."""
    rows: list[list[list[int]]] = []
    sizes: list[int] = []
    counts: list[int] = []
    open_from = 0
    for tree in trees:
        size = _size(examples, tree, _shared(examples, tree))
        for place in range(open_from, len(rows)):
            if sizes[place] + size <= fill_tokens and counts[place] + len(tree) <= row_examples:
                break
        else:
            place = len(rows)
            rows.append([])
            sizes.append(0)
            counts.append(0)
            open_from = max(open_from, len(rows) - _OPEN_ROWS)
        rows[place].append(tree)
        sizes[place] += size
        counts[place] += len(tree)
    return rows


_OPEN_ROWS = 32
"""Rows that may still be filled; more would put what is short together and lose the random order."""


def _row(examples: Sequence[Encoded], trees: Sequence[Sequence[int]]) -> Row:
    tokens: list[int] = []
    positions: list[int] = []
    tree_of: list[int] = []
    branch_of: list[int] = []
    piece_of: list[int] = []
    predicting: list[int] = []
    targets: list[int] = []
    owners: list[int] = []
    for number, tree in enumerate(trees):
        shared = _shared(examples, tree)
        prefix = examples[tree[0]].prompt[:shared]
        tokens += prefix
        positions += _positions(examples[tree[0]])[:shared]
        tree_of += [number] * shared
        branch_of += [0] * shared
        piece_of += _pieces(examples[tree[0]])[:shared]
        for branch, index in enumerate(tree, start=1):
            example = examples[index]
            rest = [*example.prompt[shared:], *example.answer]
            first = len(tokens) + len(example.prompt) - shared - 1
            predicting += range(first, first + len(example.answer))
            targets += example.answer
            owners += [index] * len(example.answer)
            tokens += rest
            positions += _positions(example)[shared:]
            tree_of += [number] * len(rest)
            branch_of += [branch] * len(rest)
            piece_of += [*_pieces(example)[shared:], *[REST] * len(example.answer)]
    columns = (tokens, positions, tree_of, branch_of, piece_of, predicting, targets, owners)
    return Row(*(np.array(values, dtype=np.int64) for values in columns))


def _positions(example: Encoded) -> list[int]:
    return apart.positions([*_pieces(example), *[REST] * len(example.answer)])


def _pieces(example: Encoded) -> Sequence[int]:
    return example.pieces or [REST] * len(example.prompt)
