"""The headings of a Markdown text: `# ATX` and underlined ones, not those inside code fences. Pure functions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ingest.fences import find_fences, span_at

_ATX = re.compile(r" {0,3}(#{1,6})(?:[ \t]+(.*))?$")
_UNDERLINE = re.compile(r" {0,3}(={3,}|-{3,})[ \t]*$")
_NO_PARAGRAPH = re.compile(r"\s*$|    |\s*([-*+>|#]|\d+[.)]\s|```|~~~|={3,}\s*$)|.*\|")
"""A line that cannot be the text of an underlined heading: blank, code, list, quote, table, heading, rule."""
_MARKUP = re.compile(r"[*`]+|(?<!\w)_+|_+(?!\w)|!?\[([^\]]*)\]\([^)]*\)|\s*\{[#:.][^}]*\}\s*$")
_LONGEST = 300
"""Characters; a longer line is a paragraph with a mark before it."""


@dataclass(frozen=True)
class Heading:
    start: int
    """Of the heading line, in characters of the text."""
    body: int
    """Where the text below the heading begins."""
    path: tuple[str, ...]
    """The headings it stands under and itself, without markup."""
    level: int
    """1 for `#`, 6 for `######`."""


def find_headings(text: str) -> list[Heading]:
    """In reading order."""
    found: list[Heading] = []
    stack: list[tuple[int, str]] = []
    for start, body, level, raw in _marked(text):
        title = " ".join(_MARKUP.sub(r"\1", raw).split())
        if not title:
            continue
        while stack and stack[-1][0] >= level:
            stack.pop()
        stack.append((level, title))
        found.append(Heading(start, body, tuple(name for _, name in stack), level))
    return found


def first_heading(text: str) -> str:
    """Text of the first heading, or an empty string."""
    headings = find_headings(text)
    return headings[0].path[-1] if headings else ""


def _marked(text: str) -> Iterator[tuple[int, int, int, str]]:
    """(start, end of the heading's lines, level, its words with markup)."""
    lines = text.split("\n")
    fences = find_fences(text)
    start = 0
    for number, line in enumerate(lines):
        end = start + len(line)
        if span_at(fences, start):
            pass
        elif len(line) <= _LONGEST and (atx := _ATX.match(line)):
            yield start, end, len(atx[1]), _without_closing_marks(atx[2] or "")
        elif (under := _UNDERLINE.match(line)) and _is_lone_line(lines, number - 1):
            above = lines[number - 1]
            yield start - len(above) - 1, end, 1 if under[1][0] == "=" else 2, above
        start = end + 1


def _is_lone_line(lines: list[str], number: int) -> bool:
    """Whether the line is a paragraph of its own, apart from what follows it."""
    if number < 0 or len(lines[number]) > _LONGEST or _NO_PARAGRAPH.match(lines[number]):
        return False
    return number == 0 or not lines[number - 1].strip() or bool(_ATX.match(lines[number - 1]))


def _without_closing_marks(words: str) -> str:
    """`Scope ##` is `Scope`, but `Using C#` stays."""
    words = words.rstrip()
    bare = words.rstrip("#")
    return bare if not bare or bare[-1] in " \t" else words
