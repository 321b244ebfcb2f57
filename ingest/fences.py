"""The code fences of a Markdown text: from three backticks or tildes to the mark that closes them. Pure functions."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence

Span = tuple[int, int]
"""(start, end) in characters of the text."""

_MARK = re.compile(r"^ {0,3}(`{3,}|~{3,})([^\n]*)$", re.MULTILINE)


def find_fences(text: str) -> list[Span]:
    """In reading order, each with its two marks. A mark that nobody closes is text: it must not hide what follows."""
    marks = list(_MARK.finditer(text))
    longest = _longest_closing_marks(marks)
    fences, number = [], 0
    while number < len(marks):
        opening = marks[number]
        kind, length = opening[1][0], len(opening[1])
        number += 1
        if (kind == "`" and "`" in opening[2]) or longest[number].get(kind, 0) < length:
            continue
        while not _closes(marks[number], kind, length):
            number += 1
        fences.append((opening.start(), marks[number].end()))
        number += 1
    return fences


def span_at(spans: Sequence[Span], position: int) -> Span | None:
    """The one of some spans, in order and apart from one another, that holds the position."""
    number = bisect_right(spans, position, key=lambda span: span[0]) - 1
    return spans[number] if number >= 0 and position < spans[number][1] else None


def _longest_closing_marks(marks: Sequence[re.Match[str]]) -> list[dict[str, int]]:
    """For each mark and behind the last: kind -> length of the longest closing mark from there on."""
    longest: list[dict[str, int]] = [{}]
    for mark in reversed(marks):
        known = longest[-1]
        if _closes(mark, mark[1][0], known.get(mark[1][0], 0) + 1):
            known = {**known, mark[1][0]: len(mark[1])}
        longest.append(known)
    return longest[::-1]


def _closes(mark: re.Match[str], kind: str, length: int) -> bool:
    return mark[1][0] == kind and len(mark[1]) >= length and not mark[2].strip()
