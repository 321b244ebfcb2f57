"""BM25 over the chunks of one index generation (bm25s, English stop words and stemming).

bm25s keeps the score of each (word, chunk) pair in a sparse matrix and adds up columns to answer. It would build the
matrix from lists of all tokens; here the pairs of each batch of texts go to a file, and the matrix is filled from that
file, so that only the vocabulary and one number a chunk grow in memory. What is loaded is memory-mapped but for the
vocabulary.

Legend: `n` chunks, `p` (word, chunk) pairs, `w` words of the vocabulary, `b` chunks of a batch.
"""

from __future__ import annotations

import json
import logging
from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice, pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ragvoice.errors import VectorIndexError

LEXICAL_FOLDER = "lexical"
_BATCH = 4096
"""Texts tokenised at once."""
_PAIR = np.dtype([("word", np.int32), ("chunk", np.int32), ("count", np.int32)])


class LexicalIndex:
    """Row `i` of the scores belongs to the `i`-th text that the index was built from. Safe for several threads."""

    def __init__(self, bm25: Any | None, size: int, temporary: TemporaryDirectory[str] | None = None):
        self._bm25 = bm25
        """None when no text has a single indexable word: bm25s cannot build an empty vocabulary."""
        self.size = size
        """Number of texts."""
        self._temporary = temporary
        """Where the scores are until they are saved; goes with this object."""

    @classmethod
    def build(cls, texts: Iterable[str], scratch: Path | None = None) -> LexicalIndex:
        """The texts are read once, in batches.

        :param scratch: Folder for temporary files, about 20 bytes for each different word of each text; None is the
            system's.
        """
        vocabulary: dict[str, int] = {}
        lengths = array("i")
        temporary = TemporaryDirectory(prefix="lexical-", dir=scratch, ignore_cleanup_errors=True)
        folder = Path(temporary.name)
        with (folder / "pairs").open("wb") as pairs:
            ends = _write_pairs(texts, vocabulary, lengths, pairs)
        if not vocabulary:
            return cls(None, len(lengths))
        bm25 = _bm25s().BM25(method="lucene")
        lengths_n = np.frombuffer(lengths, dtype=np.int32)
        bm25.scores = _matrix(folder, ends, lengths_n, len(vocabulary), bm25.k1, bm25.b)
        bm25.vocab_dict = vocabulary
        bm25.nonoccurrence_array = None
        return cls(bm25, len(lengths), temporary)

    def save(self, folder: Path) -> None:
        target = folder / LEXICAL_FOLDER
        target.mkdir(parents=True)
        if self._bm25 is not None:
            self._bm25.save(str(target))
        (target / "size.json").write_text(json.dumps({"size": self.size, "empty": self._bm25 is None}))

    @classmethod
    def load(cls, folder: Path) -> LexicalIndex:
        """:raises VectorIndexError: when the files are missing or cannot be read."""
        target = folder / LEXICAL_FOLDER
        try:
            size = json.loads((target / "size.json").read_text())
            bm25 = None if size["empty"] else _bm25s().BM25.load(str(target), load_corpus=False, mmap=True)
            return cls(bm25, int(size["size"]))
        except Exception as error:  # bm25s raises whatever numpy and json raise
            raise VectorIndexError(f"The lexical index cannot be read ({error}).") from error

    def scores(self, query: str) -> NDArray[np.float32]:
        """BM25 of every text, shape (n,); zero where no word matches."""
        words = content_stems([query])[0]
        if self._bm25 is None:
            return np.zeros(self.size, dtype=np.float32)
        known = [word for word in words if word in self._bm25.vocab_dict]
        if not known:
            return np.zeros(self.size, dtype=np.float32)
        return np.asarray(self._bm25.get_scores(known), dtype=np.float32)


