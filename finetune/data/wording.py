"""How words are written within a sentence, learned from the documents: capitals and articles. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

_LOWER = re.compile(r"(?<![\w|/.:@#-])[a-z][a-z'’-]*(?![\w/@])")
_CAPITAL = re.compile(r"(?<=[a-z,] )[A-Z][a-z'’-]*\b")
"""Within a sentence."""
_NAMED = re.compile(r"\b(?:in|of|for|to|from|by|at|with|and|outside|across) (the )?([A-Z][\w’'-]*(?: [A-Z][\w’'-]*)*)")
_TITLE_WORD = re.compile(r"[^\W\d_][\w'’-]*")


class Wording:
    def __init__(self, texts: Iterable[str]):
        self._lower, self._capital = Counter[str](), Counter[str]()
        self._bare, self._after_the = Counter[str](), Counter[str]()
        for text in texts:
            self._lower.update(_LOWER.findall(text))
            self._capital.update(word.lower() for word in _CAPITAL.findall(text))
            for the, name in _NAMED.findall(text):
                (self._after_the if the else self._bare)[name] += 1

    def is_common(self, word: str) -> bool:
        """No name: within sentences it stands in lower case more often than not."""
        return self._lower[word.lower()] > self._capital[word.lower()]

    def is_phrase(self, title: str) -> bool:
        """Whether every word of a heading is a common word or an abbreviation."""
        return all(word.isupper() or self.is_common(word) for word in _TITLE_WORD.findall(title))

    def lowered(self, title: str) -> str:
        """Common words without their capital."""
        return _TITLE_WORD.sub(
            lambda match: match[0].lower() if match[0].istitle() and self.is_common(match[0]) else match[0], title
        )

    def named(self, name: str) -> str:
        """As it stands within a sentence: `the Netherlands`, but `other countries`."""
        first = name.split(" ", 1)[0].strip(",")
        if first.istitle() and self.is_common(first):
            return self.lowered(name)
        head = name.split(",")[0]
        return f"the {name}" if self._after_the[head] > self._bare[head] else name
