"""A stretch of text -> chunks that an embedder reads whole, cut where the text itself has a seam. Pure functions."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice

from ingest.blocks import Block, keep_together
from ingest.embedded_text import context
from ingest.fences import Span, find_fences
from ingest.tables import Table, find_tables
from ingest.tokens import TokenOffsets, Tokens, count, tokenise

_BOUNDARIES = (re.compile(r"\n\s*\n"), re.compile(r"\n"), re.compile(r"(?<=[.!?])\s+"), re.compile(r"\s+"))
"""Where a long section may be cut, best first: paragraph, line, sentence, word."""

_WINDOW = 100_000
"""Characters given to the tokenizer at once: the offsets of a log file of 100 MB would fill the memory."""

_SPECIAL_TOKENS = 2
"""That the embedder adds to a text."""


@dataclass(frozen=True)
class Packer:
    """Of one document."""

    text: str
    tokens_of: TokenOffsets
    chunk_tokens: int
    overlap_tokens: int
    max_tokens: int
    """That the embedder reads, special tokens included."""
    title: str

    @cached_property
    def _fences(self) -> list[Span]:
        return find_fences(self.text)

    @cached_property
    def _tables(self) -> list[Table]:
        return find_tables(self.text, self._fences)

    def table_header(self, position: int) -> str:
        """Of the table in whose rows the position is; empty elsewhere."""
        number = bisect_right(self._tables, position, key=lambda table: table.body) - 1
        return self._tables[number].header if number >= 0 and position < self._tables[number].end else ""

    def chunks(self, start: int, end: int, section: str) -> Iterator[Span]:
        """Spans of `text[start:end]`, which is a part of that section, without the white space around them."""
        while end - start > _WINDOW:
            cut = _cut(self.text, start + _WINDOW // 2, start + _WINDOW)
            yield from _Stretch(self, start, cut, section).chunks()
            start = cut
        yield from _Stretch(self, start, end, section).chunks()

    def blocks(self, start: int, end: int) -> list[Block]:
        return keep_together(self.text, start, end, self._fences, self._tables)

    def count(self, text: str) -> int:
        return count(text, self.tokens_of)


@dataclass(frozen=True)
class _Stretch:
    """A part of a section on one page, tokenised at once."""

    packer: Packer
    start: int
    end: int
    section: str
    _costs: dict[str, int] = field(default_factory=dict)
    """Tokens of the context of a chunk, by table header."""

    @cached_property
    def _tokens(self) -> Tokens:
        return tokenise(self.packer.text, self.start, self.end, self.packer.tokens_of)

    @cached_property
    def _blocks(self) -> list[Block]:
        return self.packer.blocks(self.start, self.end)

    def chunks(self) -> Iterator[Span]:
        """Greedy: as much as fits."""
        text, tokens = self.packer.text, self._tokens
        first, cut = 0, self.start
        while first < len(tokens):
            begin = _after_space(text, min(tokens.starts[first], cut))
            cut = self.end if self._is_last(begin, first) else self._end(begin, first)
            yield begin, _before_space(text, begin, cut)
            following = max(tokens.at(cut), first + 1)
            if following == len(tokens):
                return
            first = max(following - self.packer.overlap_tokens, first + 1)
            while first < following and not text[tokens.starts[first] - 1].isspace():
                first += 1  # an overlap begins with a whole word

    def _is_last(self, begin: int, first: int) -> bool:
        remaining = len(self._tokens) - first
        return remaining <= self._limit(begin, remaining) and self._fits(begin, self.end)

    def _limit(self, position: int, needed: int | None = None) -> int:
        """Tokens that a chunk which begins there may have.

        :param needed: With it, a smaller limit will do if it is not smaller than this.
        """
        room = self.packer.max_tokens - _SPECIAL_TOKENS
        least = min(self.packer.chunk_tokens, max(room // 2, 1))
        if needed is not None and needed <= least:
            return least
        header = self.packer.table_header(position)
        if header not in self._costs:
            self._costs[header] = self.packer.count(context(self.packer.title, self.section, header))
        return max(least, min(self.packer.chunk_tokens, room - self._costs[header]))

    def _end(self, begin: int, first: int) -> int:
        """Where a chunk that begins there and is not the last ends."""
        limit = self._limit(begin)
        while True:
            cut = self._around_block(begin, first, self._seam(first, limit), limit)
            if limit == 1 or self._fits(begin, cut):
                return cut
            excess = self.packer.count(self.packer.text[begin:cut]) - self._limit(begin)
            limit = max(limit - excess, 1)

    def _seam(self, first: int, limit: int) -> int:
        """The best boundary in the last half of what fits."""
        starts, ends = self._tokens.starts, self._tokens.ends
        if len(starts) - first <= limit:
            return self.end
        latest = max(ends[first + limit - 1], starts[first + limit])
        return _cut(self.packer.text, ends[first + limit // 2], latest)

    def _around_block(self, begin: int, first: int, cut: int, limit: int) -> int:
        """Behind the block that the cut would divide, if that fits, else before it; one longer than a chunk is cut."""
        at = self._tokens.at
        line = self.packer.text.rfind("\n", 0, begin) + 1
        nearest = bisect_left(self._blocks, line, key=lambda block: block[0][0])
        for block in islice(self._blocks, nearest, None):
            if block[0][0] >= cut:
                break
            for start, end in block:
                if at(end) - at(start) > self._limit(start):
                    continue
                if at(start) < at(cut) < at(end):
                    if at(end) - first <= limit:
                        return end
                    if at(start) > first:
                        return start
                break
        return cut

    def _fits(self, begin: int, end: int) -> bool:
        """Whether a chunk that keeps within its limit as part of the stretch does so by itself.

        A part of a word may be more tokens than it was within the word.
        """
        text = self.packer.text
        opens = begin == 0 or text[begin - 1].isspace()
        closes = end >= len(text) or text[end].isspace() or text[end - 1].isspace()
        return (opens and closes) or self.packer.count(text[begin:end]) <= self._limit(begin)


def _cut(text: str, earliest: int, limit: int) -> int:
    """The end of the last boundary of the best kind between the two, else `limit`."""
    for boundary in _BOUNDARIES:
        ends = [match.end() for match in boundary.finditer(text, earliest, limit)]
        if ends:
            return ends[-1]
    return limit


def _after_space(text: str, start: int) -> int:
    while start < len(text) and text[start].isspace():
        start += 1
    return start


def _before_space(text: str, start: int, end: int) -> int:
    return start + len(text[start:end].rstrip())
