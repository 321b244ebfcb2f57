"""A sentence-transformers folder of a random BERT of two layers with the tokenizer of the default embedder."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def tiny_embedder(tmp_path_factory: pytest.TempPathFactory, model_home: Path) -> Path:
    import torch
    from sentence_transformers import SentenceTransformer
    from transformers import AutoTokenizer, BertConfig, BertModel

    from ragvoice.build import build_store

    installed = build_store().path("all-minilm-l6-v2")
    bare, folder = tmp_path_factory.mktemp("bert"), tmp_path_factory.mktemp("models") / "tiny-embedder"
    tokenizer = AutoTokenizer.from_pretrained(installed)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=256,
        position_embedding_type="absolute",  # CTranslate2 asks for it
    )
    BertModel(config).save_pretrained(bare)
    tokenizer.save_pretrained(bare)
    model = SentenceTransformer(str(bare))
    model.max_seq_length = 64
    model.save(str(folder), create_model_card=False)
    (folder / "sentence_bert_config.json").write_text('{"max_seq_length": 64}')
    return folder
