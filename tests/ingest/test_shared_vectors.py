"""The whole ingest job with its vectors on a real PostgreSQL server: answers and safety are those of FAISS."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from ingest_harness import Bench, counts
from langchain_core.embeddings import Embeddings
from postgres_server import PostgresServer
from typer.testing import CliRunner

from ingest.documents import Chunking
from ingest.job import compact, ingest, remove
from ingest.state import index_state
from ingest.verification import verify
from ragvoice.cli import app
from ragvoice.errors import VectorIndexError, VectorServerError
from ragvoice.retrieval.generations import EmbedderIdentity
from ragvoice.retrieval.index import DocumentIndex
from ragvoice.retrieval.pgvector import PgVectorStore
from ragvoice.retrieval.retriever import HybridRetriever
from ragvoice.retrieval.vector_store import FaissStore
from ragvoice.settings import Settings

DOCUMENTS = Path(__file__).resolve().parents[2] / "data" / "documents"
QUESTIONS = (
    "How long is parental leave in Poland?",
    "Which VPN client do I use?",
    "warranty of the loggers",
    "Project Heron acquisition plan",
    "incident 2025-014 investigation",
)
LEAVE = "# Leave\n\nEverybody gets 25 days of leave.\n"
PAY = "# Pay\n\nSalaries are paid on the 26th.\n"
SECRET = "# Secret\n\nThe Zanzibar office closes in May.\n"


@pytest.fixture
def shared(bench: Bench, postgres: PostgresServer, database: str) -> Bench:
    """Without an index yet; its vectors go to a server."""
    bench.store = PgVectorStore(postgres.address(database))
    return bench


@pytest.fixture
def rows(postgres: PostgresServer, database: str) -> Callable[[], int]:
    """Counts the vectors on the server, of whatever generation."""

    def count() -> int:
        tables = postgres.execute("SELECT tablename FROM pg_tables WHERE tablename LIKE 'vectors_%'", database)
        return sum(postgres.execute(f"SELECT count(*) FROM ragvoice.{name}", database)[0][0] for (name,) in tables)

    return count


def found(index: DocumentIndex, embeddings: Embeddings, question: str, groups: Sequence[str] = ()) -> list[str]:
    retriever = HybridRetriever(index=index, embeddings=embeddings, dense_weight=1.0)
    return [passage.text for passage in retriever.search(question, 3, groups)]


def crash_at_the_switch(monkeypatch: pytest.MonkeyPatch, bench: Bench) -> None:
    """The rows of the new generation are on the server already."""

    replace = os.replace

    def refuse(source: str | Path, target: str | Path) -> None:
        if Path(target).name == "CURRENT":
            raise RuntimeError("the power goes")
        replace(source, target)

    with monkeypatch.context() as patched:
        patched.setattr("ragvoice.retrieval.generations.os.replace", refuse)
        with pytest.raises(RuntimeError, match="the power goes"):
            bench.ingest()


@pytest.mark.parametrize("groups", [(), ("safety",), ("board", "hr", "finance")])
def test_the_sample_company_is_answered_as_with_faiss(
    both: tuple[DocumentIndex, DocumentIndex], embeddings: Embeddings, settings: Settings, groups: tuple[str, ...]
) -> None:
    by_file, by_server = (
        HybridRetriever(index=index, embeddings=embeddings, dense_weight=settings.dense_weight) for index in both
    )
    for question in QUESTIONS:
        expected, hits = by_file.search(question, 20, groups), by_server.search(question, 20, groups)
        assert [(hit.doc_id, hit.start_index) for hit in hits] == [(hit.doc_id, hit.start_index) for hit in expected]
        assert [hit.score for hit in hits] == pytest.approx([hit.score for hit in expected], abs=1e-5)
        assert [hit.similarity for hit in hits] == pytest.approx([hit.similarity for hit in expected], abs=1e-5)


@pytest.fixture(scope="module")
def both(
    tmp_path_factory: pytest.TempPathFactory,
    postgres: PostgresServer,
    embeddings: Embeddings,
    embedder: EmbedderIdentity,
    tokens_of: Callable[[str], Sequence[tuple[int, int]]],
) -> tuple[DocumentIndex, DocumentIndex]:
    """The sample company without its PDFs, which take longest to read: in files, and on the server."""
    folder = tmp_path_factory.mktemp("both")
    shutil.copytree(DOCUMENTS, folder / "documents", ignore=shutil.ignore_patterns("*.pdf"))
    opened = []
    for store in (FaissStore(), PgVectorStore(postgres.new_database("sample"))):
        index, chunking = folder / store.name, Chunking(tokens_of, 220, 0)
        ingest([folder / "documents"], index, lambda: embeddings, embedder, chunking, store=store)
        opened.append(DocumentIndex.open(index, store))
    return opened[0], opened[1]


def test_added_changed_moved_and_removed_documents_are_followed(shared: Bench, rows: Callable[[], int]) -> None:
    shared.write("leave.md", LEAVE)
    shared.write("pay.md", PAY)
    assert counts(shared.ingest()) == (2, 0, 0, 0)
    shared.write("leave.md", LEAVE.replace("25", "30"))
    shared.write("secret.md", SECRET)
    (shared.documents / "pay.md").unlink()
    assert counts(shared.ingest()) == (1, 1, 1, 0)
    index = shared.opened()
    assert "30 days" in found(index, shared.embeddings, "How much leave?")[0]
    assert "Zanzibar" in found(index, shared.embeddings, "Which office closes?")[0]
    assert not any("26th" in text for text in found(index, shared.embeddings, "When are salaries paid?"))
    assert rows() == index.manifest.chunks == 2
    embedded = len(shared.embeddings.texts)
    assert counts(shared.ingest()) == (0, 0, 0, 2)
    (shared.documents / "secret.md").rename(shared.documents / "moved.md")
    shared.ingest()
    assert shared.doc_ids() == ["leave.md", "moved.md"]
    assert len(shared.embeddings.texts) == embedded


def test_groups_are_filtered_before_anything_is_ranked(shared: Bench) -> None:
    shared.write("leave.md", LEAVE)
    shared.write("board/secret.md", SECRET)
    shared.write("access.toml", '[[rule]]\npath = "board/**"\ngroups = ["board"]\n')
    shared.ingest()
    index = shared.opened()
    assert found(index, shared.embeddings, "Which office closes?") == found(index, shared.embeddings, "leave")
    assert "Zanzibar" in found(index, shared.embeddings, "Which office closes?", ["board"])[0]


def test_of_a_removed_document_no_row_remains(shared: Bench, rows: Callable[[], int]) -> None:
    for name, text in (("leave.md", LEAVE), ("secret.md", SECRET)):
        shared.write(name, text)
    shared.ingest()
    assert rows() == 2
    remove("secret.md", shared.index, shared.store)
    assert rows() == 1
    assert "25 days" in found(shared.opened(), shared.embeddings, "Which office closes?")[0]


def test_a_reader_keeps_its_rows_until_its_generation_goes(shared: Bench, rows: Callable[[], int]) -> None:
    shared.write("leave.md", LEAVE)
    shared.ingest()
    before = shared.opened()
    shared.write("pay.md", PAY)
    shared.ingest()  # nothing is removed: the generation before stays on disk
    assert len(found(before, shared.embeddings, "When are salaries paid?")) == 1
    assert len(found(shared.opened(), shared.embeddings, "When are salaries paid?")) == 2
    (shared.documents / "leave.md").unlink()
    shared.ingest()  # what was removed must not be found any more
    assert rows() == 1
    with pytest.raises(VectorServerError, match="a newer one is published"):
        found(before, shared.embeddings, "How much leave?")


def test_a_crash_before_the_switch_disturbs_nobody(
    shared: Bench, rows: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    shared.write("leave.md", LEAVE)
    shared.write("pay.md", PAY)
    shared.ingest()
    reader = shared.opened()
    shared.write("pay.md", PAY.replace("26th", "1st"))  # two different generations are tried, neither is published
    crash_at_the_switch(monkeypatch, shared)
    (shared.documents / "leave.md").unlink()
    shared.write("secret.md", SECRET)
    crash_at_the_switch(monkeypatch, shared)
    assert rows() > 2
    for index in (reader, shared.opened()):
        assert sorted(found(index, shared.embeddings, "Which office closes?")) == sorted(
            found(reader, shared.embeddings, "salaries")
        )
        assert index.vectors.size == 2
    shared.write("leave.md", LEAVE)
    (shared.documents / "secret.md").unlink()
    shared.ingest()
    assert "1st" in found(shared.opened(), shared.embeddings, "When are salaries paid?")[0]
    assert verify(shared.index, shared.store, lambda: shared.embeddings).problems == ()
    assert rows() == 2


def test_a_crash_of_the_first_ingest_leaves_nothing_for_good(
    shared: Bench, rows: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    shared.write("leave.md", LEAVE)
    crash_at_the_switch(monkeypatch, shared)
    with pytest.raises(VectorIndexError, match="There is no index"):
        shared.opened()
    shared.ingest()
    assert rows() == 1


def test_a_crash_after_the_switch_is_made_up_for(
    shared: Bench, rows: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    shared.write("leave.md", LEAVE)
    shared.write("pay.md", PAY)
    shared.ingest()
    (shared.documents / "leave.md").unlink()
    with monkeypatch.context() as patched:
        patched.setattr(PgVectorStore, "retain", lambda *_: None)  # as if the process were killed there
        shared.ingest()
    shared.write("secret.md", SECRET)
    crash_at_the_switch(monkeypatch, shared)
    shared.ingest()
    assert shared.doc_ids() == ["pay.md", "secret.md"]
    assert verify(shared.index, shared.store).problems == ()
    assert rows() == 2


def test_what_could_not_be_deleted_is_told_and_goes_with_the_next_compaction(
    shared: Bench, rows: Callable[[], int], postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared.write("leave.md", LEAVE)
    shared.write("pay.md", PAY)
    shared.ingest()
    delete_others = PgVectorStore._delete_others

    def stopped(*arguments: Any) -> None:
        postgres.stop()
        delete_others(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(PgVectorStore, "_delete_others", stopped)
        with pytest.raises(VectorServerError, match=r"cannot be reached.*is published.*ragvoice index compact"):
            remove("pay.md", shared.index, shared.store)
    postgres.start()
    assert shared.doc_ids() == ["leave.md"]
    assert rows() == 2
    compact(shared.index, shared.store)
    assert rows() == 1


def test_rebuild_and_compact_write_new_rows_and_drop_the_old(shared: Bench, rows: Callable[[], int]) -> None:
    shared.write("leave.md", LEAVE)
    shared.write("pay.md", PAY)
    shared.ingest()
    table = index_state(shared.index, shared.store).vectors["table"]
    remove("pay.md", shared.index, shared.store)
    compact(shared.index, shared.store)
    state = index_state(shared.index, shared.store)
    assert state.vectors["table"] != table
    assert rows() == 1
    shared.ingest(rebuild=True)
    remove("pay.md", shared.index, shared.store)  # the generation before goes
    assert rows() == 1
    assert "25 days" in found(shared.opened(), shared.embeddings, "leave")[0]


def test_indexes_on_one_server_do_not_see_one_another(shared: Bench, tmp_path: Path) -> None:
    shared.write("leave.md", LEAVE)
    shared.ingest()
    other = Bench(
        tmp_path / "others",
        tmp_path / "other",
        shared.embeddings,
        shared.embedder,
        shared.tokens_of,
        store=shared.store,
    )
    other.write("pay.md", PAY)
    other.ingest()
    remove("leave.md", shared.index, shared.store)
    assert len(found(other.opened(), shared.embeddings, "leave")) == 1
    assert found(shared.opened(), shared.embeddings, "leave") == []


def test_of_two_copies_of_a_folder_the_second_to_be_written_is_told_to_rebuild(shared: Bench, tmp_path: Path) -> None:
    shared.write("leave.md", LEAVE)
    shared.ingest()
    copy = Bench(**{**shared.__dict__, "index": tmp_path / "copy"})
    shutil.copytree(shared.index, copy.index)
    assert found(copy.opened(), shared.embeddings, "leave") == found(shared.opened(), shared.embeddings, "leave")
    shared.write("pay.md", PAY)
    shared.ingest()
    with pytest.raises(VectorIndexError, match=r"has been copied.*--rebuild"):
        copy.ingest()
    copy.ingest(rebuild=True)
    for one in (shared, copy):
        remove("leave.md", one.index, one.store)
        assert "26th" in found(one.opened(), shared.embeddings, "leave")[0]
        assert verify(one.index, one.store).problems == ()


def test_verify_finds_what_was_done_to_the_rows(shared: Bench, postgres: PostgresServer, database: str) -> None:
    shared.write("leave.md", LEAVE)
    shared.write("pay.md", PAY)
    shared.ingest()
    assert verify(shared.index, shared.store, lambda: shared.embeddings).problems == ()
    table = index_state(shared.index, shared.store).vectors["table"]
    postgres.execute(f"UPDATE {table} SET embedding = (SELECT embedding FROM {table} WHERE id = 1)", database)
    problems = verify(shared.index, shared.store, lambda: shared.embeddings).problems
    assert [problem for problem in problems if "another text" in problem]
    postgres.execute(f"DELETE FROM {table} WHERE id = 1", database)
    [problem] = verify(shared.index, shared.store).problems
    assert "1 of its 2 vectors" in problem
    with pytest.raises(VectorIndexError, match=r"1 of its 2 vectors.*--rebuild"):
        shared.opened()


def test_no_server_is_one_sentence_and_the_index_answers_when_it_is_back(
    shared: Bench, postgres: PostgresServer
) -> None:
    shared.write("leave.md", LEAVE)
    shared.ingest()
    index = shared.opened()
    shared.write("pay.md", PAY)
    postgres.stop()
    try:
        for attempt in (shared.opened, shared.ingest):
            with pytest.raises(VectorServerError, match=r"cannot be reached.*vector_store") as caught:
                attempt()
            assert "\n" not in str(caught.value)
            assert "damaged" not in str(caught.value)
        with pytest.raises(VectorServerError, match="cannot be reached"):
            found(index, shared.embeddings, "leave")
        assert "cannot be reached" in str(index_state(shared.index, shared.store).problem)
    finally:
        postgres.start()
    assert len(found(index, shared.embeddings, "leave")) == 1  # over connections that the restart has cut
    assert counts(shared.ingest()) == (1, 0, 0, 1)


def test_the_commands_take_the_address_from_the_settings_and_keep_it_out_of_the_index(
    clean_environment: Path, model_home: Path, postgres: PostgresServer, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAGVOICE_HOME", str(model_home))
    monkeypatch.setenv("RAGVOICE_VECTOR_STORE", postgres.address(database))
    documents = clean_environment / "documents"
    documents.mkdir()
    (documents / "leave.md").write_text(LEAVE)

    def run(*arguments: str) -> str:
        done = CliRunner().invoke(app, [*arguments, "--index", "index"])
        assert done.exit_code == 0, done.output
        return done.output

    run("ingest", "documents")
    assert "25 days" in run("search", "How much leave?")
    assert "vectors in pgvector: exact" in run("status")
    run("index", "verify")
    named = [
        file
        for file in (clean_environment / "index").rglob("*")
        if file.is_file() and b"postgresql:" in file.read_bytes()
    ]
    assert named == []
    manifest = next((clean_environment / "index").rglob("manifest.json"))
    assert json.loads(manifest.read_text())["vector_store"] == "pgvector"
    assert os.environ["RAGVOICE_VECTOR_STORE"].startswith("postgresql://")
