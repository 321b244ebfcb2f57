"""How a citation is said: "According to the travel policy, section 4.2."."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from ragvoice.datatypes import Citation, Place

_ASIDE = re.compile(r"\s+[-–—|]\s+.*|[:;|([].*", re.DOTALL)
"""What follows the name in a title: the company, a subtitle, a version."""
_YEAR = re.compile(r"[\s,-]+(?:19|20)\d\d\b.*")
_NUMBERED = re.compile(r"(?:(?:section|chapter|part|§)\s*)?(\d+(?:\.\d+)*)\b", re.IGNORECASE)
_MAX_WORDS = 8
_MAX_CHARACTERS = 300
"""Looked at of a title; a document may have one of any length."""


def spoken_source(citation: Citation) -> str:
    """Document and place as a colleague names them; empty when neither is a name that can be said."""
    name = _name(citation)
    if not name:
        return ""
    place = _section(citation.section) or _place(citation.page, citation.place)
    return f"According to {name}{f', {place}' if place else ''}."


def _name(citation: Citation) -> str:
    """The title without what follows the name, else the file's name; "the" before it."""
    for title in (citation.title, PurePosixPath(citation.source).stem):
        plain = re.sub(r"[\s_]+", " ", title[:_MAX_CHARACTERS]).strip()
        words = _YEAR.sub("", _ASIDE.sub("", plain)).replace("-", " ").split()
        letters = sum(sign.isalpha() for sign in "".join(words))
        if letters > 3 and 2 * letters > len("".join(words)):
            name = " ".join(words[:_MAX_WORDS])
            return name if words[0].lower() in ("the", "a", "an", "our", "your") else f"the {name}"
    return ""


def _section(path: str) -> str:
    """Of the innermost heading its number, else its first words."""
    heading = path.rpartition(" > ")[2].strip()
    if numbered := _NUMBERED.match(heading):
        return f"section {numbered[1]}"
    words = _ASIDE.sub("", heading).split()
    return f"under {' '.join(words)}" if 0 < len(words) <= _MAX_WORDS // 2 else ""


def _place(page: int | None, place: Place | None) -> str:
    if page is not None:
        return f"page {page}"
    return f"{place.kind} {place.value}" if place and place.kind in ("slide", "sheet") else ""
