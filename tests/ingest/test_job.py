"""An index follows its folders: what is new is embedded, what is gone leaves no trace, what is hidden stays hidden."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from fpdf import FPDF
from ingest_harness import Bench, counts, reasons

from ingest.job import remove
from ragvoice.datatypes import Place
from ragvoice.errors import UsageError
from ragvoice.retrieval.generations import open_catalogue
from ragvoice.retrieval.retriever import HybridRetriever

LEAVE = "# Leave\n\nEverybody gets 25 days of leave.\n"
PAY = "# Pay\n\nSalaries are paid on the 26th.\n"


def test_add_change_delete_and_unchanged(bench: Bench) -> None:
    bench.write("leave.md", LEAVE)
    bench.write("pay.md", PAY)
    assert counts(bench.ingest()) == (2, 0, 0, 0)
    bench.write("leave.md", LEAVE.replace("25", "28"))
    (bench.documents / "pay.md").unlink()
    bench.write("new/parking.md", "Parking is free.")
    summary = bench.ingest()
    assert counts(summary) == (1, 1, 1, 0)
    assert summary.chunks == 2
    assert bench.doc_ids() == ["leave.md", "new/parking.md"]
    assert "28 days" in bench.opened().document("leave.md").text


def test_nothing_changed_costs_no_parsing_no_embedding_and_no_new_generation(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.write("leave.md", LEAVE)
    first = bench.ingest()
    bench.embeddings.texts.clear()
    bench.loaded = 0
    monkeypatch.setattr(
        "ingest.sandbox.ParserPool._parse", lambda _, path: pytest.fail(f"{path.name} was parsed again")
    )
    second = bench.ingest()
    assert counts(second) == (0, 0, 0, 1)
    assert (second.chunks, second.generation) == (first.chunks, first.generation)
    assert (bench.embeddings.texts, bench.loaded) == ([], 0)


def test_only_what_changed_is_embedded(bench: Bench) -> None:
    bench.write("handbook.md", "# Handbook\n## Leave\n25 days.\n## Pay\nOn the 26th.\n")
    bench.write("other.md", "Other text.")
    bench.ingest()
    bench.embeddings.texts.clear()
    bench.write("handbook.md", "# Handbook\n## Leave\n28 days.\n## Pay\nOn the 26th.\n")
    bench.ingest()
    assert [text for text in bench.embeddings.texts if "26th" not in text] == ["28 days.\nLeave\nHandbook"]


def test_equal_text_is_embedded_once_and_found_in_both_places(bench: Bench) -> None:
    bench.write("a.md", LEAVE)
    bench.write("copy.md", LEAVE)
    bench.ingest()
    assert len(bench.embeddings.texts) == 1
    bench.write("late-copy.md", LEAVE)
    bench.ingest()
    assert len(bench.embeddings.texts) == 1
    index = bench.opened()
    assert {document.doc_id for document in index.documents()} == {"a.md", "copy.md", "late-copy.md"}
    vectors = index.similarity(np.asarray(bench.embeddings.embed_query("days of leave"), np.float32), np.arange(3))
    assert np.ptp(vectors) < 1e-6
    [hit] = HybridRetriever(index=index, embeddings=bench.embeddings).search("days of leave", 10)
    assert hit.doc_id in {"a.md", "copy.md", "late-copy.md"}, "the same text is one result"


def test_a_moved_file_has_a_new_name_and_no_old_one(bench: Bench) -> None:
    bench.write("old.md", LEAVE)
    bench.ingest()
    (bench.documents / "sub").mkdir()
    (bench.documents / "old.md").rename(bench.documents / "sub/new.md")
    assert counts(bench.ingest()) == (1, 0, 1, 0)
    assert bench.doc_ids() == ["sub/new.md"]


def test_several_roots_are_kept_apart(bench: Bench, tmp_path: Path) -> None:
    bench.write("leave.md", LEAVE)
    other = tmp_path / "other"
    other.mkdir()
    (other / "pay.md").write_text(PAY)
    bench.ingest()
    assert counts(bench.ingest(other)) == (1, 0, 0, 0)
    (other / "pay.md").rename(other / "salary.md")
    assert counts(bench.ingest(other)) == (1, 0, 1, 0)
    assert bench.doc_ids() == ["leave.md", "salary.md"]


def test_two_documents_of_one_name_are_refused_and_a_prefix_helps(bench: Bench, tmp_path: Path) -> None:
    bench.write("leave.md", LEAVE)
    bench.ingest()
    other = tmp_path / "other"
    other.mkdir()
    (other / "leave.md").write_text("# Leave\n\nIn Gdansk it is 26 days.\n")
    with pytest.raises(UsageError, match="--name PREFIX"):
        bench.ingest(other)
    assert bench.doc_ids() == ["leave.md"]
    bench.ingest(other, prefix="gdansk")
    assert bench.doc_ids() == ["gdansk/leave.md", "leave.md"]
    assert counts(bench.ingest(other)) == (0, 0, 0, 1)  # the prefix is remembered
    bench.ingest(other, rebuild=True)
    assert bench.doc_ids() == ["gdansk/leave.md", "leave.md"]


def test_a_folder_that_gets_another_prefix_is_renamed_and_embedded_no_second_time(bench: Bench) -> None:
    bench.write("uk/leave.md", "# Leave\n\nEverybody gets 25 days of leave.\n")
    bench.write("corpus.jsonl", '{"id": "d1", "title": "One", "text": "First."}\n')
    bench.ingest()
    bench.embeddings.texts.clear()
    for prefix in ("hr/uk", "hr", "hr/uk"):
        assert counts(bench.ingest(prefix=prefix)) == (2, 0, 2, 0)
        assert bench.doc_ids() == [f"{prefix}/d1", f"{prefix}/uk/leave.md"]
    assert counts(bench.ingest()) == (0, 0, 0, 2)
    assert bench.embeddings.texts == []


def test_a_file_whose_new_name_says_another_kind_is_read_as_that(bench: Bench) -> None:
    rows = '{"id": "d1", "title": "One", "text": "First."}\n{"id": "d2", "title": "Two", "text": "Second."}\n'
    file = bench.write("corpus.jsonl", rows)
    bench.write("phones.txt", "name,phone\nAda,11\nBen,12\n")
    bench.ingest()
    bench.write("copy.jsonl", file.read_bytes())
    (bench.documents / "phones.txt").rename(bench.documents / "phones.csv")
    bench.ingest()
    renamed = bench.index_texts()
    assert sorted(renamed) == ["copy.jsonl", "d1", "d2", "phones.csv"]
    bench.ingest(rebuild=True)
    assert bench.index_texts() == renamed


def test_a_file_ingested_alone_becomes_part_of_its_folder_later(bench: Bench) -> None:
    leave = bench.write("leave.md", LEAVE)
    nested = bench.write("hr/pay.md", PAY)
    bench.ingest(leave, nested)
    assert bench.doc_ids() == ["leave.md", "pay.md"]
    assert counts(bench.ingest()) == (1, 0, 1, 1)
    assert bench.doc_ids() == ["hr/pay.md", "leave.md"]
    assert counts(bench.ingest()) == (0, 0, 0, 2)


def test_a_part_of_a_known_folder_is_not_taken_in_twice(bench: Bench) -> None:
    bench.write("hr/leave.md", LEAVE)
    bench.ingest()
    with pytest.raises(UsageError, match="--name PREFIX"):
        bench.ingest(bench.documents / "hr")
    assert bench.doc_ids() == ["hr/leave.md"]


def test_a_folder_that_has_moved_is_taken_over_by_a_rebuild(bench: Bench, tmp_path: Path) -> None:
    bench.write("leave.md", LEAVE)
    bench.ingest()
    moved = bench.documents.rename(tmp_path / "moved")
    with pytest.raises(UsageError, match="--rebuild"):
        bench.ingest(moved)
    summary = bench.ingest(moved, rebuild=True)
    assert bench.doc_ids() == ["leave.md"]
    assert reasons(summary) == {"documents": "the folder is gone, so its documents left the index"}


def test_naming_a_folder_twice_counts_it_once(bench: Bench) -> None:
    bench.write("leave.md", LEAVE)
    assert counts(bench.ingest(bench.documents, bench.documents / ".")) == (1, 0, 0, 0)


def test_a_corpus_has_the_ids_of_its_rows(bench: Bench) -> None:
    rows = [
        '{"id": "p-1", "title": "Leave", "text": "25 days."}',
        '{"id": "p-2", "text": "Paid on the 26th."}',
        "broken",
    ]
    bench.write("corpus.jsonl", "\n".join(rows))
    summary = bench.ingest()
    assert counts(summary) == (2, 0, 0, 0)
    assert "line 3" in reasons(summary)["corpus.jsonl"]
    assert bench.doc_ids() == ["p-1", "p-2"]
    assert bench.opened().document("p-1").title == "Leave"
    bench.write("corpus.jsonl", "\n".join([rows[0], rows[0].replace("25", "28"), '{"id": "p-3", "text": "New."}']))
    summary = bench.ingest()
    assert counts(summary) == (1, 0, 1, 1)
    assert reasons(summary)["p-1"] == "the same doc_id as in corpus.jsonl"


def test_a_dataset_keeps_its_answer_key_out_of_the_index(bench: Bench) -> None:
    bench.write("corpus.jsonl", '{"id": "p-1", "text": "25 days."}')
    for name in ("questions.jsonl", "questions_full.jsonl", "manifest.jsonl", "SOURCE.txt"):
        bench.write(name, '{"id": "q", "text": "the zebra is the answer"}')
    summary = bench.ingest()
    assert bench.doc_ids() == ["p-1"]
    assert summary.skipped == []


def test_an_index_inside_the_folder_is_not_indexed(bench: Bench) -> None:
    bench.write("leave.md", LEAVE)
    bench.index = bench.documents / "index"
    for _ in range(2):
        summary = bench.ingest()
        assert bench.doc_ids() == ["leave.md"]
        assert summary.skipped == []
    bench.index = bench.documents
    with pytest.raises(UsageError, match="--index"):
        bench.ingest()


def test_a_bad_file_is_reported_and_the_rest_goes_on(bench: Bench) -> None:
    bench.write("leave.md", LEAVE)
    bench.write("broken.pdf", b"%PDF-1.4 nothing")
    bench.write("table.xyz", b"\0\1\2")
    summary = bench.ingest()
    assert counts(summary) == (1, 0, 0, 0)
    assert sorted(reasons(summary)) == ["broken.pdf", "table.xyz"]


def test_rules_that_change_hide_at_once_and_embed_nothing(bench: Bench) -> None:
    bench.write("hr/pay.md", PAY)
    bench.write("leave.md", LEAVE)
    bench.ingest()
    bench.embeddings.texts.clear()
    bench.write("access.toml", '[[rule]]\npath = "hr/**"\ngroups = ["hr"]\n')
    assert counts(bench.ingest()) == (0, 1, 0, 1)
    assert bench.embeddings.texts == []
    assert bench.opened().document("hr/pay.md").allowed_groups == ("hr",)
    bench.write("access.toml", "broken [")
    summary = bench.ingest()
    assert "nobody may read" in reasons(summary)["access.toml"]
    search = HybridRetriever(index=bench.opened(), embeddings=bench.embeddings).search
    assert search("salaries paid leave", 10, ["hr", "everyone"]) == []


def test_a_link_to_a_restricted_file_is_as_restricted(bench: Bench) -> None:
    bench.write("hr/pay.md", PAY)
    bench.write("access.toml", '[[rule]]\npath = "hr/**"\ngroups = ["hr"]\n')
    (bench.documents / "open.md").symlink_to("hr/pay.md")
    bench.ingest()
    assert bench.opened().document("open.md").allowed_groups == ("hr",)


def test_a_removed_document_leaves_no_byte_behind(bench: Bench) -> None:
    bench.write("leave.md", LEAVE)
    bench.write("secret.md", "# Heronproject\n\nThe takeover of Quillbrook costs 93 million.\n" + "More. " * 5000)
    bench.ingest()
    [chunk] = HybridRetriever(index=bench.opened(), embeddings=bench.embeddings).search("Quillbrook takeover", 1)
    assert chunk.doc_id == "secret.md"
    vector = np.array(bench.embeddings.embed_documents(["Heronproject\n# x"])[0], dtype=np.float32)
    remove("secret.md", bench.index)
    everything = b"".join(file.read_bytes() for file in bench.index.rglob("*") if file.is_file())
    for trace in (b"Quillbrook", b"quillbrook", b"Heronproject", b"heronproject", b"secret.md"):
        assert trace not in everything
    with closing(open_catalogue(next((bench.index / "generations").iterdir()))) as database:
        assert database.execute("PRAGMA freelist_count").fetchone() == (0,)
    index = bench.opened()
    assert index.nearest(vector, index.allowed(()), 10)[0].tolist() == [0]
    assert len(bench.generations()) == 1
    assert counts(bench.ingest()) == (1, 0, 0, 1)  # its file is still there, so it comes back


def test_a_deleted_file_leaves_no_byte_behind_either(bench: Bench) -> None:
    bench.write("leave.md", LEAVE)
    bench.write("secret.md", "The takeover of Quillbrook.")
    bench.ingest()
    (bench.documents / "secret.md").unlink()
    bench.ingest()
    assert not any(b"uillbrook" in file.read_bytes() for file in bench.index.rglob("*") if file.is_file())


def test_removing_what_is_not_there_is_wrong_use(bench: Bench) -> None:
    bench.write("leave.md", LEAVE)
    bench.ingest()
    before = bench.generations()
    with pytest.raises(UsageError, match="documents list"):
        remove("nothing.md", bench.index)
    assert bench.generations() == before


def test_chunks_are_slices_of_the_text_whatever_characters_stand_before(bench: Bench) -> None:
    odd = "é\U0001f600\u0301\ufeff\ufffe\u2028\u200b\t½한"
    sections = "\n".join(f"## {odd} {number}\n{odd} body {number} {odd}\n" for number in range(20))
    bench.write("odd.md", f"# Odd {odd}\n{sections}")
    bench.write("nul.txt", "before\n\nafter")
    bench.ingest()
    index = bench.opened()
    spans = index.chunk_spans("odd.md")
    text = index.document("odd.md").text
    passages = index.passages(range(20), [0.0] * 20, [0.0] * 20)
    by_start = {passage.start_index: passage for passage in passages if passage.doc_id == "odd.md"}
    assert len(by_start) >= 19
    for span in spans:
        if span.start_index in by_start:
            assert by_start[span.start_index].text == text[span.start_index : span.end_index]


def test_pages_and_places_of_a_pdf(bench: Bench) -> None:
    document = FPDF()
    document.set_font("helvetica", size=12)
    for number in (1, 2, 3):
        document.add_page()
        if number != 2:
            document.multi_cell(0, 8, f"This stands on page {number}.")
    bench.write("handbook.pdf", bytes(document.output()))
    bench.ingest()
    index = bench.opened()
    text = index.document("handbook.pdf").text
    spans = index.chunk_spans("handbook.pdf")
    assert [span.page for span in spans] == [1, 3]  # an empty page has no chunk
    assert all(f"page {span.page}" in text[span.start_index : span.end_index] for span in spans)
    assert all(span.place == Place("page", span.page) for span in spans if span.page)


def test_the_title_is_stated_or_the_first_heading_or_the_name(bench: Bench) -> None:
    bench.write("a.md", "---\ntitle: Stated\n---\n# Heading\ntext")
    bench.write("b.md", "# Heading\ntext")
    bench.write("c_plain-name.txt", "text")
    bench.ingest()
    assert [document.title for document in bench.opened().documents()] == ["Stated", "Heading", "c plain name"]
