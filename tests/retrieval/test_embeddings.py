"""The embedder gives the vectors of the published model, in the order of the texts, however they are batched.

Reference values: sentence-transformers 5 on the original float32 weights. The runtime has int8 weights.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from langchain_core.embeddings import Embeddings

from ragvoice.build import build_embeddings, token_offsets
from ragvoice.errors import ModelError
from ragvoice.retrieval.embeddings import CTranslate2Embeddings, _batches_of_one_length, tokens_of
from ragvoice.settings import Settings

TEXTS = [
    "This is an example sentence",
    "Each sentence is converted",
    "How many days of annual leave do I get?",
    "Employees receive 25 days of paid holiday a year.",
]
REFERENCE_FIRST_SIX = [0.0677, 0.0635, 0.0487, 0.0793, 0.0374, 0.0027]
REFERENCE_COSINES = np.array(
    [
        [1.0000, 0.4046, -0.0929, -0.0219],
        [0.4046, 1.0000, 0.0132, 0.0674],
        [-0.0929, 0.0132, 1.0000, 0.5445],
        [-0.0219, 0.0674, 0.5445, 1.0000],
    ]
)


def test_vectors_are_those_of_the_published_model(embeddings: Embeddings) -> None:
    vectors = np.array(embeddings.embed_documents(TEXTS))
    assert vectors.shape == (4, 384)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)
    assert vectors[0, :6] == pytest.approx(REFERENCE_FIRST_SIX, abs=0.02)
    assert np.abs(vectors @ vectors.T - REFERENCE_COSINES).max() < 0.02


def test_order_and_values_do_not_depend_on_the_batch(embeddings: Embeddings) -> None:
    """Not even in the last bit: a rebuilt index is the same as one that grew file by file."""
    texts = [*TEXTS, "word " * 150, "", "x", *(f"{'word ' * length}{length}" for length in range(60, 90, 3)), TEXTS[0]]
    together = np.array(embeddings.embed_documents(texts))
    alone = np.array([embeddings.embed_query(text) for text in texts])
    in_reverse = np.array(embeddings.embed_documents(texts[::-1]))[::-1]
    assert np.abs(together - alone).max() < 1e-6
    assert np.abs(together - in_reverse).max() < 1e-6
    assert embeddings.embed_documents([]) == []


def test_a_text_over_the_limit_is_cut(embeddings: Embeddings) -> None:
    long = np.array(embeddings.embed_documents(["word " * 300, "word " * 20_000]))
    assert long[0] @ long[1] == pytest.approx(1, abs=1e-3)


def test_batches_hold_every_index_once_texts_of_one_length_and_stay_small() -> None:
    batches = list(_batches_of_one_length([5, 100, 7, 100, 5, 100, 500], 200))
    assert batches == [[0, 4], [1, 3], [5], [2], [6]]  # 2 * 100 tokens fit, 3 * 100 do not; 500 go alone


def test_a_folder_that_is_no_model_is_a_model_error(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="ragvoice models verify"):
        CTranslate2Embeddings(tmp_path)
    assert tokens_of(tmp_path) == 256
    (tmp_path / "sentence_bert_config.json").write_text('{"max_seq_length": 128}')
    assert tokens_of(tmp_path) == 128
    (tmp_path / "sentence_bert_config.json").write_text('{"max_seq_length": null}')
    assert tokens_of(tmp_path) == 256


@pytest.mark.parametrize(
    ("pooling", "module"),
    [
        ({"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}, "Pooling"),
        ({"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": True}, "Pooling"),
        ({"pooling_mode": "cls"}, "Pooling"),
        ({"pooling_mode": "mean"}, "Dense"),
    ],
)
def test_a_model_that_makes_its_vectors_otherwise_is_refused(
    tmp_path: Path, pooling: dict[str, object], module: str
) -> None:
    (tmp_path / "1_Pooling").mkdir()
    (tmp_path / "1_Pooling" / "config.json").write_text(json.dumps(pooling))
    (tmp_path / "modules.json").write_text(json.dumps([{"type": f"sentence_transformers.models.{module}"}]))
    with pytest.raises(ModelError, match="embedder_runtime = 'sentence-transformers'"):
        CTranslate2Embeddings(tmp_path)
    (tmp_path / "1_Pooling" / "config.json").write_text('{"pooling_mode": "mean", "include_prompt": true}')
    (tmp_path / "modules.json").write_text("[]")
    with pytest.raises(ModelError, match="ragvoice models verify"):  # only the weights are missing
        CTranslate2Embeddings(tmp_path)


def test_an_embedder_that_cannot_be_read_is_a_model_error(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    broken = settings.model_copy(update={"embedder": str(tmp_path), "embedder_runtime": "sentence-transformers"})
    with pytest.raises(ModelError, match="cannot be loaded by sentence-transformers"):
        build_embeddings(broken)
    with pytest.raises(ModelError, match="no readable tokenizer"):
        token_offsets(broken)
