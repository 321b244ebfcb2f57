"""BM25: words match by their stem, rows keep their order, and nothing reaches the terminal."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path

import pytest

from ragvoice.errors import VectorIndexError
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
