"""What a stretch of text costs in tokens of the embedder. Pure functions."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ingest.embedded_text import FILLER, KEPT_OF_FILLER

TokenOffsets = Callable[[str], Sequence[tuple[int, int]]]
"""Text -> (start, end) of each token of the embedder, without special tokens."""

_LONGEST_TOKEN = 40
"""Characters; a longer token (WordPiece makes one unknown token of any word over 100 letters) counts as several."""
_LONG_WORD = re.compile(rf"[\w\u0080-\U0010ffff]{{{_LONGEST_TOKEN + 1}}}")
"""What may be such a token: punctuation divides words."""


@dataclass(frozen=True)
class Tokens:
    """The tokens that count, in characters of the document's text, in order."""

    starts: list[int]
    ends: list[int]

    def __len__(self) -> int:
        return len(self.starts)

    def at(self, position: int) -> int:
        """Number of the first token that begins there or later."""
        return bisect_left(self.starts, position)


def tokenise(text: str, start: int, end: int, tokens_of: TokenOffsets) -> Tokens:
    """Of `text[start:end]`. A run of dots or dashes counts for little, since little of it is embedded."""
    piece = text[start:end]
    offsets = _without_filler(piece, tokens_of(piece)) if piece.strip() else []
    if _LONG_WORD.search(piece):
        offsets = list(_pieces(offsets))
    return Tokens([start + first for first, _ in offsets], [start + last for _, last in offsets])


def count(text: str, tokens_of: TokenOffsets) -> int:
    return len(tokenise(text, 0, len(text), tokens_of))


def _without_filler(text: str, tokens: Sequence[tuple[int, int]]) -> Sequence[tuple[int, int]]:
    """Of the part of a run that is not embedded, only each `_LONGEST_TOKEN`th token: a chunk must not be endless."""
    kept: list[tuple[int, int]] = []
    done = 0
    for run in FILLER.finditer(text):
        first = bisect_left(tokens, (run.start() + KEPT_OF_FILLER, 0))
        last = bisect_left(tokens, (run.end(), 0), first)
        kept += [*tokens[done:first], *tokens[first:last:_LONGEST_TOKEN]]
        done = last
    return [*kept, *tokens[done:]] if done else tokens


def _pieces(tokens: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """None longer than `_LONGEST_TOKEN` characters."""
    for start, end in tokens:
        while end - start > _LONGEST_TOKEN:
            yield start, start + _LONGEST_TOKEN
            start += _LONGEST_TOKEN
        yield start, end
