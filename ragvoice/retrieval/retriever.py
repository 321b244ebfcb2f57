"""Question -> passages: dense and lexical search over what the asker may read, fused.

Legend: `n` chunks in the index, `c` candidates, `d` embedding dimension.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict

import numpy as np
from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.retrievers import BaseRetriever
from pydantic import ConfigDict

from ragvoice.datatypes import EVERYONE, Passage
from ragvoice.retrieval.fusion import fuse
from ragvoice.retrieval.index import DocumentIndex

_CANDIDATES = 100
"""Taken from each of the two searches before they are fused."""


class HybridRetriever(BaseRetriever):
    """Filters by group before anything is ranked, so that hidden documents leave no trace in a result."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    index: DocumentIndex
    embeddings: Embeddings
    k: int = 10
    groups: frozenset[str] = frozenset({EVERYONE})
    """Who asks, when the retriever is used through LangChain's `invoke`."""
    dense_weight: float = 0.5
    """Weight of the cosine in the fused score; the rest is BM25."""

    def search(self, query: str, k: int | None = None, groups: Iterable[str] | None = None) -> list[Passage]:
        """The `k` best passages, best first; an empty list when the asker may read nothing that matches."""
        k = self.k if k is None else k
        allowed_n = self.index.allowed(self.groups if groups is None else groups)
        query_d = np.asarray(self.embeddings.embed_query(query), dtype=np.float32)
        dense_c, _ = self.index.nearest(query_d, allowed_n, max(_CANDIDATES, k))
        bm25_n = np.where(allowed_n, self.index.bm25(query), 0.0).astype(np.float32)
        lexical_c = np.argsort(-bm25_n, kind="stable")[: max(_CANDIDATES, k)]
        rows_c = np.union1d(dense_c, lexical_c[bm25_n[lexical_c] > 0])
        cosine_c = self.index.similarity(query_d, rows_c)
        scores_c = fuse(cosine_c, bm25_n[rows_c], self.dense_weight)
        best = np.argsort(-scores_c, kind="stable")[:k]
        return self.index.passages(rows_c[best].tolist(), scores_c[best].tolist(), cosine_c[best].tolist())

    def _get_relevant_documents(self, query: str, *, run_manager: CallbackManagerForRetrieverRun) -> list[Document]:
        return [
            Document(passage.text, metadata={key: value for key, value in asdict(passage).items() if key != "text"})
            for passage in self.search(query)
        ]
