"""Base against tuned embedder on held-out questions, through the same retrieval as in service."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ragvoice.datatypes import Passage
from ragvoice.evaluation.bootstrap import Interval, paired_difference
from ragvoice.evaluation.datasets import Question
from ragvoice.evaluation.retrieval_metrics import ranked_documents, retrieval_scores
from ragvoice.evaluation.runner import DEPTH
from ragvoice.generation.followup import search_follow_up, standalone_question
from ragvoice.retrieval.retriever import HybridRetriever

SERVED, DENSE = "as served", "vectors alone"
MEASURES = ("hit@1", "hit@5", "hit@10", "ndcg@10")
DECIDES = "ndcg@10"
"""Of the search as served; and hit@5, what the language model may get to read, must not fall."""

Rankings = dict[str, list[dict[str, float]]]
"""Kind of search -> scores of each question, in the order of the questions."""


@dataclass(frozen=True)
class Compared:
    """One measure of one kind of search; `change` is tuned minus base."""

    search: str
    measure: str
    base: float
    tuned: float
    change: Interval


def rankings(
    questions: Sequence[Question],
    retriever: HybridRetriever,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Rankings:
    """:param questions: With gold documents. :param retriever: As in service, on one embedder and its index."""
    searches: dict[str, Callable[[Question], Sequence[Passage]]] = {
        SERVED: lambda question: search_follow_up(
            question.text, question.history, lambda query: retriever.search(query, DEPTH, question.groups)
        )[1],
        DENSE: lambda question: _nearest(question, retriever),
    }
    scored: Rankings = {name: [] for name in searches}
    for number, question in enumerate(questions):
        progress(number, len(questions))
        for name, search in searches.items():
            ranked = ranked_documents(search(question), question.gold_ids)
            scored[name].append(retrieval_scores(ranked, question.gold_ids))
    progress(len(questions), len(questions))
    return scored


def compared(base: Rankings, tuned: Rankings, seed: int = 0) -> list[Compared]:
    """Every measure of every kind of search, with the 95 % interval of the change over the questions.

    :raises ValueError: when the two are not of the same questions, or of none.
    """
    rows = []
    for search in base:
        for measure in MEASURES:
            before = [scores[measure] for scores in base[search]]
            after = [scores[measure] for scores in tuned[search]]
            change = paired_difference(after, before, seed)
            if change is None:
                raise ValueError("There is no question to compare on.")
            rows.append(Compared(search, measure, float(np.mean(before)), float(np.mean(after)), change))
    return rows


def is_better(rows: Sequence[Compared]) -> bool:
    """The whole interval of what decides lies above 0, and as served as many questions find their document in five."""
    served: Mapping[str, Compared] = {row.measure: row for row in rows if row.search == SERVED}
    return served[DECIDES].change.low > 0 and served["hit@5"].change.value >= 0


def _nearest(question: Question, retriever: HybridRetriever) -> list[Passage]:
    index = retriever.index.current()
    query = standalone_question(question.text, question.history)
    query_d = np.asarray(retriever.embeddings.embed_query(query), dtype=np.float32)
    rows_c, cosine_c = index.nearest(query_d, index.allowed(question.groups), DEPTH)
    return index.passages(rows_c.tolist(), cosine_c.tolist(), cosine_c.tolist())
