"""Restricted documents are not learned from unless somebody asks for it by name; on the sample company's rules."""

from __future__ import annotations

from pathlib import PurePosixPath

from finetune.data.candidates import Candidate
from finetune.data.open_documents import only_open, open_to
from ragvoice.datatypes import Message
from ragvoice.retrieval.index import DocumentIndex

OPEN = "hr/remote-work-policy-2025.md"
SAID = (Message("user", "What does grade 7 earn?"), Message("agent", "Between 50 and 60 thousand pounds."))


def restricted(sample: DocumentIndex, group: str) -> set[str]:
    return {document.doc_id for document in sample.documents() if document.allowed_groups == (group,)}


def candidate(*gold: str, groups: tuple[str, ...] = (), history: tuple[Message, ...] = ()) -> Candidate:
    return Candidate("1", "What now?", ("This.",), bool(gold), gold, groups=groups, history=history)


def test_chunks_of_restricted_documents_come_with_their_group_only(sample: DocumentIndex) -> None:
    hidden = restricted(sample, "hr")
    assert hidden
    everyone = {passage.doc_id for passage in open_to(sample)}
    assert OPEN in everyone
    assert not hidden & everyone
    assert {passage.doc_id for passage in open_to(sample, ["hr"])} >= hidden | everyone
    board = restricted(sample, "board")
    assert board
    assert not board & {passage.doc_id for passage in open_to(sample, ["hr", "finance"])}


def test_every_open_chunk_comes_once_and_in_the_order_of_its_document(sample: DocumentIndex) -> None:
    found = [passage for passage in open_to(sample) if passage.doc_id == OPEN]
    assert [passage.start_index for passage in found] == [span.start_index for span in sample.chunk_spans(OPEN)]
    assert all(passage.text in sample.document(OPEN).text for passage in found)


def test_candidates_about_them_are_left_out_and_counted(sample: DocumentIndex) -> None:
    secret = min(restricted(sample, "hr"))
    given = [candidate(OPEN), candidate(secret, OPEN), candidate("gone.md")]
    kept, dropped = only_open(given, sample)
    assert kept == [candidate(OPEN)]
    assert dropped == {"restricted or missing document": 2}
    assert only_open(given, sample, ["hr"])[0] == given[:2]


def test_a_gold_page_is_of_the_document_that_has_its_file_name(sample: DocumentIndex) -> None:
    secret = PurePosixPath(min(restricted(sample, "hr"))).stem
    given = [candidate("remote-work-policy-2025#p0", "remote-work-policy-2025#p3"), candidate(f"{secret}#p0")]
    kept, dropped = only_open([*given, candidate("gone#p1")], sample)
    assert kept == [candidate(OPEN)]
    assert dropped == {"restricted or missing document": 2}


def test_the_asker_is_no_more_than_the_groups_that_are_asked_for(sample: DocumentIndex) -> None:
    kept, _ = only_open([candidate(OPEN, groups=("hr", "safety"))], sample, ["safety"])
    assert kept == [candidate(OPEN, groups=("safety",))]


def test_a_follow_up_of_somebody_who_may_read_more_is_left_out(sample: DocumentIndex) -> None:
    asked = candidate(OPEN, groups=("hr",), history=SAID)
    assert only_open([asked], sample) == ([], {"history of a restricted group": 1})
    assert only_open([asked], sample, ["hr"]) == ([asked], {})
    assert only_open([candidate(OPEN, history=SAID)], sample)[0] == [candidate(OPEN, history=SAID)]
