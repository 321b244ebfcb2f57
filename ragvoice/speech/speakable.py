"""What is written, as it is said: no Markdown, and "EUR 1,250.50" as "1250 euros and 50 cents".

espeak-ng reads whole numbers, ordinals and plain decimals itself, so only what it reads wrongly or letter by letter is
rewritten (benchmarks/spoken_text.py measures it). English; of other languages only the Markdown should be removed.
"""

from __future__ import annotations

import re
import unicodedata

from ragvoice.speech.amounts import AMOUNTS
from ragvoice.speech.dates import DATES
from ragvoice.speech.markdown_text import without_markdown
from ragvoice.speech.short_forms import PLACES, SHORT_FORMS, SIGNS

_RULES = (*PLACES, *DATES, *AMOUNTS, *SHORT_FORMS, *SIGNS)


def speakable(text: str) -> str:
    """The sentence as a person would read it aloud; one line, single spaces."""
    text = _GROUPED.sub(lambda number: re.sub(r"\D", "", number[0]), text)
    text = without_markdown(text.translate(_ALIKE))
    for pattern, replacement in _RULES:
        text = pattern.sub(replacement, text)
    text = "".join(" " if unicodedata.category(sign) == "So" and sign not in "°©®™" else sign for sign in text)
    return " ".join(text.split()).strip()


def without_commands(text: str) -> str:
    """Without control characters, which end the input of espeak-ng, and what it and `say` would obey: SSML, [[...]]."""
    return "".join(" " if unicodedata.category(sign)[0] == "C" or sign in "[]<>" else sign for sign in text)


_GROUPED = re.compile(r"(?<![\w.,'’])\d{1,3}(?:[\u00a0\u202f\u2009'’]\d{3})+(?![\w'’])")
"""1'000 and 1 000, where the space does not break."""
_ALIKE = str.maketrans(
    {"\u00a0": " ", "\u202f": " ", "\u2009": " ", "\u2011": "-", "\u2212": "-", "’": "'", "\u200b": ""}
)
"""Spaces that do not break, and other signs that only look different."""
