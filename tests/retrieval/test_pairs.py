"""Question and window as the encoder's input: every token of the passage knows its place in the text."""

from __future__ import annotations

from pathlib import Path

import pytest

from ragvoice.build import build_store
from ragvoice.errors import ModelError
from ragvoice.retrieval.pairs import PairEncoder

TEXT = "Ask your manager first. Annual leave is 25 days a year. It lapses in March."


@pytest.fixture
def pairs(model_home: Path) -> PairEncoder:
    return PairEncoder(build_store().path("all-minilm-l6-v2") / "tokenizer.json", window_tokens=32, max_tokens=40)


def test_tokens_know_their_place_in_the_text(pairs: PairEncoder) -> None:
    start = TEXT.index("Annual")
    end = TEXT.index(" It lapses")
    pair = pairs.encode("How many days?", "Leave: rules", TEXT, (start, end))
    words = [TEXT[a:b] for a, b in pair.offsets_l if b > a]
    assert words == ["Annual", "leave", "is", "25", "days", "a", "year", "."]
    assert len(pair.token_ids_l) == len(pair.type_ids_l) == len(pair.offsets_l)
    assert pair.type_ids_l.index(1) == 6  # [CLS] how many days ? [SEP]


def test_an_answer_by_its_tokens(pairs: PairEncoder) -> None:
    pair = pairs.encode("How many days?", "", TEXT, (0, len(TEXT)))
    first = TEXT.index("25")
    tokens = pair.tokens_of(first, first + len("25 days"))
    assert tokens is not None
    assert [TEXT[a:b] for a, b in pair.offsets_l[tokens[0] : tokens[1] + 1]] == ["25", "days"]
    assert pair.tokens_of(len(TEXT) + 5, len(TEXT) + 9) is None


def test_a_long_passage_is_cut_and_the_question_kept(pairs: PairEncoder) -> None:
    text = "word " * 300
    pair = pairs.encode("How many days?", "", text, (0, len(text)))
    assert len(pair.token_ids_l) == 40
    assert pair.type_ids_l.count(0) == 6


def test_a_long_question_leaves_half_of_the_room(pairs: PairEncoder) -> None:
    pair = pairs.encode("why " * 300, "", TEXT, (0, len(TEXT)))
    assert len(pair.token_ids_l) <= 40
    assert pair.type_ids_l.count(0) == 22  # 20 words, [CLS], [SEP]


def test_texts_of_any_length_are_counted(pairs: PairEncoder) -> None:
    assert pairs.count("word " * 300) == 300


def test_no_tokenizer(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="not a tokenizer"):
        PairEncoder(tmp_path / "tokenizer.json", window_tokens=8, max_tokens=16)
