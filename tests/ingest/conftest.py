from __future__ import annotations

from pathlib import Path

import pytest
from ingest_harness import Bench, CountingEmbeddings, TokenOffsets
from langchain_core.embeddings import Embeddings

from ragvoice.retrieval.generations import EmbedderIdentity


@pytest.fixture
def bench(tmp_path: Path, embeddings: Embeddings, embedder: EmbedderIdentity, tokens_of: TokenOffsets) -> Bench:
    """With an empty documents folder and no index yet."""
    documents = tmp_path / "documents"
    documents.mkdir()
    return Bench(documents, tmp_path / "index", CountingEmbeddings(embeddings), embedder, tokens_of)
