"""What stood behind the same words before."""

from __future__ import annotations

import pytest

from ragvoice.generation.prompt_lookup import continuation


@pytest.mark.parametrize(
    ("ids", "most", "expected"),
    [
        ([1, 2, 3, 4, 9, 1, 2], 2, [3, 4]),
        ([1, 2, 3, 4, 9, 1, 2], 9, [3, 4, 9, 1, 2]),
        ([1, 2, 3, 1, 2, 4, 1, 2], 1, [4]),  # the latest time
        ([5, 1, 2, 3, 7, 1, 2, 4, 5, 1, 2], 1, [3]),  # three tokens alike before two
        ([1, 2, 3, 2], 3, [3, 2]),  # one alone, where no more are alike
        ([7, 7, 7], 3, [7]),
        ([1, 2], 3, []),
        ([1], 3, []),
        ([], 3, []),
        ([1, 2, 3, 1, 2], 0, []),
    ],
)
def test_continuation(ids: list[int], most: int, expected: list[int]) -> None:
    assert continuation(ids, most) == expected
