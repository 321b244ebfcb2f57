"""Looking after an index: its state, its wholeness, backups, compaction."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import tarfile
from contextlib import closing
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import pytest
from ingest_harness import Bench, counts

from ingest.backup import export, restore
from ingest.job import compact
from ingest.journal import Journal
from ingest.state import index_state
from ingest.verification import verify
from ragvoice.errors import UsageError, VectorIndexError
from ragvoice.retrieval import generations
from ragvoice.retrieval.generations import Manifest, file_sha256
from ragvoice.retrieval.vector_store import FaissStore

STORE = FaissStore()
LEAVE = "# Leave\n\nEverybody gets 25 days of leave.\n"


@pytest.fixture
def full(bench: Bench) -> Bench:
    bench.write("leave.md", LEAVE)
    bench.write("hr/pay.md", "# Pay\n\nSalaries are paid on the 26th.\n")
    bench.write("access.toml", '[[rule]]\npath = "hr/**"\ngroups = ["hr"]\n')
    bench.write("broken.pdf", b"%PDF-1.4 nothing")
    bench.ingest()
    return bench


def test_the_state_tells_what_is_there(full: Bench) -> None:
    state = index_state(full.index, STORE)
    assert state.manifest is not None
    assert (state.manifest.documents, state.manifest.chunks) == (2, 2)
    assert [(root.folder, root.there, root.documents, root.files) for root in state.roots] == [
        (str(full.documents), True, 2, 3)
    ]
    assert [skipped.doc_id for skipped in state.skipped] == ["broken.pdf"]
    assert state.groups == {"everyone": 1, "hr": 1}
    assert state.vectors["vectors"] == 2
    assert (state.running, state.unfinished) == (None, None)
    assert sum(state.bytes.values()) == sum(size for size, _ in state.manifest.files.values())


def test_the_state_of_no_index_and_of_a_damaged_one(full: Bench, tmp_path: Path) -> None:
    state = index_state(tmp_path / "nothing", STORE)
    assert (state.manifest, state.problem) == (None, None)
    next((full.index / "generations").iterdir()).joinpath("manifest.json").unlink()
    assert "damaged" in (index_state(full.index, STORE).problem or "")


def test_a_running_job_is_seen_and_a_dead_one_is_not(full: Bench) -> None:
    seen = []
    full.write("new.md", "Something new.")
    full.ingest(report=lambda *_: seen.append(index_state(full.index, STORE).running))
    assert all(job and job["pid"] == os.getpid() for job in seen)
    assert index_state(full.index, STORE).running is None
    Journal(full.index, full.embedder).close()
    dead = {"pid": 2**22 + 1, "host": os.uname().nodename, "started": 0, "stages": {}}
    (full.index / "work/job.json").write_text(json.dumps(dead))
    assert index_state(full.index, STORE).running is None


def test_a_whole_index_is_verified_with_its_embedder(full: Bench) -> None:
    found = verify(full.index, STORE, lambda: full.embeddings)
    assert (found.documents, found.chunks, found.embedded_again, found.problems) == (2, 2, 2, ())


def rehash(generation: Path, name: str) -> None:
    """As if the file had been published as it is now, so that only what is in it can tell."""
    file = generation / "manifest.json"
    manifest = json.loads(file.read_text())
    manifest["files"][name] = [(generation / name).stat().st_size, file_sha256(generation / name)]
    file.write_text(json.dumps(manifest))


def swap_vectors(generation: Path) -> None:
    file = generation / "vectors/00000.flat"
    flat = faiss.read_index(str(file))
    vectors = flat.reconstruct_n(0, flat.ntotal)
    flat.reset()
    flat.add(np.ascontiguousarray(vectors[::-1]))
    faiss.write_index(flat, str(file))
    rehash(generation, "vectors/00000.flat")


def change_text(generation: Path) -> None:
    with closing(sqlite3.connect(generation / "catalogue.sqlite")) as database:
        database.execute("UPDATE documents SET text = replace(text, '25', '52')")
        database.commit()
    rehash(generation, "catalogue.sqlite")


def drop_chunk(generation: Path) -> None:
    with closing(sqlite3.connect(generation / "catalogue.sqlite")) as database:
        database.execute("DELETE FROM chunks WHERE id = 1")
        database.commit()
    rehash(generation, "catalogue.sqlite")


def flip_byte(generation: Path) -> None:
    file = generation / "chunks.npy"
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)


@pytest.mark.parametrize(
    ("damage", "word"),
    [
        (swap_vectors, "of another text or embedder"),
        (change_text, "is not the one that was read"),
        (drop_chunk, "1 chunks; the manifest says"),
        (flip_byte, "chunks.npy has changed"),
    ],
)
def test_whatever_does_not_fit_is_found(full: Bench, damage: object, word: str) -> None:
    damage(next((full.index / "generations").iterdir()))  # type: ignore[operator]
    problems = verify(full.index, STORE, lambda: full.embeddings).problems
    assert any(word in problem for problem in problems), problems


def test_a_backup_comes_back_as_it_was(full: Bench, tmp_path: Path) -> None:
    before = full.index_texts()
    made = export(full.index, tmp_path / "backup.tar")
    full.write("leave.md", LEAVE.replace("25", "28"))
    full.ingest()
    with pytest.raises(UsageError, match="--replace"):
        restore(tmp_path / "backup.tar", full.index)
    assert restore(tmp_path / "backup.tar", full.index, replace=True) == made
    assert full.index_texts() == before
    assert verify(full.index, STORE, lambda: full.embeddings).problems == ()
    assert counts(full.ingest()) == (0, 1, 0, 1)
    full.index = tmp_path / "elsewhere"
    restore(tmp_path / "backup.tar", full.index)
    assert full.index_texts() == before


def test_a_backup_is_on_the_disk_before_the_index_that_was_there_goes(
    full: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    made = export(full.index, tmp_path / "backup.tar")
    full.write("leave.md", LEAVE.replace("25", "28"))
    full.ingest()
    synced: set[Path] = set()
    sync, replace = generations._sync, os.replace

    def on_the_disk(path: Path) -> None:
        synced.add(path)
        sync(path)

    def switched(source: Path, target: Path) -> None:
        folder = full.index / "generations" / made.generation
        assert {folder / name for name in ("manifest.json", *made.files)} <= synced
        replace(source, target)

    monkeypatch.setattr(generations, "_sync", on_the_disk)
    monkeypatch.setattr("ragvoice.retrieval.generations.os.replace", switched)
    restore(tmp_path / "backup.tar", full.index, replace=True)
    assert full.doc_ids() == ["hr/pay.md", "leave.md"]


def test_a_damaged_or_foreign_backup_is_refused_and_harms_nothing(full: Bench, tmp_path: Path) -> None:
    backup = tmp_path / "backup.tar"
    export(full.index, backup)
    before = full.index_texts()
    full.write("leave.md", LEAVE.replace("25", "28"))
    full.ingest()
    after = full.index_texts()
    data = bytearray(backup.read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / "flipped.tar").write_bytes(data)
    (tmp_path / "cut.tar").write_bytes(data[: len(data) // 2])
    (tmp_path / "text.tar").write_text("no archive")
    with tarfile.open(tmp_path / "foreign.tar", "w") as archive:
        archive.add(full.documents / "leave.md", "../leave.md")
    for name in ("flipped.tar", "cut.tar", "text.tar", "foreign.tar"):
        with pytest.raises((UsageError, VectorIndexError)):
            restore(tmp_path / name, full.index, replace=True)
        assert full.index_texts() == after != before
    assert not (tmp_path / "leave.md").exists()


def test_names_that_lead_out_of_a_backup_are_not_followed(full: Bench, tmp_path: Path) -> None:
    backup, evil = tmp_path / "backup.tar", tmp_path / "evil.tar"
    export(full.index, backup)
    with tarfile.open(backup) as source, tarfile.open(evil, "w") as target:
        for member in source:
            data = source.extractfile(member)
            assert data is not None
            if member.name == "manifest.json":
                manifest = json.loads(data.read())
                manifest["files"]["../../../escaped"] = [1, "0"]
                (tmp_path / "manifest").write_text(json.dumps(manifest))
                target.add(tmp_path / "manifest", "manifest.json")
            else:
                target.addfile(member, data)
        (tmp_path / "one").write_text("x")
        target.add(tmp_path / "one", "../../../escaped")
    with pytest.raises((UsageError, VectorIndexError)):
        restore(evil, tmp_path / "a/b/new")
    assert not list(tmp_path.rglob("escaped"))
    assert not (tmp_path / "a/b/new/CURRENT").exists()


def then_replaced(full: Bench, monkeypatch: pytest.MonkeyPatch, module: str) -> None:
    """While the files are hashed for the first time, an ingest takes a document out and drops their generation."""
    real, done = generations.check_files, []

    def check(folder: Path, manifest: Manifest, **how: Any) -> None:
        if not done:
            done.append(folder)
            (full.documents / "hr/pay.md").unlink()
            full.ingest()
        real(folder, manifest, **how)

    monkeypatch.setattr(f"{module}.check_files", check)


def test_a_backup_that_a_newer_generation_overtakes_is_not_called_damaged(
    full: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    then_replaced(full, monkeypatch, "ingest.backup")
    with pytest.raises(VectorIndexError, match="newer generation"):
        export(full.index, tmp_path / "backup.tar")
    assert not list(tmp_path.glob("backup*"))
    assert export(full.index, tmp_path / "backup.tar").documents == 1


def test_a_verification_that_a_newer_generation_overtakes_looks_at_that_one(
    full: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    then_replaced(full, monkeypatch, "ingest.verification")
    found = verify(full.index, STORE, lambda: full.embeddings)
    assert (found.generation, found.documents, found.problems) == (full.generations()[-1], 1, ())


def test_a_reader_whose_files_a_newer_generation_takes_away_opens_that_one(
    full: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(file: Path) -> str:
        monkeypatch.undo()
        (full.documents / "hr/pay.md").unlink()
        full.ingest()
        return file_sha256(file)

    monkeypatch.setattr(generations, "file_sha256", gone)
    assert full.doc_ids() == ["leave.md"]


def test_the_state_of_an_index_without_a_catalogue_that_can_be_read(full: Bench) -> None:
    next((full.index / "generations").iterdir()).joinpath("catalogue.sqlite").write_bytes(b"no database" * 1000)
    assert "its catalogue cannot be read" in (index_state(full.index, STORE).problem or "")


def test_a_backup_to_nowhere_is_one_sentence(full: Bench, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="There is no folder"):
        export(full.index, tmp_path / "nowhere/backup.tar")


def test_compaction_keeps_the_content_and_drops_the_rest(full: Bench) -> None:
    for number in range(5):
        full.write("leave.md", LEAVE.replace("25", str(30 + number)))
        full.ingest()
    (full.index / "work").mkdir()
    (full.index / "work/journal.sqlite").write_bytes(b"leavings")
    shutil.copytree(next((full.index / "generations").iterdir()), full.index / "generations/20200101T000000-000000")
    before = full.index_texts()
    full.embeddings.texts.clear()
    compact(full.index)
    assert full.index_texts() == before
    assert len(full.generations()) == 1
    assert not (full.index / "work").exists()
    assert verify(full.index, STORE, lambda: full.embeddings).problems == ()
    assert counts(full.ingest()) == (0, 0, 0, 2)
