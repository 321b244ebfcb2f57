"""A rule of reading aloud: what is written, and what is said for it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

Said = str | Callable[[re.Match[str]], str]
Rule = tuple[re.Pattern[str], Said]

TO = r"\s?[–—-]\s?"
"""Between the ends of a range."""


def rule(pattern: str, said: Said, flags: int = 0) -> Rule:
    return re.compile(pattern, flags), said


def any_of(names: Iterable[str]) -> str:
    """A pattern for any of them, longest first."""
    return "|".join(sorted(map(re.escape, names), key=len, reverse=True))


def spelt(digits: str) -> str:
    """Digit by digit: 204 -> 2 0 4."""
    return " ".join(digits)
