"""Searching the sample company: what is asked for comes first, and what is hidden never comes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from langchain_core.cross_encoders import BaseCrossEncoder
from langchain_core.embeddings import Embeddings
from langchain_core.retrievers import BaseRetriever

from ragvoice.datatypes import Passage
from ragvoice.errors import UsageError
from ragvoice.retrieval.generations import EmbedderIdentity
from ragvoice.retrieval.index import DocumentIndex
from ragvoice.retrieval.reranking import RERANKED
from ragvoice.retrieval.retriever import HybridRetriever
from ragvoice.retrieval.scope import Scope
from ragvoice.settings import Settings

INCIDENT = "safety/restricted/incident-2025-014-investigation.md"
TRAVEL = "finance/travel-and-expenses-policy-2025.pdf"
OLD_TRAVEL = "finance/archive/travel-policy-2023.pdf"
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


@pytest.mark.parametrize(
    ("question", "first"),
    [
        ("When do the rules allow a business class flight these days?", TRAVEL),
        ("How much may dinner cost when I'm travelling in the UK?", TRAVEL),
        ("In the 2023 travel rules, how much could dinner cost?", OLD_TRAVEL),
        ("hotel limit in London in the old policy", OLD_TRAVEL),
    ],
)
def test_the_policy_that_holds_goes_first_unless_the_old_one_is_asked_for(
    retriever: HybridRetriever, question: str, first: str
) -> None:
    fixed = retriever.model_copy(update={"today": date(2026, 11, 24)})
    assert fixed.search(question, 1)[0].doc_id == first
    assert {TRAVEL, OLD_TRAVEL} <= {hit.doc_id for hit in fixed.search(question, 8)}


def test_a_scope_says_where_to_look_and_opens_nothing(retriever: HybridRetriever, sample: DocumentIndex) -> None:
    safety = Scope(sources=("safety",))
    everyone = {hit.doc_id for hit in retriever.search("incident", 100, (), safety)}
    member = {hit.doc_id for hit in retriever.search("incident", 100, ["safety"], safety)}
    assert member - everyone == {INCIDENT}
    assert all(doc_id.startswith("safety/") for doc_id in member)
    scoped = retriever.model_copy(update={"scope": safety})
    assert {hit.doc_id for hit in scoped.search("incident", 100)} == everyone
    assert retriever.search("incident", 5, (), Scope(sources=("nowhere",))) == []
    assert sample.allowed(()).sum() > sample.allowed((), safety).sum() > 0


def test_a_period_leaves_out_what_is_older_or_has_no_date(retriever: HybridRetriever) -> None:
    found = retriever.search("hotel limit in London", 100, (), Scope(since=date(2025, 1, 1)))
    assert TRAVEL in [hit.doc_id for hit in found]
    assert OLD_TRAVEL not in [hit.doc_id for hit in found]
    assert not [hit.doc_id for hit in found if hit.doc_id.endswith(".md")]  # Markdown states no date


@pytest.fixture(scope="module")
def ruled(
    tmp_path_factory: pytest.TempPathFactory,
    embeddings: Embeddings,
    embedder: EmbedderIdentity,
    tokens_of: Callable[[str], Sequence[tuple[int, int]]],
    settings: Settings,
) -> HybridRetriever:
    """Two limits for lunch, of which one holds; one text in two folders; one tagged document."""
    from ingest.documents import Chunking
    from ingest.job import ingest

    folder = tmp_path_factory.mktemp("ruled")
    files = {
        "lunch/summer.md": "# Lunch\n\nThe company pays 9 euros for a lunch with guests.\n",
        "lunch/winter.md": "# Lunch\n\nThe company pays 12 euros for a lunch with guests.\n",
        "north/parking.md": "# Parking\n\nCars without a permit are towed away at the cost of the driver.\n",
        "south/parking.md": "# Parking\n\nCars without a permit are towed away, at the cost of the driver.\n",
        "access.toml": """
[[rule]]
path = "lunch/summer.md"
valid_until = 2026-09-30
[[rule]]
path = "lunch/winter.md"
valid_from = 2026-10-01
tags = ["food"]
[[rule]]
path = "south/**"
valid_from = 2026-02-01
""",
    }
    for name, text in files.items():
        (folder / "documents" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "documents" / name).write_text(text)
    chunking = Chunking(tokens_of, settings.chunk_tokens, settings.overlap_tokens)
    ingest([folder / "documents"], folder / "index", lambda: embeddings, embedder, chunking)
    return HybridRetriever(index=DocumentIndex.open(folder / "index"), embeddings=embeddings, dense_weight=0.7)


@pytest.mark.parametrize(("day", "limit"), [(date(2026, 8, 1), "9 euros"), (date(2026, 11, 1), "12 euros")])
def test_what_is_valid_on_the_day_of_the_question_goes_first(ruled: HybridRetriever, day: date, limit: str) -> None:
    hits = ruled.model_copy(update={"today": day}).search("What does the company pay for a lunch with guests?", 2)
    assert limit in hits[0].text
    assert hits[1].doc_id.startswith("lunch/")
    assert hits[1].score < 0.9 * hits[0].score


def test_one_text_in_two_folders_is_one_result_the_newer_one(ruled: HybridRetriever) -> None:
    hits = ruled.search("Who pays when a car is towed away?", 4)
    assert [hit.doc_id for hit in hits].count("south/parking.md") == 1
    assert "north/parking.md" not in [hit.doc_id for hit in hits]
    north = ruled.search("Who pays when a car is towed away?", 4, (), Scope(sources=("north",)))
    assert [hit.doc_id for hit in north] == ["north/parking.md"]


def test_tags_narrow_the_search(ruled: HybridRetriever) -> None:
    hits = ruled.search("parking", 4, (), Scope(tags=("food",)))
    assert [hit.doc_id for hit in hits] == ["lunch/winter.md"]


class LikesLast(BaseCrossEncoder):
    """The worse the place, the better the score."""

    def score(self, text_pairs: list[tuple[str, str]]) -> list[float]:
        return [number / len(text_pairs) for number in range(len(text_pairs))]


def test_a_reranker_orders_the_first_passages_and_leaves_the_others(retriever: HybridRetriever) -> None:
    plain = retriever.search("annual leave", 30)
    again = retriever.model_copy(update={"reranker": LikesLast()}).search("annual leave", 30)
    places = [(hit.doc_id, hit.start_index) for hit in again]
    assert set(places[:RERANKED]) == {(hit.doc_id, hit.start_index) for hit in plain[:RERANKED]}
    assert places[:RERANKED] != [(hit.doc_id, hit.start_index) for hit in plain[:RERANKED]]
    assert places[RERANKED:] == [(hit.doc_id, hit.start_index) for hit in plain[RERANKED:]]
    assert len(retriever.model_copy(update={"reranker": LikesLast()}).search("annual leave", 3)) == 3
