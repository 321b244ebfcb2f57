"""Headings as people write them, and what only looks like one."""

from __future__ import annotations

import time

import pytest

from ingest.headings import find_headings, first_heading


def paths(text: str) -> list[str]:
    return [" > ".join(heading.path) for heading in find_headings(text)]


@pytest.mark.parametrize(
    ("line", "title"),
    [
        ("# Leave", "Leave"),
        ("   ###### Leave  ", "Leave"),
        ("## Leave ##", "Leave"),
        ("## Using C#", "Using C#"),
        ("# **Bold** _and_ `code` [link](http://x) ![](i.png)", "Bold and code link"),
        ("# snake_case_name", "snake_case_name"),
        ("# Leave {#leave-anchor}", "Leave"),
        ("Leave\n=====", "Leave"),
        ("Leave\n---", "Leave"),
    ],
)
def test_a_heading_and_its_words(line: str, title: str) -> None:
    assert paths(line + "\n\nbody") == [title]


@pytest.mark.parametrize(
    "text",
    [
        "#hashtag",
        "####### seven",
        "#",
        "# ",
        "    # code",
        "a\nb\n---",  # a rule below a paragraph of two lines
        "a\n\n---",
        "| a | b |\n---",
        "- item\n---",
        "> quote\n===",
        "```\n# comment\n```",
        "~~~~\n~~~\n# comment\n~~~~",
        "````md\n```\n# comment\n```\n````",
        "# " + "x" * 400,
    ],
)
def test_no_heading(text: str) -> None:
    assert paths(text) == []


def test_paths_follow_the_levels_even_when_levels_are_missing() -> None:
    assert paths("## a\n#### b\n### c\n# d\n## e") == ["a", "a > b", "a > c", "d", "d > e"]


def test_a_fence_that_nobody_closed_hides_nothing() -> None:
    assert paths("# a\n```\n# b\n\n## c") == ["a", "b", "b > c"]
    assert paths("# a\n```inline``` code\n# b") == ["a", "b"]
    assert paths("# a\n```\n# comment\n```\n# b") == ["a", "b"]
    assert paths("````\n# a\n```\n~~~\n# comment\n~~~~\n# b") == ["a", "b"]  # a shorter mark closes no longer one


def test_offsets_enclose_the_lines_of_the_heading() -> None:
    text = "intro\n\nTitle\n=====\nbody\n## Sub\nmore"
    assert [text[heading.start : heading.body] for heading in find_headings(text)] == ["Title\n=====", "## Sub"]
    assert first_heading(text) == "Title"
    assert first_heading("no heading") == ""


@pytest.mark.parametrize(
    "text",
    [
        "# " + " " * 200_000 + "x",
        "# " + "[" * 200_000,
        "```\n" * 100_001,
        "```a\n" * 100_000,
        "".join("`" * number + "\n" for number in range(600, 3, -1)),
        "a\n" * 100_000,
        "#" * 200_000,
    ],
)
def test_hostile_lines_take_no_time(text: str) -> None:
    started = time.process_time()
    find_headings(text)
    assert time.process_time() - started < 20  # squares of it would be minutes
