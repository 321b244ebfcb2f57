"""Chunks, with arithmetic written out: a token is a word."""

from __future__ import annotations

import re
import time

import pytest

from ingest.splitting import Chunk, PageSpan, split
from ragvoice.datatypes import Place


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
    one, two, three = (Place("page", number) for number in (1, 2, 3))
    spans = [PageSpan(0, text.index("\n\nthree"), one), PageSpan(text.index("three"), text.index("\n\nfive"), two)]
    spans.append(PageSpan(text.index("five"), len(text), three))
    assert split(text, spans, words, 100, 0) == [
        Chunk(13, 20, "Leave", one),
        Chunk(22, 32, "Leave", two),
        Chunk(34, 38, "Leave", three),
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


TABLE = "| city | days |\n|---|---|\n| Leeds | 20 |\n| Gdansk | 26 |\n| Raleigh | 15 |"
"""Five words a line, but one in the rule."""
HEADER = "| city | days |\n| --- | --- |"


def headers(text: str, limit: int, max_tokens: int = 1000) -> list[tuple[str, str]]:
    """(table header, text) of each chunk."""
    chunks = split(text, [PageSpan(0, len(text), None)], words, limit, 0, max_tokens=max_tokens)
    return [(chunk.table_header, text[chunk.start : chunk.end]) for chunk in chunks]


def test_a_table_that_fits_is_kept_whole_with_the_sentence_before_it() -> None:
    text = f"One two three four five. Leave by city:\n\n{TABLE}\n\nafter it"
    assert headers(text, limit=24) == [
        ("", "One two three four five."),
        ("", f"Leave by city:\n\n{TABLE}"),
        ("", "after it"),
    ]
    assert headers(text, limit=23)[:2] == [
        ("", "One two three four five. Leave by city:"),
        ("", f"{TABLE}\n\nafter it"),
    ]


def test_a_table_is_cut_between_rows_and_its_header_is_repeated() -> None:
    first = TABLE[: TABLE.index("\n| Gdansk")]  # eleven words
    assert headers(TABLE, limit=11) == [("", first), (HEADER, "| Gdansk | 26 |\n| Raleigh | 15 |")]
    # If all that is embedded must fit into eleven words, the header row leaves six.
    assert headers(TABLE, limit=11, max_tokens=13) == [
        ("", first),
        (HEADER, "| Gdansk | 26 |"),
        (HEADER, "| Raleigh | 15 |"),
    ]


def test_a_row_longer_than_a_chunk_is_cut_and_the_next_row_is_not() -> None:
    text = f"{HEADER}\n| one two three four five six seven eight nine ten | 26 |\n| Leeds | 20 |"
    assert headers(text, limit=12) == [
        ("", HEADER),
        (HEADER, "| one two three four five six seven eight nine ten |"),
        (HEADER, "26 |\n| Leeds | 20 |"),
    ]


def test_what_follows_a_table_has_no_header() -> None:
    text = f"{TABLE}\nNot a row of it any more, and so long that it needs a chunk."
    assert headers(text, limit=25) == [
        ("", TABLE),
        ("", "Not a row of it any more, and so long that it needs a chunk."),
    ]


def test_the_rows_of_an_html_table_stay_together_too() -> None:
    rows = "".join(f"<tr>\n<td>{city}</td>\n<td>{days}</td>\n</tr>\n" for city, days in (("Leeds", 20), ("Oslo", 9)))
    head = "<table>\n<tr>\n<td><b>City</b>\n</td>\n<td>Days &amp; nights</td>\n</tr>\n"
    found = headers(head + rows + "</table>", limit=12)
    assert [header for header, _ in found] == ["", "| City | Days & nights |\n| --- | --- |"]
    assert found[1][1].startswith("<tr>\n<td>Oslo</td>")


def test_a_list_is_cut_between_items_and_its_introduction_stays_with_the_first() -> None:
    text = "Some words first. You need:\n\n- a passport\n  that is valid\n- two photographs\n- a form"
    assert [piece for _, piece in texts(text, limit=8)] == [
        "Some words first.",
        "You need:\n\n- a passport\n  that is valid",
        "- two photographs\n- a form",
    ]


def test_an_item_with_its_subitems_stays_together_if_it_fits() -> None:
    text = "1. one\n2. two\n   - a b\n   - c d\n\n   more\n3. three"
    assert [piece for _, piece in texts(text, limit=10)] == [
        "1. one",
        "2. two\n   - a b\n   - c d\n\n   more",
        "3. three",
    ]
    assert [piece for _, piece in texts(text, limit=6)] == ["1. one\n2. two", "- a b\n   - c d", "more\n3. three"]


def test_a_fence_that_fits_is_kept_whole_and_a_longer_one_is_cut_at_lines() -> None:
    code = "```sh\nmake all\n\n# no heading\nmake test\n```"
    text = f"one two three four five six. Run this:\n\n{code}"
    assert [piece for _, piece in texts(text, limit=11)] == ["one two three four five six.", f"Run this:\n\n{code}"]
    assert [piece for _, piece in texts(code, limit=6)] == ["```sh\nmake all\n\n# no heading", "make test\n```"]


def test_the_headings_take_room_from_the_chunk_but_at_most_half() -> None:
    body = " ".join(map(str, range(12)))
    spans = [PageSpan(0, len(body) + 6, None)]

    def sizes(title: str) -> list[int]:
        text = f"# a b\n{body}"
        return [chunk.end - chunk.start for chunk in split(text, spans, words, 10, 0, title, max_tokens=12)]

    assert sizes("") == [len("0 1 2 3 4 5 6 7 8 9"), len("10 11")]
    assert sizes("T U") == [len("0 1 2 3 4 5"), len("6 7 8 9 10 11")]  # 10 words less title and path, two each
    assert sizes("T " * 50) == [len("0 1 2 3 4"), len("5 6 7 8 9"), len("10 11")]


def test_dots_and_dashes_that_are_not_embedded_take_no_room() -> None:
    def characters(text: str) -> list[tuple[int, int]]:
        return [match.span() for match in re.finditer(r"\w+|[^\w\s]", text)]

    line = f"Leave {'.' * 30} 7"
    text = "\n".join([line] * 4)
    chunks = split(text, [PageSpan(0, len(text), None)], characters, 12, 0)
    assert [text[chunk.start : chunk.end] for chunk in chunks] == [f"{line}\n{line}"] * 2  # six tokens a line


@pytest.mark.parametrize(
    "text",
    [
        "|\n-|\n" * 20_000,
        "a|b\n-|-\n" + "c|d\n" * 50_000,
        "<table><tr>" * 20_000,
        "- " * 50_000,
        "- a\n" * 30_000,
        "- a\n\n" * 20_000,
        "\n".join(" " * (number % 200) + "- a" for number in range(3_000)),
        "x. " * 50_000,
        "." * 200_000,
        "漢字" * 20_000 + " " + "é" * 39,
    ],
)
def test_hostile_structure_takes_no_time(text: str) -> None:
    started = time.process_time()
    texts(text)
    assert time.process_time() - started < 60
