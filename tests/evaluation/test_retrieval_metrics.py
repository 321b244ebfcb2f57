"""Against arithmetic written out, and against the figures that NIST publishes with trec_eval."""

from __future__ import annotations

import os
from collections import defaultdict
from math import log2
from pathlib import Path

import pytest

from ragvoice.datatypes import Passage
from ragvoice.evaluation.retrieval_metrics import ranked_documents, retrieval_scores, run_scores

ROOT = Path(__file__).resolve().parents[2]
TREC_EVAL = Path(os.environ.get("RAGVOICE_EVAL_DATA", ROOT.parent / "shared" / "data")) / "trec_eval"

PUBLISHED = {
    "map": "AP", "Rprec": "Rprec", "bpref": "Bpref", "recip_rank": "RR", "P_5": "P@5", "P_10": "P@10", "P_100": "P@100",
    "recall_5": "R@5", "recall_10": "R@10", "recall_100": "R@100", "ndcg": "nDCG", "ndcg_cut_5": "nDCG@5",
    "ndcg_cut_10": "nDCG@10", "success_1": "Success@1", "success_5": "Success@5", "success_10": "Success@10",
}  # fmt: skip
"""Name in trec_eval's output -> name in ir-measures."""


def passage(doc_id: str, page: int | None = None) -> Passage:
    return Passage(doc_id, doc_id, "", "", page, None, "", 0, 0.5)


def test_several_chunks_of_one_document_take_one_place() -> None:
    found = [passage(name) for name in ("a", "a", "b", "a", "gold", "b")]
    assert ranked_documents(found, ["gold"]) == ["a", "b", "gold"]
    assert ranked_documents([], ["gold"]) == []


def test_a_gold_page_is_told_from_the_rest_of_its_file() -> None:
    found = [
        passage("in/f.pdf", 1),
        passage("in/f.pdf", 2),
        passage("x"),
        passage("in/f.pdf", 8),
        passage("in/f.pdf", 9),
    ]
    assert ranked_documents(found, ["f#p7"]) == ["in/f.pdf", "x", "f#p7"]
    assert ranked_documents(found, ["f#p8", "f#p7"]) == ["in/f.pdf", "x", "f#p7", "f#p8"]


def test_two_gold_documents_on_places_two_and_six() -> None:
    scores = retrieval_scores(["x1", "a", "x2", "x3", "x4", "b", "x5"], ["a", "b"])
    assert [scores[f"hit@{k}"] for k in (1, 3, 5, 10)] == [0, 1, 1, 1]
    assert [scores[f"recall@{k}"] for k in (1, 3, 5, 10)] == [0, 0.5, 0.5, 1]
    assert scores["mrr"] == 1 / 2
    # gain of place i is 1 / log2(i + 1); the best order has the two on places 1 and 2
    assert scores["ndcg@10"] == pytest.approx((1 / log2(3) + 1 / log2(7)) / (1 / log2(2) + 1 / log2(3)))


def test_place_eleven_is_behind_the_cutoffs_but_not_for_mrr() -> None:
    scores = retrieval_scores([f"x{n}" for n in range(10)] + ["a"], ["a"])
    assert (scores["hit@10"], scores["recall@10"], scores["ndcg@10"]) == (0, 0, 0)
    assert scores["mrr"] == pytest.approx(1 / 11)


def test_nothing_found_is_zero_and_nothing_to_find_is_an_error() -> None:
    assert set(retrieval_scores([], ["a"]).values()) == {0.0}
    assert set(retrieval_scores(["a"], ["a", "a"]).values()) == {1.0}
    with pytest.raises(ValueError, match="without gold"):
        retrieval_scores(["a"], [])


def test_graded_relevance_and_queries_that_only_one_side_knows() -> None:
    qrels = {"1": {"a": 2, "b": 1, "c": 0}, "2": {"a": 1}}
    scores = run_scores({"1": ["c", "b", "a"], "3": ["a"]}, qrels, ["nDCG@10", "RR", "AP"])
    assert set(scores) == {"1", "2"}
    assert scores["2"] == {"nDCG@10": 0, "RR": 0, "AP": 0}
    assert scores["1"]["RR"] == 1 / 2
    assert scores["1"]["AP"] == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert scores["1"]["nDCG@10"] == pytest.approx((1 / log2(3) + 2 / log2(4)) / (2 / log2(2) + 1 / log2(3)))


@pytest.mark.skipif(not TREC_EVAL.is_dir(), reason=f"NIST's test data is not in {TREC_EVAL}; set RAGVOICE_EVAL_DATA")
def test_the_published_figures_of_trec_eval_query_by_query() -> None:
    qrels: dict[str, dict[str, int]] = defaultdict(dict)
    for line in (TREC_EVAL / "qrels.test").read_text().splitlines():
        query, _, document, relevance = line.split()
        qrels[query][document] = int(relevance)
    found: dict[str, list[tuple[float, str]]] = defaultdict(list)
    for line in (TREC_EVAL / "results.test").read_text().splitlines():
        query, _, document, _, score, _ = line.split()
        found[query].append((float(score), document))
    # trec_eval ranks by score, not by the rank that the file names, and equal scores by document id, last one first
    run = {query: [document for _, document in sorted(pairs, reverse=True)] for query, pairs in found.items()}
    scores = run_scores(run, qrels, list(PUBLISHED.values()))
    compared = 0
    for line in (TREC_EVAL / "out.test.aq").read_text().splitlines():
        name, query, value = line.split()
        if name in PUBLISHED and query != "all":
            assert scores[query][PUBLISHED[name]] == pytest.approx(float(value), abs=5.1e-5), (query, name)
            compared += 1
    assert compared == 3 * len(PUBLISHED)
