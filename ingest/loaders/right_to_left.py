"""Pages of a PDF in Arabic, Hebrew or Persian: the order of reading is found from where the characters stand.

A PDF says where each sign is drawn, not which is read first. The parsers for pages that are read from the left misplace
Latin words, numbers and spaces in such lines, and turn around the letters of a ligature. Here each line is sorted from
right to left, and what is written from the left in it is turned back: the inverse of the Unicode bidirectional
algorithm (UAX #9) for lines of one level of embedding.
"""

from __future__ import annotations

import ctypes
import re
import statistics
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pypdfium2 import PdfPage, PdfTextPage

_KINDS = {"R": "r", "AL": "r", "L": "l", "EN": "n", "AN": "n", "ET": "t", "CS": "s", "ES": "s"}
"""Classes of UAX #9, table 4, by one letter each: right, left, number, beside a number, between numbers."""
_FROM_THE_LEFT = re.compile(r"(?=[^r]*l)[lnt](?:[^r]*[lnt])?|t*n+(?:[st]?n+)*t*")
"""Latin words with all between them, or one number."""
_CLOSES_FIRST = re.compile(r"[^()]*\)[^()]*\(")
_MIRRORED = str.maketrans("()[]{}", ")(][}{")
_SPACE_EM = 0.15
"""A gap of this share of the font's size parts two words."""
_HEADING = 1.1
"""Size of a heading, in sizes of the page's text."""
_HEADING_CHARACTERS = 150


def is_right_to_left(text: str) -> bool:
    """Whether a third of the letters or more are of such a script."""
    letters = [unicodedata.bidirectional(character) for character in text if character.isalpha()]
    return 3 * sum(_KINDS.get(letter) == "r" for letter in letters) >= len(letters) > 0


@dataclass(frozen=True)
class _Sign:
    """One character, or a letter with its marks, or a ligature."""

    text: str
    origin: float
    left: float
    right: float
    size: float

    @property
    def kind(self) -> str:
        return unicodedata.bidirectional(self.text[0])

    def lies_in(self, other: _Sign) -> bool:
        return other.left + 0.1 * other.size < self.origin < other.right - 0.1 * other.size


def page_markdown(page: PdfPage) -> str:
    """Lines in the order of the file, paragraphs apart, large ones as headings."""
    lines = [line for line in _lines(page.get_textpage()) if any(not sign.text.isspace() for sign in line)]
    usual = statistics.median([sign.size for line in lines for sign in line]) if lines else 0.0
    text = ""
    for line in lines:
        words = _logical(line)
        large = statistics.median([sign.size for sign in line]) >= _HEADING * usual
        if large and len(words) <= _HEADING_CHARACTERS:
            text += f"\n\n## {words}\n\n"
        else:
            text += f"{words}\n"
    return re.sub(r"\n{3,}", "\n\n", text).strip()


def _lines(page: PdfTextPage) -> Iterator[list[_Sign]]:
    """In the order of pdfium, which is that of the file; spaces that it guesses are left out."""
    import pypdfium2.raw as pdfium

    x, y = ctypes.c_double(), ctypes.c_double()
    line: list[_Sign] = []
    for index in range(page.count_chars()):
        character = chr(pdfium.FPDFText_GetUnicode(page, index))
        if character in "\r\n":
            yield _whole(line)
            line = []
        elif not pdfium.FPDFText_IsGenerated(page, index) and (character.isprintable() or character.isspace()):
            pdfium.FPDFText_GetCharOrigin(page, index, x, y)
            left, _, right, _ = page.get_charbox(index, loose=True)
            line.append(_Sign(_plain(character), x.value, left, right, pdfium.FPDFText_GetFontSize(page, index)))
    yield _whole(line)


def _plain(character: str) -> str:
    """Shapes of letters (isolated, initial, final ...) as the letters."""
    return unicodedata.normalize("NFKC", character) if "\ufb1d" <= character <= "\ufefc" else character


def _whole(line: list[_Sign]) -> list[_Sign]:
    """Marks join their letters, and the letters of a ligature one another, alef after lam."""
    joined: list[_Sign] = []
    for sign in line:
        before = joined[-1] if joined else None
        if unicodedata.combining(sign.text[0]):
            continue
        if before is not None and _KINDS.get(sign.kind) == "r" and _same_place(before, sign):
            text = sign.text + before.text if before.text in "اأإآٱ" else before.text + sign.text
            joined[-1] = replace(before, text=text)
        else:
            joined.append(sign)
    letters = [sign for sign in joined if not sign.text.isspace()]
    # A space inside a letter was drawn to carry a mark.
    joined = [sign for sign in joined if not (sign.text.isspace() and any(map(sign.lies_in, letters)))]
    for mark in line:
        if unicodedata.combining(mark.text[0]) and joined:
            middle = (mark.left + mark.right) / 2
            nearest = min(range(len(joined)), key=lambda i: abs((joined[i].left + joined[i].right) / 2 - middle))
            joined[nearest] = replace(joined[nearest], text=joined[nearest].text + mark.text)
    return joined


def _same_place(one: _Sign, other: _Sign) -> bool:
    return abs(one.origin - other.origin) < 0.01 and abs(one.right - other.right) < 0.01


def _logical(line: list[_Sign]) -> str:
    from_right = list(_spaced(sorted(line, key=lambda sign: -sign.origin)))
    kinds = "".join(_KINDS.get(sign.kind, "o") for sign in from_right)
    if "r" not in kinds:
        return _text(from_right[::-1])
    ordered, done = list[_Sign](), 0
    for run in _FROM_THE_LEFT.finditer(kinds):
        ordered += from_right[done : run.start()] + from_right[run.start() : run.end()][::-1]
        done = run.end()
    text = _text(ordered + from_right[done:])
    return text.translate(_MIRRORED) if _CLOSES_FIRST.match(text) else text


def _spaced(from_right: list[_Sign]) -> Iterator[_Sign]:
    """With a space in every gap, for many files have none, and between letters of two scripts, which are two words."""
    before: _Sign | None = None
    for sign in from_right:
        if before is not None:
            gap = before.left - sign.right
            scripts = {_KINDS.get(before.kind), _KINDS.get(sign.kind)}
            if gap > _SPACE_EM * max(sign.size, before.size) or scripts == {"l", "r"}:
                yield replace(sign, text=" ")
        yield sign
        before = sign


def _text(signs: list[_Sign]) -> str:
    return " ".join("".join(sign.text for sign in signs).split())
