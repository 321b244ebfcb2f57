"""Text -> chunks that follow headings, never cross a page, and know their offsets. Pure functions.

Offsets are characters of the document's text; a chunk is the slice `text[start:end]`.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ingest.headings import find_headings
from ragvoice.datatypes import Place

TokenOffsets = Callable[[str], Sequence[tuple[int, int]]]
"""Text -> (start, end) of each token of the embedder."""

_BOUNDARIES = (re.compile(r"\n\s*\n"), re.compile(r"\n"), re.compile(r"(?<=[.!?])\s+"), re.compile(r"\s+"))
"""Where a long section may be cut, best first: paragraph, line, sentence, word."""

_WINDOW = 100_000
"""Characters given to the tokenizer at once: the offsets of a log file of 100 MB would fill the memory."""

_LONGEST_TOKEN = 40
"""Characters; a longer token (WordPiece makes one unknown token of any word over 100 letters) counts as several."""


@dataclass(frozen=True)
class PageSpan:
    """The characters of the document's text that stand on one page, slide or sheet."""

    start: int
    end: int
    place: Place | None


@dataclass(frozen=True)
class Chunk:
    start: int
    end: int
    section: str
    place: Place | None
    table_header: str = ""
    """Header rows of the table in which the chunk begins, when they stand in an earlier chunk."""


@dataclass(frozen=True)
class _Section:
    start: int
    end: int
    path: str


def split(
    text: str,
    pages: Sequence[PageSpan],
    tokens_of: TokenOffsets,
    chunk_tokens: int,
    overlap_tokens: int,
    title: str = "",
) -> list[Chunk]:
    """Chunks of at most `chunk_tokens`, in reading order; together they cover all text but headings.

    :param pages: In order, without gaps but white space.
    :param overlap_tokens: At most half of `chunk_tokens`.
    :param title: What the document is called beside its text; the top heading is left out of the paths only when it
        says no more than that. Empty when the top heading is the title.
    """
    chunks = []
    page_ends = [page.end for page in pages]
    for section in _sections(text, title):
        for page in pages[bisect_right(page_ends, section.start) :]:
            if page.start >= section.end:
                break
            for start, end in _windows(text, max(section.start, page.start), min(section.end, page.end)):
                for first, last in _pack(text[start:end], tokens_of, chunk_tokens, overlap_tokens):
                    chunks.append(Chunk(start + first, start + last, section.path, page.place))
    return chunks


def _sections(text: str, title: str) -> Iterator[_Section]:
    """Stretches between headings; the heading line itself belongs to none, its text is in the path.

    A heading that nothing but its own subheadings follow has no stretch of its own; one that nothing at all follows
    is its own stretch, since its words stand nowhere else. The document's only top heading is its title and left out
    of the paths, since the title is kept beside them.
    """
    headings = find_headings(text)
    depths = [len(heading.path) for heading in headings]
    is_title = depths.count(1) == 1 and (not title or headings[0].path[0].casefold() in title.casefold())
    yield _Section(0, headings[0].start if headings else len(text), "")
    for i, heading in enumerate(headings):
        last = i + 1 == len(headings)
        end = len(text) if last else headings[i + 1].start
        path = " > ".join(heading.path[1:] if is_title else heading.path)
        if text[heading.body : end].strip():
            yield _Section(heading.body, end, path)
        elif last or depths[i + 1] <= depths[i]:
            yield _Section(heading.start, heading.body, path)


def _windows(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    while end - start > _WINDOW:
        cut = _cut(text, start + _WINDOW // 2, start + _WINDOW)
        yield start, cut
        start = cut
    yield start, end


def _pack(text: str, tokens_of: TokenOffsets, chunk_tokens: int, overlap_tokens: int) -> Iterator[tuple[int, int]]:
    """Greedy: as much as fits, cut at the best boundary in the last half of the chunk."""
    tokens = _countable(tokens_of(text)) if text.strip() else []
    first, end = 0, 0
    while first < len(tokens):
        start = min(tokens[first][0], end)
        if len(tokens) - first <= chunk_tokens:
            yield _trim(text, start, len(text))
            return
        earliest = tokens[first + chunk_tokens // 2][1]
        limit = max(tokens[first + chunk_tokens - 1][1], tokens[first + chunk_tokens][0])
        end = _cut(text, earliest, limit)
        yield _trim(text, start, end)
        following = first + 1
        while following < len(tokens) and tokens[following][0] < end:
            following += 1
        if following == len(tokens):
            return
        first = max(following - overlap_tokens, first + 1)
        while first < following and not text[tokens[first][0] - 1].isspace():
            first += 1  # an overlap begins with a whole word


def _countable(tokens: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Tokens in order, none longer than `_LONGEST_TOKEN` characters."""
    pieces = []
    for start, end in tokens:
        while end - start > _LONGEST_TOKEN:
            pieces.append((start, start + _LONGEST_TOKEN))
            start += _LONGEST_TOKEN
        pieces.append((start, end))
    return pieces


def _cut(text: str, earliest: int, limit: int) -> int:
    """The end of the last boundary of the best kind between the two, else `limit`."""
    for boundary in _BOUNDARIES:
        ends = [match.end() for match in boundary.finditer(text, earliest, limit)]
        if ends:
            return ends[-1]
    return limit


def _trim(text: str, start: int, end: int) -> tuple[int, int]:
    piece = text[start:end]
    return start + len(piece) - len(piece.lstrip()), start + len(piece.rstrip())
