"""Chunks of whatever chance writes: lines that look like structure, documents that have it, other scripts."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as with_settings
from hypothesis import strategies as st

from ingest.embedded_text import embedded_text
from ingest.headings import find_headings
from ingest.splitting import Chunk, PageSpan, TokenOffsets, split
from ragvoice.datatypes import Place

FAST = with_settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def words(text: str) -> list[tuple[int, int]]:
    return [match.span() for match in re.finditer(r"\S+", text)]


def joined(pages: Sequence[str]) -> tuple[str, list[PageSpan]]:
    """As the job joins them."""
    text, spans = "", []
    for number, page in enumerate(pages, start=1):
        body = page.strip("\n")
        text += "\n\n" if text else ""
        spans.append(PageSpan(len(text), len(text) + len(body), Place("page", number)))
        text += body
    return text, spans


def check(text: str, spans: Sequence[PageSpan], chunks: Sequence[Chunk]) -> None:
    """Whatever the text: all of it but headings is covered, in order, and no chunk leaves its page."""
    by_page = {span.place: span for span in spans}
    covered = bytearray(len(text))
    for chunk in chunks:
        span = by_page[chunk.place]
        assert span.start <= chunk.start < chunk.end <= span.end
        piece = text[chunk.start : chunk.end]
        assert piece == piece.strip()
        covered[chunk.start : chunk.end] = b"\1" * (chunk.end - chunk.start)
    for heading in find_headings(text):
        covered[heading.start : heading.body] = b"\1" * (heading.body - heading.start)
    assert "".join(text[i] for i in range(len(text)) if not covered[i]).strip() == ""
    assert [chunk.start for chunk in chunks] == sorted(chunk.start for chunk in chunks)
    assert len({(chunk.start, chunk.end) for chunk in chunks}) == len(chunks)


def check_budget(
    text: str, chunks: Sequence[Chunk], tokens_of: TokenOffsets, chunk_tokens: int, max_tokens: int, title: str
) -> None:
    """The embedder reads every word of a chunk, and all that is embedded with it unless that takes more than half."""
    room = max_tokens - 2
    for chunk in chunks:
        piece = text[chunk.start : chunk.end]
        alone = len(tokens_of(embedded_text("", "", piece)))
        whole = len(tokens_of(embedded_text(title, chunk.section, piece, chunk.table_header)))
        assert alone <= chunk_tokens
        assert whole <= room or alone <= room // 2


MARKS = "# One|## Two|### Three|Under|===|---|```|~~~|- item|  - item|1. item|    # code|<table><tr>|<tr><td>a|</table>"
LINES = st.sampled_from(["", "| a | b |", "|---|---|", "a | b", "-|-", "." * 20, *MARKS.split("|")]) | st.text(
    st.characters(exclude_categories=("Cs", "Cc", "Cn")), max_size=60
)


@FAST
@given(st.lists(st.lists(LINES, max_size=12).map("\n".join), min_size=1, max_size=4), st.integers(2, 12), st.data())
def test_any_lines_are_covered_within_limits_and_pages(pages: list[str], limit: int, data: st.DataObject) -> None:
    text, spans = joined(pages)
    overlap = data.draw(st.integers(0, limit // 2))
    max_tokens = data.draw(st.integers(6, 40))
    chunks = split(text, spans, words, limit, overlap, "A title", max_tokens)
    check(text, spans, chunks)
    check_budget(text, chunks, words, limit, max_tokens, "A title")


@dataclass
class Written:
    """A document under construction and what it is made of."""

    pages: list[str] = field(default_factory=lambda: [""])
    bodies: list[tuple[int, int, str]] = field(default_factory=list)
    """(start, end, header) of the rows of each table."""
    blocks: list[tuple[int, int]] = field(default_factory=list)
    """Tables, their rows, list items and fences."""

    def add(self, text: str) -> int:
        """:returns: Where it begins in the text of the whole document."""
        self.pages[-1] += ("\n\n" if self.pages[-1] else "") + text
        return len(joined(self.pages)[0]) - len(text)


WORD = st.sampled_from(
    "leave days Leeds notice form 26 weeks salary x https://example.com/a/b?c=d Umlaut-Straße".split()
)
SENTENCE = st.lists(WORD, min_size=1, max_size=9).map(" ".join)
LONG = st.one_of(st.text("ab", min_size=30, max_size=40), st.just("漢字" * 40), st.just("-" * 150))


def add_table(written: Written, data: st.DataObject) -> None:
    width = data.draw(st.integers(2, 4))
    row = st.lists(SENTENCE, min_size=width, max_size=width)
    header, *rows = data.draw(st.lists(row, min_size=2, max_size=6))
    lines = [f"| {' | '.join(cells)} |" for cells in (header, ["---"] * width, *rows)]
    start = written.add("\n".join(lines))
    ends = [start]
    for line in lines:
        ends.append(ends[-1] + len(line) + 1)
    written.bodies.append((ends[2], ends[-1] - 1, f"{lines[0]}\n{lines[1]}"))
    written.blocks += [(start, ends[-1] - 1), *((first, last - 1) for first, last in pairwise(ends[2:]))]


def add_list(written: Written, data: st.DataObject) -> None:
    items = [f"- {sentence}" for sentence in data.draw(st.lists(SENTENCE, min_size=1, max_size=6))]
    start = written.add("\n".join(items))
    for item in items:
        written.blocks.append((start, start + len(item)))
        start += len(item) + 1


def add_fence(written: Written, data: st.DataObject) -> None:
    code = "\n".join(data.draw(st.lists(st.one_of(SENTENCE, st.just("# not a heading"), st.just("")), max_size=6)))
    start = written.add(f"```\n{code}\n```")
    written.blocks.append((start, start + len(code) + 8))


def add_heading(written: Written, data: st.DataObject) -> None:
    written.add("#" * data.draw(st.integers(1, 3)) + " " + data.draw(SENTENCE))


def add_paragraph(written: Written, data: st.DataObject) -> None:
    written.add(". ".join(data.draw(st.lists(SENTENCE | LONG, min_size=1, max_size=5))))


def add_page(written: Written, data: st.DataObject) -> None:
    written.pages += [""] * data.draw(st.integers(1, 2))


PARTS = st.lists(
    st.sampled_from([add_table, add_list, add_fence, add_heading, add_heading, add_paragraph, add_paragraph, add_page]),
    min_size=1,
    max_size=12,
)


def written_by_chance(data: st.DataObject) -> Written:
    written = Written()
    for add in data.draw(PARTS):
        add(written, data)
    return written


@pytest.fixture(scope="module", params=["words", "the real tokenizer"])
def count_in(request: pytest.FixtureRequest, tokens_of: TokenOffsets) -> Callable[[str], Sequence[tuple[int, int]]]:
    return words if request.param == "words" else tokens_of


@FAST
@given(st.data(), st.integers(8, 60), st.integers(20, 80), SENTENCE)
def test_any_document_is_split_along_its_structure(
    count_in: TokenOffsets, data: st.DataObject, chunk_tokens: int, max_tokens: int, title: str
) -> None:
    written = written_by_chance(data)
    text, spans = joined(written.pages)
    chunks = split(text, spans, count_in, chunk_tokens, data.draw(st.integers(0, 4)), title, max_tokens)
    check(text, spans, chunks)
    check_budget(text, chunks, count_in, chunk_tokens, max_tokens, title)
    for chunk in chunks:
        headers = [header for start, end, header in written.bodies if start <= chunk.start < end]
        assert [chunk.table_header] == (headers or [""])
    for start, end in written.blocks:
        header = next((header for first, last, header in written.bodies if first <= start < last), "")
        section = next(chunk.section for chunk in chunks if chunk.start <= start < chunk.end)
        context = len(count_in(embedded_text(title, section, "", header)))
        room = max_tokens - 2
        if len(count_in(text[start:end])) <= min(chunk_tokens, max(room - context, room // 2)):
            assert any(chunk.start <= start and end <= chunk.end for chunk in chunks), text[start:end]


ENDLESS = st.text("abé", min_size=90, max_size=900) | st.text(st.sampled_from("aé漢ß한. \n-#½\U0001f600"), max_size=300)


@FAST
@given(st.lists(st.lists(ENDLESS, max_size=4).map("\n".join), min_size=1, max_size=3), st.integers(40, 80))
def test_endless_words_scripts_and_symbols_keep_within_the_limit(
    tokens_of: TokenOffsets, pages: list[str], chunk_tokens: int
) -> None:
    text, spans = joined(pages)
    chunks = split(text, spans, tokens_of, chunk_tokens, 0, max_tokens=100)
    check(text, spans, chunks)
    check_budget(text, chunks, tokens_of, chunk_tokens, 100, "")
