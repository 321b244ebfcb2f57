"""What a model may write next, guessed from what stands before: an answer often copies its passage.

Prompt lookup decoding (Saxena 2023, github.com/apoorvumang/prompt-lookup-decoding), a speculative decoding (Leviathan
et al. 2023, arXiv 2211.17192) without a second model: guesses are tried at once, and only those that the model would
have written itself are kept, so greedy decoding writes the same.
"""

from __future__ import annotations

from collections.abc import Sequence

_LONGEST, _SHORTEST = 3, 1
"""Tokens that must have stood there before. Of one alone the guess is often wrong, but trying it costs little."""


def continuation(ids: Sequence[int], most: int) -> list[int]:
    """At most `most` tokens that followed the last ones of `ids` when these stood there before, the latest time;
    empty when they did not."""
    for length in range(_LONGEST, _SHORTEST - 1, -1):
        ending = tuple(ids[-length:])
        for start in range(len(ids) - length - 1, -1, -1):
            if ids[start] == ending[0] and tuple(ids[start : start + length]) == ending:
                return list(ids[start + length : start + length + most])
    return []
