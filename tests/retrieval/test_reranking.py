"""A cross-encoder puts the best passages in order; a real one, tiny and random, is loaded and asked."""

from __future__ import annotations

from pathlib import Path

import pytest
from langchain_core.cross_encoders import BaseCrossEncoder

from ragvoice.datatypes import Passage
from ragvoice.errors import ModelError
from ragvoice.retrieval.reranking import SentenceTransformersCrossEncoder, reranked


def passage(text: str, score: float) -> Passage:
    return Passage(f"{text}.md", f"{text}.md", "Title", "Section", None, None, text, 0, score)


class Prefers(BaseCrossEncoder):
    """Sure of what holds a word."""

    def __init__(self, word: str):
        self.word = word
        self.seen: list[tuple[str, str]] = []

    def score(self, text_pairs: list[tuple[str, str]]) -> list[float]:
        self.seen += text_pairs
        return [float(self.word in text) for _, text in text_pairs]


def test_the_score_is_the_mean_of_both() -> None:
    encoder = Prefers("beta")
    found = reranked("q", [passage("alpha", 0.9), passage("beta", 0.6)], encoder)
    assert [(p.text, pytest.approx(p.score)) for p in found] == [("beta", 0.8), ("alpha", 0.45)]
    assert encoder.seen[0] == ("q", "Title\nSection\nalpha")
    assert reranked("q", [], encoder) == []


def tiny(folder: Path, labels: int) -> Path:
    from transformers import BertConfig, BertForSequenceClassification, BertTokenizerFast

    folder.mkdir()
    (folder / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "leave", "pay", "##s"]))
    BertTokenizerFast(str(folder / "vocab.txt")).save_pretrained(folder)
    config = BertConfig(
        vocab_size=8, hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8, num_labels=labels
    )
    BertForSequenceClassification(config).save_pretrained(folder)
    return folder


def test_a_model_in_a_folder_is_asked(tmp_path: Path) -> None:
    encoder = SentenceTransformersCrossEncoder(tiny(tmp_path / "one", 1))
    alone, pair = encoder.score([("leave", "pay")]), encoder.score([("leave", "pay"), ("pay", "leaves")])
    assert all(0 < value < 1 for value in pair)
    assert alone[0] == pytest.approx(pair[0], abs=1e-4)


def test_what_is_no_reranker_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="3 outputs"):
        SentenceTransformersCrossEncoder(tiny(tmp_path / "three", 3))
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelError, match="cannot be loaded"):
        SentenceTransformersCrossEncoder(tmp_path / "empty")
