"""Text -> chunks that follow its structure, never cross a page, and know their offsets. Pure functions.

Offsets are characters of the document's text; a chunk is the slice `text[start:end]`.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ingest.headings import find_headings
from ingest.packing import Packer
from ingest.tokens import TokenOffsets
from ragvoice.datatypes import Place

__all__ = ["Chunk", "PageSpan", "TokenOffsets", "split"]


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
    """Header row and rule, as Markdown, of the table in whose rows the chunk begins; empty when it begins elsewhere."""


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
    max_tokens: int = 256,
) -> list[Chunk]:
    """Chunks of at most `chunk_tokens`, in reading order; together they cover all text but headings.

    A chunk is shorter where title, heading path and table header, which are embedded with it, leave less room; never
    shorter than half of what the embedder reads, since `embedded_text` lets it cut their end.

    :param pages: In order, without gaps but white space.
    :param overlap_tokens: At most half of `chunk_tokens`.
    :param title: As it is embedded. A document's top heading is left out of the paths when it says no more than that,
        or when there is no title.
    :param max_tokens: That the embedder reads of a text, special tokens included.
    """
    packer = Packer(text, tokens_of, chunk_tokens, overlap_tokens, max_tokens, title)
    chunks = []
    page_ends = [page.end for page in pages]
    for section in _sections(text, title):
        for page in pages[bisect_right(page_ends, section.start) :]:
            if page.start >= section.end:
                break
            for start, end in packer.chunks(max(section.start, page.start), min(section.end, page.end), section.path):
                chunks.append(Chunk(start, end, section.path, page.place, packer.table_header(start)))
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
