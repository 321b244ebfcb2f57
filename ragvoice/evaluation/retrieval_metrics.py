"""Rankings against gold documents, scored by trec_eval through ir-measures. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ragvoice.datatypes import Passage
from ragvoice.evaluation.datasets import is_gold

CUTOFFS = (1, 3, 5, 10)

_MEASURES = {
    **{f"hit@{k}": f"Success@{k}" for k in CUTOFFS},
    **{f"recall@{k}": f"R@{k}" for k in CUTOFFS},
    "mrr": "RR",
    "ndcg@10": "nDCG@10",
}
"""Our name -> the name in ir-measures."""


def ranked_documents(passages: Sequence[Passage], golds: Sequence[str]) -> list[str]:
    """What was found, best first, each document once: several chunks of one take its best place.

    A passage of a gold document, or of a gold page, is named by its gold id, any other one by its doc_id.
    """
    named = (next((gold for gold in golds if is_gold(passage, gold)), passage.doc_id) for passage in passages)
    return list(dict.fromkeys(named))


def retrieval_scores(ranked: Sequence[str], golds: Sequence[str]) -> dict[str, float]:
    """One question: `hit@k` (a gold document is among the first k), `recall@k` (share of the gold documents among the
    first k) for the cut-offs, `mrr` (1 / rank of the first gold document, 0 without one) and `ndcg@10` (all gold
    documents weigh the same); each 0 to 1.

    :param ranked: Document ids without repetition, best first.
    :raises ValueError: when there is no gold document: nothing can be right then.
    """
    if not golds:
        raise ValueError("A question without gold documents has no retrieval scores.")
    scores = run_scores({"q": ranked}, {"q": dict.fromkeys(golds, 1)}, list(_MEASURES.values()))["q"]
    return {ours: scores[theirs] for ours, theirs in _MEASURES.items()}


def run_scores(
    run: Mapping[str, Sequence[str]], qrels: Mapping[str, Mapping[str, int]], measures: Sequence[str]
) -> dict[str, dict[str, float]]:
    """trec_eval's figures, by query and measure; a query of `qrels` that the run lacks gets 0, others are left out.

    :param run: Query id -> document ids without repetition, best first.
    :param qrels: Query id -> document id -> relevance; 0 and what is not named is not relevant.
    :param measures: As ir-measures writes them, such as `AP`, `nDCG@10`, `Success@5`.
    """
    import ir_measures

    parsed = [ir_measures.parse_measure(measure) for measure in measures]
    scored = {query: {doc: -float(rank) for rank, doc in enumerate(docs)} for query, docs in run.items()}
    scores: dict[str, dict[str, float]] = {query: {} for query in qrels}
    for metric in ir_measures.iter_calc(parsed, {query: dict(docs) for query, docs in qrels.items()}, scored):
        scores[metric.query_id][str(metric.measure)] = metric.value
    return scores
