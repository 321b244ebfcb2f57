"""Question -> passages: dense and lexical search over what the asker may read, fused, refined, without duplicates.

The figures behind each step: docs/experiments.md, benchmarks/retrieval.py.

Legend: `n` chunks in the index, `c` candidates, `f` the first of them, `d` embedding dimension.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, replace
from datetime import date
from typing import Protocol

import numpy as np
from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.cross_encoders import BaseCrossEncoder
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.retrievers import BaseRetriever
from numpy.typing import NDArray
from pydantic import ConfigDict, SkipValidation

from ragvoice.datatypes import EVERYONE, Passage
from ragvoice.retrieval.duplicates import distinct
from ragvoice.retrieval.fusion import brevity, fuse
from ragvoice.retrieval.index import DocumentIndex
from ragvoice.retrieval.lexical import content_stems
from ragvoice.retrieval.phrases import shared_pairs
from ragvoice.retrieval.reranking import RERANKED, reranked
from ragvoice.retrieval.scope import EVERYTHING, Scope
from ragvoice.retrieval.versions import in_force, standing

_CANDIDATES = 100
"""Taken from each of the two searches before they are fused."""
_COMPARED = 20
"""Of the fused candidates, the first ones, whose words are compared with the question's."""
PHRASE_WEIGHT = 0.07
"""Weight of the pairs of words that question and passage share; the rest is the fused score."""


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
    scope: Scope = EVERYTHING
    """What is searched when a call names no scope."""
    reranker: BaseCrossEncoder | None = None
    """Reads the best passages together with the question; None is faster."""
    today: date | None = None
    """The day on which versions must be valid; None is the day of the call."""

    def pinned(self) -> HybridRetriever:
        """On the generation that is current now, for a turn that searches and then says where it looked."""
        return self.model_copy(update={"index": self.index.current()})

    @property
    def generation(self) -> str:
        return self.index.current().manifest.generation

    def search(
        self, query: str, k: int | None = None, groups: Iterable[str] | None = None, scope: Scope | None = None
    ) -> list[Passage]:
        """The `k` best different passages, best first; an empty list when the asker may read nothing that matches.

        :param scope: Where to look; like the groups it is applied before anything is ranked.
        """
        index = self.index.current()
        k = self.k if k is None else k
        allowed_n = index.allowed(self.groups if groups is None else groups, self.scope if scope is None else scope)
        query_d = np.asarray(self.embeddings.embed_query(query), dtype=np.float32)
        dense_c, _ = index.nearest(query_d, allowed_n, max(_CANDIDATES, k))
        bm25_n = index.bm25(query)
        lexical_c = _best_rows(bm25_n, allowed_n, max(_CANDIDATES, k))
        rows_c = np.union1d(dense_c, lexical_c)
        if k == 0 or len(rows_c) == 0:
            return []
        cosine_c = index.similarity(query_d, rows_c)
        facts_c = index.facts(rows_c)
        whole_c = np.array([facts.characters for facts in facts_c], dtype=np.int64)
        today = self.today or date.today()
        scores_c = fuse(cosine_c, bm25_n[rows_c], self.dense_weight) * brevity(index.characters(rows_c), whole_c)
        scores_c *= standing(facts_c, query, today)
        order = np.argsort(-scores_c, kind="stable")
        facts = {document.doc_id: document for document in facts_c}

        def preference(passage: Passage) -> tuple[bool, date]:
            document = facts[passage.doc_id]
            return in_force(document, today), document.dated or date.min

        found = _refined(query, index, rows_c[order], scores_c[order], cosine_c[order])
        if self.reranker is None:
            return distinct(found, k, preference)
        best = distinct(found, max(k, RERANKED), preference)
        return [*reranked(query, best[:RERANKED], self.reranker), *best[RERANKED:]][:k]

    def _get_relevant_documents(self, query: str, *, run_manager: CallbackManagerForRetrieverRun) -> list[Document]:
        return [
            Document(passage.text, metadata={key: value for key, value in asdict(passage).items() if key != "text"})
            for passage in self.search(query)
        ]


def _refined(
    query: str,
    index: DocumentIndex,
    rows_c: NDArray[np.int64],
    scores_c: NDArray[np.float32],
    cosine_c: NDArray[np.float32],
) -> Iterator[Passage]:
    """Passages with their final scores, best first; those behind the first ones are read only when they are wanted."""
    first = index.passages(rows_c[:_COMPARED].tolist(), scores_c[:_COMPARED].tolist(), cosine_c[:_COMPARED].tolist())
    asked, *texts = content_stems([query, *(passage.text for passage in first)])
    shared_f = np.array([shared_pairs(asked, text) for text in texts], dtype=np.float32)
    scores_c = (1.0 - PHRASE_WEIGHT) * scores_c
    scores_f = scores_c[:_COMPARED] + PHRASE_WEIGHT * shared_f
    for place in np.argsort(-scores_f, kind="stable"):
        yield replace(first[place], score=float(scores_f[place]))
    for place in range(len(first), len(rows_c)):
        yield from index.passages([int(rows_c[place])], [float(scores_c[place])], [float(cosine_c[place])])


def _best_rows(scores_n: NDArray[np.float32], allowed_n: NDArray[np.bool_], limit: int) -> NDArray[np.int64]:
    """Allowed rows with the highest positive scores, shape (c,), in no order; equal ones by their row."""
    rows = np.flatnonzero(scores_n)
    rows = rows[allowed_n[rows]]
    if len(rows) > limit:
        lowest = np.partition(scores_n[rows], len(rows) - limit)[len(rows) - limit]
        above = rows[scores_n[rows] > lowest]
        rows = np.concatenate([above, rows[scores_n[rows] == lowest][: limit - len(above)]])
    return rows
