"""Searching the sample company: what is asked for comes first, and what is hidden never comes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from langchain_core.embeddings import Embeddings
from langchain_core.retrievers import BaseRetriever

from ragvoice.datatypes import Passage
from ragvoice.errors import UsageError
from ragvoice.retrieval.index import DocumentIndex
from ragvoice.retrieval.retriever import HybridRetriever
from ragvoice.settings import Settings

INCIDENT = "safety/restricted/incident-2025-014-investigation.md"
HERON = "finance/board/project-heron-acquisition-plan.docx"


@pytest.fixture(scope="module")
def retriever(sample: DocumentIndex, embeddings: Embeddings, settings: Settings) -> HybridRetriever:
    return HybridRetriever(index=sample, embeddings=embeddings, dense_weight=settings.dense_weight)


@pytest.mark.parametrize(
    ("question", "doc_id"),
    [
        ("How long is parental leave in Poland?", "hr/parental-leave-by-country.docx"),
        ("Which VPN client do I use?", "it/vpn-and-remote-access.md"),
        ("warranty of the loggers", "legal/warranty-terms-loggers.docx"),
        ("Where do we meet when the fire alarm rings?", "safety/fire-and-evacuation.md"),
        ("PH120 measuring range", "products/skelder-ph120-datasheet.md"),
    ],
)
def test_the_right_document_is_among_the_first(retriever: HybridRetriever, question: str, doc_id: str) -> None:
    assert doc_id in [hit.doc_id for hit in retriever.search(question, 5)]


def test_hits_are_ranked_and_scored_between_0_and_1(retriever: HybridRetriever) -> None:
    scores = [hit.score for hit in retriever.search("annual leave", 50)]
    assert len(scores) == 50
    assert scores == sorted(scores, reverse=True)
    assert 0 <= scores[-1] <= scores[0] <= 1 + 1e-6


def test_lexical_and_dense_search_each_find_what_the_other_does_not(retriever: HybridRetriever) -> None:
    lexical = retriever.model_copy(update={"dense_weight": 0.0}).search("DL8", 1)[0]
    assert "DL8" in f"{lexical.title} {lexical.section} {lexical.text}"
    dense = retriever.model_copy(update={"dense_weight": 1.0})
    assert dense.search("time off after a baby is born", 3)[0].doc_id == "hr/parental-leave-by-country.docx"


@pytest.mark.parametrize("k", [1, 2, 5, 20, 100, 435, 10_000])
@pytest.mark.parametrize("groups", [(), ("everyone",), ("staff",), ("finance",)])
def test_what_is_hidden_never_comes_however_many_are_asked_for(
    retriever: HybridRetriever, sample: DocumentIndex, k: int, groups: tuple[str, ...]
) -> None:
    asker = {*groups, "everyone"}
    readable = {d.doc_id for d in sample.documents() if asker & set(d.allowed_groups)}
    hits = retriever.search("Heron acquisition price and the incident investigation 2025-014", k, groups)
    assert {hit.doc_id for hit in hits} <= readable
    visible = int(sample.allowed(groups).sum())
    assert len(hits) == k if k <= min(100, visible) else len(hits) <= min(k, visible)


def test_members_find_what_is_theirs(retriever: HybridRetriever) -> None:
    question = "incident 2025-014 investigation"
    assert retriever.search(question, 1, ["safety"])[0].doc_id == INCIDENT
    assert retriever.search("Project Heron acquisition plan", 1, ["board"])[0].doc_id == HERON
    assert HERON not in [hit.doc_id for hit in retriever.search("Project Heron acquisition plan", 100, ["finance"])]


def test_hidden_chunks_take_no_places(retriever: HybridRetriever, sample: DocumentIndex) -> None:
    """With few visible chunks they are all found, however near the hidden ones are."""
    allowed_n = np.zeros(len(sample.allowed(())), dtype=bool)
    allowed_n[[3, 77, 200]] = True
    query_d = np.array(retriever.embeddings.embed_query("incident 2025-014"), dtype=np.float32)
    rows, similarity = sample.nearest(query_d, allowed_n, 100)
    assert sorted(rows.tolist()) == [3, 77, 200]
    assert similarity.tolist() == sorted(similarity.tolist(), reverse=True)
    assert sample.similarity(query_d, rows) == pytest.approx(similarity, abs=1e-5)
    nobody = np.zeros_like(allowed_n)
    assert sample.nearest(query_d, nobody, 5)[0].tolist() == []


def test_every_hit_is_a_slice_of_its_document(retriever: HybridRetriever, sample: DocumentIndex) -> None:
    for hit in retriever.search("leave pay warranty holiday", 100, ["hr", "board", "finance", "safety"]):
        text = sample.document(hit.doc_id).text
        assert text[hit.start_index : hit.start_index + len(hit.text)] == hit.text
        assert hit.text.strip()
        assert not hit.source.startswith("/")
        assert (hit.page is not None) == hit.doc_id.endswith(".pdf")


def test_it_is_a_langchain_retriever(retriever: HybridRetriever) -> None:
    assert isinstance(retriever, BaseRetriever)
    documents = retriever.model_copy(update={"k": 3}).invoke("annual leave")
    hits = retriever.search("annual leave", 3)
    assert [document.page_content for document in documents] == [hit.text for hit in hits]
    assert documents[0].metadata["doc_id"] == hits[0].doc_id
    assert set(documents[0].metadata) == set(Passage.__dataclass_fields__) - {"text"}
    member = retriever.model_copy(update={"groups": frozenset({"safety"}), "k": 1})
    assert member.invoke("incident 2025-014")[0].metadata["doc_id"] == INCIDENT


@pytest.mark.parametrize("query", ["", " ", "the", "\U0001f600", "word " * 5000, "'; DROP TABLE chunks; --"])
def test_odd_queries_find_something_or_nothing_but_never_fail(retriever: HybridRetriever, query: str) -> None:
    assert len(retriever.search(query, 3)) == 3
    assert retriever.search(query, 0) == []


def test_an_unknown_document_is_wrong_use(sample: DocumentIndex) -> None:
    with pytest.raises(UsageError, match="documents list"):
        sample.document("nothing.md")
    assert sample.chunk_spans("nothing.md") == []


def test_the_manifest_counts_what_is_there(sample: DocumentIndex) -> None:
    documents = sample.documents()
    assert sample.manifest.documents == len(documents)
    assert sample.manifest.chunks == sum(len(sample.chunk_spans(document.doc_id)) for document in documents)
    assert all(replace(document, text="") == document for document in documents)  # the list holds no texts
