"""Question -> passages: dense and lexical search over what the asker may read, fused.

Legend: `n` chunks in the index, `c` candidates, `d` embedding dimension.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import Protocol

import numpy as np
from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.retrievers import BaseRetriever
from numpy.typing import NDArray
from pydantic import ConfigDict, SkipValidation

from ragvoice.datatypes import EVERYONE, Passage
from ragvoice.retrieval.fusion import fuse
from ragvoice.retrieval.index import DocumentIndex

_CANDIDATES = 100
"""Taken from each of the two searches before they are fused."""


class IndexSource(Protocol):
    """`DocumentIndex` gives itself, `LiveIndex` the newest generation."""

    def current(self) -> DocumentIndex: ...


class HybridRetriever(BaseRetriever):
    """Filters by group before anything is ranked, so that hidden documents leave no trace in a result."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    index: SkipValidation[IndexSource]
    embeddings: Embeddings
    k: int = 10
    groups: frozenset[str] = frozenset({EVERYONE})
    """Who asks, when the retriever is used through LangChain's `invoke`."""
    dense_weight: float = 0.5
    """Weight of the cosine in the fused score; the rest is BM25."""

    def pinned(self) -> HybridRetriever:
        """On the generation that is current now, for a turn that searches and then says where it looked."""
        return self.model_copy(update={"index": self.index.current()})

    @property
    def generation(self) -> str:
        return self.index.current().manifest.generation

    def search(self, query: str, k: int | None = None, groups: Iterable[str] | None = None) -> list[Passage]:
        """The `k` best passages, best first; an empty list when the asker may read nothing that matches."""
        index = self.index.current()
        k = self.k if k is None else k
        allowed_n = index.allowed(self.groups if groups is None else groups)
        query_d = np.asarray(self.embeddings.embed_query(query), dtype=np.float32)
        dense_c, _ = index.nearest(query_d, allowed_n, max(_CANDIDATES, k))
        bm25_n = index.bm25(query)
        lexical_c = _best_rows(bm25_n, allowed_n, max(_CANDIDATES, k))
        rows_c = np.union1d(dense_c, lexical_c)
        cosine_c = index.similarity(query_d, rows_c)
        scores_c = fuse(cosine_c, bm25_n[rows_c], self.dense_weight)
        best = np.argsort(-scores_c, kind="stable")[:k]
        return index.passages(rows_c[best].tolist(), scores_c[best].tolist(), cosine_c[best].tolist())

    def _get_relevant_documents(self, query: str, *, run_manager: CallbackManagerForRetrieverRun) -> list[Document]:
        return [
            Document(passage.text, metadata={key: value for key, value in asdict(passage).items() if key != "text"})
            for passage in self.search(query)
        ]


def _best_rows(scores_n: NDArray[np.float32], allowed_n: NDArray[np.bool_], limit: int) -> NDArray[np.int64]:
    """Allowed rows with the highest positive scores, shape (c,), in no order; equal ones by their row."""
    rows = np.flatnonzero(scores_n)
    rows = rows[allowed_n[rows]]
    if len(rows) > limit:
        lowest = np.partition(scores_n[rows], len(rows) - limit)[len(rows) - limit]
        above = rows[scores_n[rows] > lowest]
        rows = np.concatenate([above, rows[scores_n[rows] == lowest][: limit - len(above)]])
    return rows
