"""The corpus' own words, mined from an index for the recogniser: products, people, places, acronyms, technical terms.

A word belongs to it that several places use and that general English does not know: the embedder's tokenizer, whose
vocabulary is the 30,000 most frequent pieces of English, has to cut it up, or it is written as a code or a name.
Only documents that everyone may read are mined, because what a recogniser is told can turn up in anybody's transcript.
"""

from __future__ import annotations

import calendar
import math
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from ragvoice.datatypes import EVERYONE
from ragvoice.retrieval.index import DocumentIndex

MAX_CHARACTERS = 5_000_000
"""Read of an index at most, evenly from the beginnings of its documents."""
_WORD = re.compile(r"(?<![\w@./\\-])[^\W\d_][\w&]*(?:-[\w&]+)*(?![\w@\\/]|\.\w)")
_SENTENCE_BEGINS = re.compile(r"(?:^|[.!?:;•|#*>\n\"(\[]|-\s)\s*$")
_MIN_COUNT = 2
_MAX_LENGTH = 20
"""Characters; what is longer is an address or an identifier, which nobody says."""
_MAX_CUT = 3
_CALENDAR = frozenset((*calendar.month_name, *calendar.day_name))


@dataclass
class _Uses:
    """Of one word, whatever its case."""

    forms: Counter[str] = field(default_factory=Counter)
    documents: set[int] = field(default_factory=set)
    within: int = 0
    """How often it stands in the midst of a sentence: not what is a heading or a label only."""


def mine(texts: Iterable[str], pieces: Callable[[str], int], limit: int) -> tuple[str, ...]:
    """The `limit` words that most need saying, most used first.

    :param texts: One a document.
    :param pieces: Into how many tokens the embedder's tokenizer cuts a word; 1 is a word of general English.
    """
    uses: dict[str, _Uses] = {}
    for number, text in enumerate(texts):
        for match in _WORD.finditer(text):
            word = match[0].removesuffix("'s")
            one = uses.setdefault(word.lower(), _Uses())
            one.forms[word] += 1
            one.documents.add(number)
            one.within += not _SENTENCE_BEGINS.search(text[max(0, match.start() - 3) : match.start()])
    weights = {key: _weight(key, one, pieces) for key, one in uses.items() if one.forms.total() >= _MIN_COUNT}
    best = sorted((key for key, weight in weights.items() if weight), key=lambda key: (-weights[key], key))
    return tuple(uses[key].forms.most_common(1)[0][0] for key in best[:limit])


def _weight(key: str, uses: _Uses, pieces: Callable[[str], int]) -> float:
    """How much of the corpus it is in, times how unknown it is; 0 for a word of general English."""
    form = uses.forms.most_common(1)[0][0]
    if not 3 <= len(form) <= _MAX_LENGTH or uses.within < uses.forms.total() / 5:
        return 0.0
    cut = min(pieces(key) - 1, _MAX_CUT)
    is_code = any(sign.isdigit() for sign in form) or sum(sign.isupper() for sign in form) > 1
    is_name = form[0].isupper() and uses.forms[key] <= uses.forms.total() / 5 and form not in _CALENDAR
    return (len(uses.documents) + math.sqrt(uses.forms.total())) * (cut + is_code + is_name / 2)


class LiveVocabulary:
    """Of the index that answers now; mined once a generation, the first time before anybody speaks."""

    def __init__(self, index: Callable[[], DocumentIndex], pieces: Callable[[str], int], limit: int) -> None:
        """:param index: Gives the current generation."""
        self._index = index
        self._pieces = pieces
        self._limit = limit
        self._lock = threading.Lock()
        self._generation = ""
        self._words: tuple[str, ...] = ()
        self._refresh(index())

    def words(self) -> tuple[str, ...]:
        """Waits for nothing: while a new generation is mined, the words are those of the one before.

        :raises VectorIndexError: the current generation cannot be opened.
        """
        index = self._index()
        if index.manifest.generation != self._generation and self._lock.acquire(blocking=False):
            threading.Thread(target=self._mine_and_release, args=(index,), daemon=True).start()
        return self._words

    def _mine_and_release(self, index: DocumentIndex) -> None:
        try:
            self._refresh(index)
        finally:
            self._lock.release()

    def _refresh(self, index: DocumentIndex) -> None:
        self._words = mine(open_texts(index), self._pieces, self._limit)
        self._generation = index.manifest.generation


def open_texts(index: DocumentIndex) -> Iterable[str]:
    """What everyone may read, at most `MAX_CHARACTERS` of it."""
    open_ = [document.doc_id for document in index.documents() if EVERYONE in document.allowed_groups]
    share = MAX_CHARACTERS // max(1, len(open_))
    return (index.document(doc_id).text[:share] for doc_id in open_)
