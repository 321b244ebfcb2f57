"""BM25 over the chunks of one index generation (bm25s, English stop words and stemming).

Legend: `n` chunks.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from ragvoice.errors import VectorIndexError

_FOLDER = "lexical"


class LexicalIndex:
    """Row `i` of the scores belongs to the `i`-th text that the index was built from."""

    def __init__(self, bm25: object | None, size: int):
        self._bm25 = bm25
        """None when no text has a single indexable word: bm25s cannot build an empty vocabulary."""
        self._size = size

    @classmethod
    def build(cls, texts: Sequence[str]) -> LexicalIndex:
        tokens = _tokenise(texts)
        if not any(tokens):
            return cls(None, len(texts))
        bm25 = _bm25s().BM25(method="lucene")
        bm25.index(tokens, show_progress=False)
        return cls(bm25, len(texts))

    def save(self, folder: Path) -> None:
        target = folder / _FOLDER
        target.mkdir(parents=True)
        if self._bm25 is not None:
            self._bm25.save(str(target))  # type: ignore[attr-defined]
        (target / "size.json").write_text(json.dumps({"size": self._size, "empty": self._bm25 is None}))

    @classmethod
    def load(cls, folder: Path) -> LexicalIndex:
        """:raises VectorIndexError: when the files are missing or cannot be read."""
        target = folder / _FOLDER
        try:
            size = json.loads((target / "size.json").read_text())
            bm25 = None if size["empty"] else _bm25s().BM25.load(str(target), load_corpus=False)
        except Exception as error:  # bm25s raises whatever numpy and json raise
            raise VectorIndexError(f"The lexical index cannot be read ({error}).") from error
        return cls(bm25, int(size["size"]))

    def scores(self, query: str) -> NDArray[np.float32]:
        """BM25 of every text, shape (n,); zero where no word matches."""
        words = _tokenise([query])[0]
        if self._bm25 is None:
            return np.zeros(self._size, dtype=np.float32)
        vocabulary = self._bm25.vocab_dict  # type: ignore[attr-defined]
        known = [word for word in words if word in vocabulary]
        if not known:
            return np.zeros(self._size, dtype=np.float32)
        return np.asarray(self._bm25.get_scores(known), dtype=np.float32)  # type: ignore[attr-defined]


def _tokenise(texts: Sequence[str]) -> list[list[str]]:
    import Stemmer

    return _bm25s().tokenize(  # type: ignore[no-any-return]
        list(texts), stopwords="en", stemmer=Stemmer.Stemmer("english"), return_ids=False, show_progress=False
    )


def _bm25s() -> ModuleType:
    """The library, silenced: it sets its own logger to DEBUG, which would reach the user's terminal."""
    import bm25s

    logging.getLogger("bm25s").setLevel(logging.WARNING)
    return bm25s  # type: ignore[no-any-return]
