"""Text -> chunks that follow headings, never cross a page, and know their offsets. Pure functions.

Offsets are characters of the document's text; a chunk is the slice `text[start:end]`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

TokenOffsets = Callable[[str], Sequence[tuple[int, int]]]
"""Text -> (start, end) of each token of the embedder."""

_HEADING = re.compile(r"^(#{1,6})[ \t]+(.*?)[ \t#]*$|^(```|~~~)", re.MULTILINE)
_MARKUP = re.compile(r"[*_`]+|\[([^\]]*)\]\([^)]*\)")
_BOUNDARIES = (re.compile(r"\n\s*\n"), re.compile(r"\n"), re.compile(r"(?<=[.!?])\s+"), re.compile(r"\s+"))
"""Where a long section may be cut, best first: paragraph, line, sentence, word."""


@dataclass(frozen=True)
class PageSpan:
    """The characters of the document's text that stand on one page."""

    start: int
    end: int
    page: int | None


@dataclass(frozen=True)
class Chunk:
    start: int
    end: int
    section: str
    page: int | None


@dataclass(frozen=True)
class _Section:
    start: int
    end: int
    path: str


def split(
    text: str, pages: Sequence[PageSpan], tokens_of: TokenOffsets, chunk_tokens: int, overlap_tokens: int
) -> list[Chunk]:
    """Chunks of at most `chunk_tokens`, in reading order; together they cover all text but headings."""
    chunks = []
    for section in _sections(text):
        for page in pages:
            start, end = max(section.start, page.start), min(section.end, page.end)
            if text[start:end].strip():
                for first, last in _pack(text[start:end], tokens_of, chunk_tokens, overlap_tokens):
                    chunks.append(Chunk(start + first, start + last, section.path, page.page))
    return chunks


def first_heading(text: str) -> str:
    """Text of the first heading, or an empty string."""
    for _, path, _ in _headings(text):
        return path[-1]
    return ""


def _sections(text: str) -> Iterator[_Section]:
    """Stretches between headings; the heading line itself belongs to none, its text is in the path.

    A heading that nothing but its own subheadings follow has no stretch of its own. The document's only top
    heading is its title and left out of the paths, since the title is kept beside them.
    """
    headings = list(_headings(text))
    levels = [len(path) for _, path, _ in headings]
    drop = 1 if levels and levels.count(1) == 1 and levels[0] == 1 else 0
    yield _Section(0, headings[0][0] if headings else len(text), "")
    for i, (_, path, body) in enumerate(headings):
        end = headings[i + 1][0] if i + 1 < len(headings) else len(text)
        yield _Section(body, end, " > ".join(path[drop:]))


def _headings(text: str) -> Iterator[tuple[int, tuple[str, ...], int]]:
    """(start of the heading line, heading path, start of what follows); code fences are passed over."""
    stack: list[tuple[int, str]] = []
    fence = ""
    for match in _HEADING.finditer(text):
        if match[3]:
            fence = "" if fence == match[3] else fence or match[3]
        elif not fence and (title := _MARKUP.sub(r"\1", match[2]).strip()):
            level = len(match[1])
            while stack and stack[-1][0] >= level:
                stack.pop()
            stack.append((level, title))
            yield match.start(), tuple(name for _, name in stack), match.end()


def _pack(text: str, tokens_of: TokenOffsets, chunk_tokens: int, overlap_tokens: int) -> Iterator[tuple[int, int]]:
    """Greedy: as much as fits, cut at the best boundary in the last half of the window."""
    tokens = tokens_of(text)
    first = 0
    while first < len(tokens):
        start = tokens[first][0]
        if len(tokens) - first <= chunk_tokens:
            yield _trim(text, start, len(text))
            return
        limit, earliest = tokens[first + chunk_tokens - 1][1], tokens[first + chunk_tokens // 2][1]
        end = _cut(text, earliest, limit)
        yield _trim(text, start, end)
        following = next(i for i in range(first, len(tokens)) if tokens[i][0] >= end or i == len(tokens) - 1)
        if tokens[following][0] < end:
            return
        first = max(following - overlap_tokens, first + 1)


def _cut(text: str, earliest: int, limit: int) -> int:
    for boundary in _BOUNDARIES:
        ends = [match.end() for match in boundary.finditer(text, earliest, limit)]
        if ends:
            return ends[-1]
    return limit


def _trim(text: str, start: int, end: int) -> tuple[int, int]:
    piece = text[start:end]
    return start + len(piece) - len(piece.lstrip()), start + len(piece.rstrip())
