"""Whatever goes wrong, the index that was there keeps answering, and the user is told what to do."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from filelock import FileLock
from ingest_harness import Bench, counts
from langchain_core.embeddings import Embeddings

from ingest import catalogue
from ingest.backup import export, restore
from ragvoice.errors import UsageError, VectorIndexError
from ragvoice.retrieval import generations
from ragvoice.retrieval.index import DocumentIndex

TEXT = "# Leave\n\nEverybody gets 25 days of leave.\n"


class Breaking(Embeddings):
    """Fails as a full disk or a killed process would, in the middle of the work."""

    def __init__(self, error: BaseException):
        self._error = error

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        raise self._error

    def embed_query(self, text: str) -> list[float]:
        raise self._error


@pytest.fixture
def full(bench: Bench) -> Bench:
    """An index of one document."""
    bench.write("leave.md", TEXT)
    bench.ingest()
    return bench


@pytest.mark.parametrize("error", [RuntimeError("crash"), KeyboardInterrupt(), OSError(28, "No space left on device")])
def test_a_crash_before_the_switch_leaves_the_old_index_and_no_litter(full: Bench, error: BaseException) -> None:
    before = full.generations()
    full.write("new.md", "Something new.")
    whole, full.embeddings = full.embeddings, Breaking(error)  # type: ignore[assignment]
    with pytest.raises((type(error), VectorIndexError)):
        full.ingest()
    assert full.generations() == before
    assert full.doc_ids() == ["leave.md"]
    full.embeddings = whole
    assert counts(full.ingest()) == (1, 0, 0, 1)


def test_a_full_disk_is_one_sentence(full: Bench) -> None:
    full.write("new.md", "Something new.")
    full.embeddings = Breaking(OSError(28, "No space left on device"))  # type: ignore[assignment]
    with pytest.raises(VectorIndexError, match=r"No space left on device.*unharmed.*--index"):
        full.ingest()


def test_a_crash_at_the_switch_itself_leaves_the_old_index(full: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(source: object, target: object) -> None:
        raise OSError(5, "Input/output error")

    before = full.generations()
    full.write("new.md", "Something new.")
    with monkeypatch.context() as patched:
        patched.setattr("ragvoice.retrieval.generations.os.replace", refuse)
        with pytest.raises(VectorIndexError, match="Input/output error"):
            full.ingest()
    assert full.generations() == before
    assert full.doc_ids() == ["leave.md"]


def test_litter_of_a_killed_process_goes_with_the_next_ingest(full: Bench) -> None:
    (full.index / "generations/20200101T000000-000000").mkdir()
    full.write("new.md", "Something new.")
    full.ingest()
    assert "20200101T000000-000000" not in full.generations()
    assert len(full.generations()) == 2


def interrupt_after_the_switch(monkeypatch: pytest.MonkeyPatch, index: Path) -> None:
    sync = generations._sync

    def interrupted(path: Path) -> None:
        if path == index:
            raise KeyboardInterrupt
        sync(path)

    monkeypatch.setattr(generations, "_sync", interrupted)


def test_an_interruption_after_the_switch_leaves_the_new_index(full: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    full.write("new.md", "Something new.")
    with monkeypatch.context() as patched:
        interrupt_after_the_switch(patched, full.index)
        with pytest.raises(KeyboardInterrupt):
            full.ingest()
    assert full.doc_ids() == ["leave.md", "new.md"]
    assert counts(full.ingest()) == (0, 0, 0, 2)


def test_an_interruption_after_the_switch_leaves_the_index_of_the_backup(
    full: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    export(full.index, tmp_path / "backup.tar")
    full.write("new.md", "Something new.")
    full.ingest()
    with monkeypatch.context() as patched:
        interrupt_after_the_switch(patched, full.index)
        with pytest.raises(KeyboardInterrupt):
            restore(tmp_path / "backup.tar", full.index, replace=True)
    assert full.doc_ids() == ["leave.md"]


def test_a_removed_text_that_a_stopped_job_has_left_goes_with_the_next_ingest_though_nothing_is_new(
    full: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    full.write("secret.md", "The takeover of Quillbrook.")
    full.ingest()
    (full.documents / "secret.md").unlink()
    with monkeypatch.context() as patched:
        interrupt_after_the_switch(patched, full.index)
        with pytest.raises(KeyboardInterrupt):
            full.ingest()
    assert counts(full.ingest()) == (0, 0, 0, 1)
    assert not any(b"uillbrook" in file.read_bytes() for file in full.index.rglob("*") if file.is_file())


def test_a_reader_goes_on_while_newer_generations_are_published(full: Bench) -> None:
    reader = full.opened()
    for number in range(3):
        full.write("leave.md", TEXT.replace("25", str(26 + number)))
        full.ingest()
    assert "25 days" in reader.document("leave.md").text
    assert reader.passages([0], [1.0], [1.0])[0].text == "Everybody gets 25 days of leave."
    assert "28 days" in full.opened().document("leave.md").text


def test_a_reader_that_comes_in_the_middle_of_a_switch_opens_the_new_generation(
    full: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_manifest = DocumentIndex.open.__globals__["read_manifest"]
    switched = []

    def slowly(folder: Path) -> object:
        if not switched:
            switched.append(folder)
            (full.documents / "leave.md").unlink()
            full.write("new.md", "Something new.")
            full.ingest()  # drops the generation that is being opened
        return read_manifest(folder)

    monkeypatch.setattr("ragvoice.retrieval.index.read_manifest", slowly)
    assert [document.doc_id for document in DocumentIndex.open(full.index).documents()] == ["new.md"]
    assert not switched[0].exists()


def test_a_second_writer_is_told(full: Bench) -> None:
    with FileLock(full.index / "lock"), pytest.raises(VectorIndexError, match="Another process is writing"):
        full.ingest()
    assert counts(full.ingest()) == (0, 0, 0, 1)


def test_another_embedder_is_refused_and_a_rebuild_takes_all_roots_along(full: Bench, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "pay.md").write_text("Paid on the 26th.")
    full.ingest(other, prefix="uk")
    full.embedder = replace(full.embedder, fingerprint="another")
    with pytest.raises(VectorIndexError, match=r"was made with .*ragvoice ingest FOLDER --index .* --rebuild"):
        full.ingest()
    assert full.doc_ids() == ["leave.md", "uk/pay.md"]
    assert counts(full.ingest(rebuild=True)) == (2, 0, 0, 0)
    assert full.doc_ids() == ["leave.md", "uk/pay.md"]
    assert full.opened().manifest.embedder.fingerprint == "another"


def test_another_chunk_length_is_refused_too(full: Bench) -> None:
    full.chunk_tokens = 64
    with pytest.raises(VectorIndexError, match=r"220-token chunks, 0 shared.*64-token chunks, 0 shared"):
        full.ingest()


def damage_byte(generation: Path) -> None:
    file = generation / "vectors/00000.flat"
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)


def cut_catalogue(generation: Path) -> None:
    os.truncate(generation / "catalogue.sqlite", 100)


def no_manifest(generation: Path) -> None:
    (generation / "manifest.json").unlink()


def list_for_manifest(generation: Path) -> None:
    (generation / "manifest.json").write_text("[]")


def files_as_list(generation: Path) -> None:
    file = generation / "manifest.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "files": ["a"]}))


def other_schema(generation: Path) -> None:
    file = generation / "manifest.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "schema_version": 99}))


def no_lexical(generation: Path) -> None:
    shutil.rmtree(generation / "lexical")


def no_generation(generation: Path) -> None:
    shutil.rmtree(generation)


def pointer_of_bytes(generation: Path) -> None:
    (generation.parent.parent / "CURRENT").write_bytes(b"\xff\xfe\x00")


def pointer_elsewhere(generation: Path) -> None:
    (generation.parent.parent / "CURRENT").write_text("../../documents")


def empty_pointer(generation: Path) -> None:
    (generation.parent.parent / "CURRENT").write_text("")


@pytest.mark.parametrize(
    "damage",
    [
        damage_byte,
        cut_catalogue,
        no_manifest,
        list_for_manifest,
        files_as_list,
        other_schema,
        no_lexical,
        no_generation,
        pointer_of_bytes,
        pointer_elsewhere,
        empty_pointer,
    ],
)
def test_a_damaged_index_names_the_command_and_the_command_works(full: Bench, damage: object) -> None:
    damage(full.index / "generations" / full.generations()[0])  # type: ignore[operator]
    for attempt in (full.opened, full.ingest):
        with pytest.raises(VectorIndexError) as caught:
            attempt()
        assert f"ragvoice ingest FOLDER --index {full.index} --rebuild" in str(caught.value)
        assert "\n" not in str(caught.value)
    full.ingest(rebuild=True)
    assert full.doc_ids() == ["leave.md"]


def test_a_damaged_file_that_is_too_large_to_hash_is_noticed_by_its_reader(
    full: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    [generation] = (full.index / "generations").iterdir()
    file = generation / "vectors/00000.flat"
    file.write_bytes(b"\0" * file.stat().st_size)
    monkeypatch.setattr("ragvoice.retrieval.generations._HASHED_BYTES", 0)
    full.write("new.md", "Something new.")
    for attempt in (full.opened, full.ingest):
        with pytest.raises(VectorIndexError, match="damaged"):
            attempt()
    assert full.generations() == [generation.name]


def test_a_folder_without_readable_files_is_refused_and_nothing_is_published(bench: Bench) -> None:
    bench.write("a.xyz", b"\0\1\2")
    with pytest.raises(
        UsageError, match=r"No readable document in documents \(a.xyz: unsupported.*Supported: Markdown"
    ):
        bench.ingest()
    with pytest.raises(VectorIndexError, match="There is no index"):
        bench.opened()


def test_an_index_that_cannot_be_written_is_one_sentence(bench: Bench, tmp_path: Path) -> None:
    bench.write("leave.md", TEXT)
    (tmp_path / "file").write_text("in the way")
    bench.index = tmp_path / "file" / "index"
    with pytest.raises(VectorIndexError, match=r"cannot be written .*--index"):
        bench.ingest()


@pytest.mark.parametrize("broken", ["mkdir", "copyfile"])
def test_a_read_only_disk_harms_nothing(full: Bench, monkeypatch: pytest.MonkeyPatch, broken: str) -> None:
    def refuse(*_: object, **__: object) -> None:  # these tests may run as root, whom no permission stops
        raise OSError(30, "Read-only file system")

    full.write("new.md", "Something new.")
    with monkeypatch.context() as patched:
        patched.setattr({"mkdir": Path, "copyfile": catalogue.shutil}[broken], broken, refuse)
        with pytest.raises(VectorIndexError, match="Read-only file system"):
            full.ingest()
    assert full.doc_ids() == ["leave.md"]
    assert len(full.generations()) == 1


@pytest.mark.parametrize("name", ["what?", "a#b", "50%25", "mit Leerzeichen", "über"])
def test_the_index_may_stand_in_a_folder_of_any_name(bench: Bench, name: str) -> None:
    bench.write("leave.md", TEXT)
    bench.index = bench.index.parent / name / "index"
    bench.ingest()
    bench.ingest(rebuild=True)
    assert bench.doc_ids() == ["leave.md"]


def test_a_broken_pdf_and_a_pipe_cost_only_themselves(bench: Bench) -> None:
    bench.write("good.md", TEXT)
    os.mkfifo(bench.documents / "pipe.md")  # no regular file: not even looked at
    bench.write("broken.pdf", b"%PDF-1.7\n" + b"1 0 obj\n<< /Length 9 >>\n" * 10)
    summary = bench.ingest()
    assert bench.doc_ids() == ["good.md"]
    assert [skipped.doc_id for skipped in summary.skipped] == ["broken.pdf"]
