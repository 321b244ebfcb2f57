"""BM25: words match by their stem, rows keep their order, and nothing reaches the terminal."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import bm25s
import numpy as np
import pytest

from ragvoice.errors import VectorIndexError
from ragvoice.retrieval import lexical
from ragvoice.retrieval.lexical import LexicalIndex

TEXTS = [
    "Parental leave in Poland.",
    "The printer is on the second floor.",
    "Leave the printers on, the leave form too.",
]


def test_rows_belong_to_texts_and_stems_match() -> None:
    index = LexicalIndex.build(TEXTS)
    scores = index.scores("printer")
    assert scores.shape == (3,)
    assert scores[0] == 0
    assert scores[1] > 0
    assert scores[2] > 0
    assert index.scores("leaving").argmax() == 2  # twice there


def test_rare_words_weigh_more_than_common_ones() -> None:
    scores = LexicalIndex.build(["apple pear", "apple plum", "apple fig", "cherry"]).scores("apple pear")
    assert scores.argmax() == 0
    assert scores[0] > 2 * scores[1]


@pytest.mark.parametrize("query", ["", "the of and", "unheard", "?!", "é\u2028\U0001f600"])
def test_a_query_without_a_known_word_scores_nothing(query: str) -> None:
    assert LexicalIndex.build(TEXTS).scores(query).tolist() == [0, 0, 0]


@pytest.mark.parametrize("texts", [[], ["", "the of"], ["!!!"]])
def test_texts_without_words_can_be_indexed_and_saved(tmp_path: Path, texts: list[str]) -> None:
    LexicalIndex.build(texts).save(tmp_path)
    assert LexicalIndex.load(tmp_path).scores("word").tolist() == [0] * len(texts)


def test_a_saved_index_scores_as_before(tmp_path: Path) -> None:
    index = LexicalIndex.build(TEXTS)
    index.save(tmp_path)
    assert LexicalIndex.load(tmp_path).scores("leave Poland").tolist() == index.scores("leave Poland").tolist()


def words(count: int, seed: int) -> str:
    """A few words are in many texts, many in few."""
    return " ".join(f"word{number}" for number in np.random.default_rng(seed).zipf(1.5, count) % 500)


def test_scores_are_those_of_bm25s_whatever_the_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [words(seed % 60, seed) for seed in range(200)]
    reference = bm25s.BM25(method="lucene")
    reference.index([text.split() for text in texts], show_progress=False)
    for batch in (7, 200, 4096):
        monkeypatch.setattr(lexical, "_BATCH", batch)
        index = LexicalIndex.build(texts)
        for query in ("word1", "word2 word7 word1", "word3 word3 word11 word499"):
            known = [word for word in query.split() if word in reference.vocab_dict]
            assert index.scores(query) == pytest.approx(reference.get_scores(known), abs=1e-5)


def test_texts_are_read_once_and_as_a_stream() -> None:
    held = 0

    def texts() -> Iterator[str]:
        nonlocal held
        for number in range(3):
            held += 1
            yield TEXTS[number]

    assert LexicalIndex.build(texts()).scores("printer").argmax() == 1
    assert held == 3


def test_temporary_files_are_gone_with_the_index(tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    index = LexicalIndex.build(TEXTS, scratch)
    index.save(tmp_path / "saved")
    del index
    assert list(scratch.iterdir()) == []
    assert LexicalIndex.load(tmp_path / "saved").scores("printer").argmax() == 1


def test_a_loaded_index_is_memory_mapped(tmp_path: Path) -> None:
    LexicalIndex.build(TEXTS).save(tmp_path)
    loaded = LexicalIndex.load(tmp_path)
    assert isinstance(loaded._bm25.scores["data"], np.memmap)  # type: ignore[union-attr]


@pytest.mark.parametrize("name", ["data.csc.index.npy", "vocab.index.json", "params.index.json", "size.json"])
def test_a_cut_file_is_an_error_of_the_index(tmp_path: Path, name: str) -> None:
    LexicalIndex.build(TEXTS).save(tmp_path)
    file = tmp_path / "lexical" / name
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    with pytest.raises(VectorIndexError):
        LexicalIndex.load(tmp_path)


def test_missing_files_are_an_error_of_the_index(tmp_path: Path) -> None:
    with pytest.raises(VectorIndexError):
        LexicalIndex.load(tmp_path)


def test_nothing_is_logged_even_at_debug_level() -> None:
    code = (
        "import logging; logging.basicConfig(level=logging.DEBUG)\n"
        "from ragvoice.retrieval.lexical import LexicalIndex; LexicalIndex.build(['a word']).scores('word')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")
    assert logging.getLogger("bm25s").level in (logging.NOTSET, logging.WARNING)
