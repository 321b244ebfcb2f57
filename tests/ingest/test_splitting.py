"""Chunks: arithmetic on words first, then whatever text chance writes, then the real tokenizer.

A token is a word unless a test says otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as with_settings
from hypothesis import strategies as st

from ingest.headings import find_headings
from ingest.splitting import Chunk, PageSpan, split

FAST = with_settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def words(text: str) -> list[tuple[int, int]]:
    return [match.span() for match in re.finditer(r"\S+", text)]


def texts(text: str, limit: int = 100, overlap: int = 0, title: str = "") -> list[tuple[str, str]]:
    """(section, text) of each chunk of a document without pages."""
    chunks = split(text, [PageSpan(0, len(text), None)], words, limit, overlap, title)
    return [(chunk.section, text[chunk.start : chunk.end]) for chunk in chunks]


def test_a_chunk_never_holds_more_tokens_than_allowed_and_nothing_is_lost() -> None:
    found = [piece for _, piece in texts(" ".join(map(str, range(10))), limit=4)]
    assert found == ["0 1 2 3", "4 5 6 7", "8 9"]


def test_the_cut_prefers_paragraph_over_line_over_sentence_over_word() -> None:
    # Eight words fit; the cut may fall behind the fifth word or later.
    assert texts("a b c d e f\n\ng h i j", limit=8)[0][1] == "a b c d e f"
    assert texts("a b c d e. f\ng h i j", limit=8)[0][1] == "a b c d e. f"
    assert texts("a b c d e. f g h i j", limit=8)[0][1] == "a b c d e."
    assert texts("a b c d e f g h i j", limit=8)[0][1] == "a b c d e f g h"
    assert texts("a b c d e. f g h.\ni j", limit=8)[0][1] == "a b c d e. f g h."


def test_overlap_repeats_the_last_tokens() -> None:
    found = [piece for _, piece in texts("0 1 2 3 4 5 6 7 8", limit=4, overlap=2)]
    assert found == ["0 1 2 3", "2 3 4 5", "4 5 6 7", "6 7 8"]


def test_headings_are_in_the_path_and_the_title_is_not() -> None:
    text = "intro\n# Handbook\nabout\n## Leave\ntext one\n### Sick\ntext two\n## Pay\ntext three"
    assert texts(text) == [
        ("", "intro"),
        ("", "about"),
        ("Leave", "text one"),
        ("Leave > Sick", "text two"),
        ("Pay", "text three"),
    ]


def test_several_top_headings_are_all_in_the_paths() -> None:
    assert texts("# A\none\n# B\ntwo") == [("A", "one"), ("B", "two")]


def test_a_top_heading_that_says_more_than_the_stated_title_stays() -> None:
    assert texts("# Parental leave\n## Poland\ntext", title="HR-12") == [("Parental leave > Poland", "text")]
    assert texts("# Leave\n## Poland\ntext", title="Leave - Intranet") == [("Poland", "text")]


def test_a_heading_with_nothing_below_it_is_found_by_its_own_words() -> None:
    assert texts("# T\n## Call 4411\n## Empty\n\n## Full\ntext\n## Last") == [
        ("Call 4411", "## Call 4411"),
        ("Empty", "## Empty"),
        ("Full", "text"),
        ("Last", "## Last"),
    ]
    assert texts("# Only a title") == [("", "# Only a title")]


def test_code_fences_are_text() -> None:
    assert texts("# T\n## Run\n```bash\n# not a heading\nls\n```\ndone") == [
        ("Run", "```bash\n# not a heading\nls\n```\ndone")
    ]


def test_a_chunk_never_crosses_a_page_and_carries_its_section_over() -> None:
    text = "# T\n## Leave\none two\n\nthree four\n\nfive"
    spans = [PageSpan(0, text.index("\n\nthree"), 1), PageSpan(text.index("three"), text.index("\n\nfive"), 2)]
    spans.append(PageSpan(text.index("five"), len(text), 3))
    assert split(text, spans, words, 100, 0) == [
        Chunk(13, 20, "Leave", 1),
        Chunk(22, 32, "Leave", 2),
        Chunk(34, 38, "Leave", 3),
    ]


def test_an_endless_word_is_cut() -> None:
    found = [piece for _, piece in texts("x" * 10_000, limit=50)]
    assert "".join(found) == "x" * 10_000
    assert max(map(len, found)) <= 50 * 40  # a token counts as one for each 40 characters


def test_a_text_longer_than_the_window_is_covered() -> None:
    text = "".join(f"line {number}\n" for number in range(30_000))
    found = texts(text, limit=200)
    assert "".join(piece + "\n" for _, piece in found) == text


@pytest.mark.parametrize("text", ["", " \n ", "#", "\n\n\n"])
def test_no_text_no_chunk(text: str) -> None:
    assert [piece for _, piece in texts(text)] in ([], ["#"])


LINES = st.sampled_from(
    ["", "# One", "## Two", "### Three", "```", "~~~", "Under", "===", "---", "| a | b |", "- item", "    # code"]
) | st.text(st.characters(exclude_categories=("Cs", "Cc", "Cn")), max_size=60)
DOCUMENTS = st.lists(st.lists(LINES, max_size=8).map("\n".join), min_size=1, max_size=4)
"""Pages of lines."""


def joined(pages: Sequence[str]) -> tuple[str, list[PageSpan]]:
    """As the job joins them."""
    text, spans = "", []
    for number, page in enumerate(pages, start=1):
        body = page.strip("\n")
        text += "\n\n" if text else ""
        spans.append(PageSpan(len(text), len(text) + len(body), number))
        text += body
    return text, spans


def check(
    pages: Sequence[str], tokens_of: Callable[[str], Sequence[tuple[int, int]]], limit: int, overlap: int, slack: int
) -> None:
    text, spans = joined(pages)
    chunks = split(text, spans, tokens_of, limit, overlap)
    by_page = {span.place: span for span in spans}
    covered = bytearray(len(text))
    for chunk in chunks:
        span = by_page[chunk.place]
        assert span.start <= chunk.start < chunk.end <= span.end
        piece = text[chunk.start : chunk.end]
        assert piece == piece.strip()
        assert len(tokens_of(piece)) <= limit + slack
        covered[chunk.start : chunk.end] = b"\1" * (chunk.end - chunk.start)
    for heading in find_headings(text):
        covered[heading.start : heading.body] = b"\1" * (heading.body - heading.start)
    assert "".join(text[i] for i in range(len(text)) if not covered[i]).strip() == ""
    assert [chunk.start for chunk in chunks] == sorted(chunk.start for chunk in chunks)
    assert len({(chunk.start, chunk.end) for chunk in chunks}) == len(chunks)


@FAST
@given(DOCUMENTS, st.integers(2, 12), st.data())
def test_any_text_is_covered_once_within_limits_and_pages(pages: list[str], limit: int, data: st.DataObject) -> None:
    check(pages, words, limit, data.draw(st.integers(0, limit // 2)), slack=0)


@pytest.fixture(scope="module")
def wordpieces(tokens_of: Callable[[str], Sequence[tuple[int, int]]]) -> Callable[[str], Sequence[tuple[int, int]]]:
    return tokens_of


@FAST
@given(pages=st.lists(st.text(st.sampled_from("aé漢ß한. \n-#½\U0001f600"), max_size=200), min_size=1, max_size=3))
def test_the_real_tokenizer_keeps_within_the_limit_too(
    wordpieces: Callable[[str], Sequence[tuple[int, int]]], pages: list[str]
) -> None:
    # A word cut in two may take a few more pieces than the same word whole.
    check(pages, wordpieces, 32, 0, slack=4)