def _write_pairs(texts: Iterable[str], vocabulary: dict[str, int], lengths: array[int], pairs: BinaryIO) -> list[int]:
    """Each word of each text with how often it is there, batch by batch, sorted by word and text within a batch.

    :param vocabulary: Grows by the words met.
    :param lengths: Grows by the number of words of each text.
    :returns: Where each batch ends, in pairs.
    """
    ends = [0]
    for batch in _batches(texts):
        words_b = content_stems(batch)
        flat = [vocabulary.setdefault(word, len(vocabulary)) for words in words_b for word in words]
        length_b = np.array([len(words) for words in words_b], dtype=np.int32)
        chunks = np.repeat(np.arange(len(batch), dtype=np.int64) + len(lengths), length_b)
        keys, counts = np.unique(np.array(flat, dtype=np.int64) << 32 | chunks, return_counts=True)
        block = np.empty(len(keys), dtype=_PAIR)
        block["word"], block["chunk"], block["count"] = keys >> 32, keys & 0xFFFFFFFF, counts
        pairs.write(block.tobytes())
        ends.append(ends[-1] + len(block))
        lengths.frombytes(length_b.tobytes())
    return ends


def _matrix(
    folder: Path, ends: list[int], lengths_n: NDArray[np.int32], words: int, k1: float, b: float
) -> dict[str, Any]:
    """bm25s's sparse columns, one a word, on disk: a counting sort of the pairs by word.

    The score is Lucene's, as bm25s has it, for a word found `tf` times in a text of `l` words and in `df` of `n` texts:
    ln(1 + (n - df + 0.5) / (df + 0.5)) * tf / (k1 * (1 - b + b * l / mean(l)) + tf).
    """
    total = ends[-1]
    data_p = np.lib.format.open_memmap(folder / "data.npy", mode="w+", dtype=np.float32, shape=(total,))
    indices_p = np.lib.format.open_memmap(folder / "indices.npy", mode="w+", dtype=np.int32, shape=(total,))
    frequency_w = np.zeros(words, dtype=np.int64)
    for block in _blocks(folder, ends):
        frequency_w += np.bincount(block["word"], minlength=words)
    starts_w = np.concatenate([[0], np.cumsum(frequency_w)])
    idf_w = np.log(1 + (len(lengths_n) - frequency_w + 0.5) / (frequency_w + 0.5))
    norm_n = (k1 * (1 - b + b * lengths_n / lengths_n.mean())).astype(np.float32)
    next_w = starts_w[:-1].copy()
    for block in _blocks(folder, ends):
        word, first, count = np.unique(block["word"], return_index=True, return_counts=True)
        place = np.repeat(next_w[word] - first, count) + np.arange(len(block))
        data_p[place] = idf_w[block["word"]] * block["count"] / (norm_n[block["chunk"]] + block["count"])
        indices_p[place] = block["chunk"]
        next_w[word] += count
    return {"data": data_p, "indices": indices_p, "indptr": starts_w, "num_docs": len(lengths_n)}


def _blocks(folder: Path, ends: list[int]) -> Iterator[NDArray[Any]]:
    with (folder / "pairs").open("rb") as pairs:
        for start, end in pairwise(ends):
            yield np.fromfile(pairs, dtype=_PAIR, count=end - start)


def _batches(texts: Iterable[str]) -> Iterator[list[str]]:
    remaining = iter(texts)
    while batch := list(islice(remaining, _BATCH)):
        yield batch


def content_stems(texts: Sequence[str]) -> list[list[str]]:
    """Words of each text in order, stemmed, without stop words: what BM25 counts."""
    import Stemmer

    return _bm25s().tokenize(  # type: ignore[no-any-return]
        list(texts), stopwords="en", stemmer=Stemmer.Stemmer("english"), return_ids=False, show_progress=False
    )


def _bm25s() -> ModuleType:
    """The library, silenced: it sets its own logger to DEBUG, which would reach the user's terminal."""
    import bm25s

    logging.getLogger("bm25s").setLevel(logging.WARNING)
    return bm25s  # type: ignore[no-any-return]
