"""Names in the documents, and for one name others that can stand in its place: no list of names, no tagger.

Two names are alike when the embedder puts them close together and the words around them are the same kind of words.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ragvoice.generation.grounding import STOP_WORDS
from ragvoice.sentences import split_sentences

_NAME = re.compile(r"[A-Z][\w’'-]*(?:\s+(?:(?:of|de|von|van)\s+)?[A-Z][\w’'-]*)*")
_WORD = re.compile(r"[\w’'-]+")
_LOWER_CASE = re.compile(r"\b[a-z][\w’'-]*")
_NEXT = re.compile(r"[ \t]([a-z][\w-]*)")
_CLOSE = 0.45
"""Least cosine of two names, from which one may stand for the other."""
_COMMON = 0.1
"""Occurrences in lower case for each as a name, from which a word is none: `the City`, `the Committee`."""
_MODIFIES = 0.3
"""Share of its places before a noun, from which a name is an adjective: `European`."""
_CONTEXT_WEIGHT = 0.5
"""Of the shared contexts (0 to 1) beside the cosine."""


@dataclass
class _Seen:
    count: int = 0
    after_the: int = 0
    modifies: int = 0
    """How often a word that is no stop word followed at once, in lower case."""
    before: set[str] = field(default_factory=set)
    """Stop words that stood before it."""


def names_in(text: str) -> list[tuple[int, int]]:
    """Offsets of runs of capitalised words that do not begin a sentence, without an `'s`."""
    found = []
    for start, end in split_sentences(text):
        first = _WORD.search(text, start, end)
        for match in _NAME.finditer(text, first.end() if first else end, end):
            name = re.sub(r"['’]s?$", "", match[0])
            if len(name) > 2 and name.split()[0].lower() not in STOP_WORDS:
                found.append((match.start(), match.start() + len(name)))
    return found


def modifies(text: str, end: int) -> bool:
    """Whether the name that ends here is followed by a word of its own phrase: `Turing machine`."""
    following = _NEXT.match(text, end)
    return following is not None and following[1] not in STOP_WORDS


class Names:
    def __init__(self, texts: Sequence[str], embed: Callable[[list[str]], Sequence[Sequence[float]]]):
        """:param embed: Texts -> unit vectors, `Embeddings.embed_documents`."""
        self._seen: dict[str, _Seen] = {}
        for text in texts:
            for start, end in names_in(text):
                seen = self._seen.setdefault(" ".join(text[start:end].split()), _Seen())
                seen.count += 1
                before = (text[:start].split() or [""])[-1].lower()
                seen.after_the += before == "the"
                seen.modifies += modifies(text, end)
                if before in STOP_WORDS:
                    seen.before.add(before)
        spoken = Counter(word for text in texts for word in _LOWER_CASE.findall(text))
        for name in [name for name, seen in self._seen.items() if spoken[name.lower()] > _COMMON * seen.count]:
            del self._seen[name]
        self._names = list(self._seen)
        self._row = {name: row for row, name in enumerate(self._names)}
        self._vectors_nd: NDArray[np.float32] = np.asarray(embed(self._names), dtype=np.float32)

    def alike(self, name: str, before: str) -> list[str]:
        """Names that can stand where this one stands, the most alike first; empty for a name that is not known.

        They have as many words and, if several, share one (`Bay of Gdansk`, `Bay of Bengal`); they are plural or not,
        take an article or not as it does, are no adjectives, and the word before it was seen before them too.

        :param before: The word before the name, lower case.
        """
        if name not in self._seen or self._is_adjective(name):
            return []
        cosine_n = self._vectors_nd @ self._vectors_nd[self._row[name]]
        scored = [
            (float(cosine_n[row]) + _CONTEXT_WEIGHT * self._shared(name, other), other)
            for row, other in enumerate(self._names)
            if self._fits(name, other, before, float(cosine_n[row]))
        ]
        return [other for _, other in sorted(scored, key=lambda pair: (-pair[0], pair[1]))]

    def _fits(self, name: str, other: str, before: str, cosine: float) -> bool:
        words, others = name.lower().split(), other.lower().split()
        if cosine < _CLOSE or (len(words) > 1 and not set(words) & set(others)):
            return False
        if len(words) != len(others) or _stem(name) == _stem(other) or self._is_adjective(other):
            return False
        one, two = self._seen[name], self._seen[other]
        if words[-1].endswith("s") != others[-1].endswith("s") or name.isupper() != other.isupper():
            return False
        if (2 * one.after_the >= one.count) != (2 * two.after_the >= two.count):
            return False
        return before not in STOP_WORDS or before in two.before

    def _is_adjective(self, name: str) -> bool:
        seen = self._seen[name]
        return seen.modifies >= _MODIFIES * seen.count

    def _shared(self, name: str, other: str) -> float:
        """Jaccard similarity of the words before them."""
        one, two = self._seen[name].before, self._seen[other].before
        return len(one & two) / len(one | two) if one | two else 0.0


def _stem(name: str) -> str:
    """`France` and `French`, `Norman` and `Normandy` are one thing."""
    return name.lower()[:4]
