"""What an unchanged, moved, copied, unreadable or broken file costs, and what becomes of it."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from ingest_harness import Bench, counts, reasons
from langchain_core.documents import Document

from ingest.job import Reading, forget
from ingest.journal import Journal, unfinished
from ingest.loaders import CorpusLoader
from ingest.sandbox import ParsedFile, ParserPool
from ingest.sources import SourceFile, walk
from ragvoice.errors import UsageError, VectorIndexError

LEAVE = "# Leave\n\nEverybody gets 25 days of leave.\n"
PAY = "# Pay\n\nSalaries are paid on the 26th.\n"


@pytest.fixture
def full(bench: Bench) -> Bench:
    """Two files that were written some time ago, and the index of them."""
    for name, text in (("leave.md", LEAVE), ("hr/pay.md", PAY)):
        age(bench.write(name, text))
    bench.ingest()
    bench.embeddings.texts.clear()
    return bench


def age(file: Path) -> None:
    """As if written an hour ago, so that its time stamp can be trusted."""
    before = time.time() - 3600
    os.utime(file, (before, before))


def no_parsing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest.sandbox.ParserPool._parse", lambda _, path: pytest.fail(f"{path.name} was parsed"))


def no_hashing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest.sync.file_sha256", lambda *_: pytest.fail("a file was hashed"))


def test_an_unchanged_file_costs_a_stat(full: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    no_hashing(monkeypatch)
    assert counts(full.ingest()) == (0, 0, 0, 2)


def test_a_file_that_was_only_touched_costs_a_hash(full: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    no_parsing(monkeypatch)
    os.utime(full.documents / "leave.md")
    before = full.generations()
    assert counts(full.ingest()) == (0, 0, 0, 2)
    assert full.generations() == before


def test_a_file_written_within_the_same_tick_is_noticed(bench: Bench) -> None:
    file = bench.write("leave.md", LEAVE)
    stamp = file.stat().st_mtime_ns
    bench.ingest()
    file.write_text(LEAVE.replace("25", "28"))
    os.utime(file, ns=(stamp, stamp))
    assert counts(bench.ingest()) == (0, 1, 0, 0)


def test_a_renamed_file_is_not_parsed_or_embedded_again(full: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    no_parsing(monkeypatch)
    (full.documents / "leave.md").rename(full.documents / "hr/holidays.md")
    summary = full.ingest()
    assert (counts(summary), summary.embedded, full.embeddings.texts) == ((1, 0, 1, 1), 0, [])
    assert full.index_texts() == {"hr/holidays.md": LEAVE.strip("\n"), "hr/pay.md": PAY.strip("\n")}


def test_a_file_that_has_only_its_name_for_a_title_is_embedded_below_the_new_one(bench: Bench) -> None:
    bench.write("car-park.txt", "Behind the warehouse.")
    bench.ingest()
    (bench.documents / "car-park.txt").rename(bench.documents / "visitors.txt")
    bench.embeddings.texts.clear()
    bench.ingest()
    assert bench.embeddings.texts == ["Behind the warehouse.\nvisitors"]
    assert [document.title for document in bench.opened().documents()] == ["visitors"]


def test_a_copy_with_other_rules_is_as_restricted_as_its_place(full: Bench) -> None:
    full.write("hr/leave.md", LEAVE)
    full.write("access.toml", '[[rule]]\npath = "hr/**"\ngroups = ["hr"]\nowner = "Ada"\n')
    full.ingest()
    index = full.opened()
    assert index.document("hr/leave.md").allowed_groups == ("hr",)
    assert index.document("hr/leave.md").metadata["owner"] == "Ada"
    assert index.document("leave.md").allowed_groups == ("everyone",)
    assert full.embeddings.texts == []


def test_a_broken_file_is_parsed_once_and_reported_every_time(full: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    full.write("broken.pdf", b"%PDF-1.4 nothing")
    first = reasons(full.ingest())
    with monkeypatch.context() as patched:
        no_parsing(patched)
        assert reasons(full.ingest()) == first
    parsed: list[Path] = []
    monkeypatch.setattr("ingest.sandbox.ParserPool._parse", lambda _, path: parsed.append(path))
    with pytest.raises(AttributeError):
        full.ingest(reading=Reading(retry_skipped=True))
    assert [path.name for path in parsed] == ["broken.pdf"]
    (full.documents / "broken.pdf").unlink()
    assert full.ingest().skipped == []


def test_a_file_that_cannot_be_read_for_the_moment_keeps_what_was_read(
    full: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    full.write("hr/pay.md", PAY.replace("26th", "27th"))

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patched:
        patched.setattr("ingest.sync.file_sha256", refuse)
        summary = full.ingest()
    assert counts(summary) == (0, 0, 0, 2)
    assert reasons(summary) == {"hr/pay.md": "cannot be read: Permission denied; what was read of it earlier stays"}
    assert full.index_texts()["hr/pay.md"] == PAY.strip("\n")
    assert counts(full.ingest()) == (0, 1, 0, 1)


def test_a_folder_that_is_empty_now_keeps_its_documents_until_it_is_forgotten(full: Bench) -> None:
    known = full.doc_ids()
    away = full.documents.rename(full.documents.with_name("share"))
    full.documents.mkdir()  # what is seen of a share that is not mounted
    summary = full.ingest()
    assert "ragvoice index forget" in reasons(summary)["."]
    assert counts(summary) == (0, 0, 0, len(known))
    assert full.doc_ids() == known
    full.documents.rmdir()
    away.rename(full.documents)
    assert counts(full.ingest()) == (0, 0, 0, len(known))
    shutil.rmtree(full.documents)
    full.documents.mkdir()
    assert forget(full.documents, full.index) == len(known)
    assert full.doc_ids() == []


def while_it_is_read(monkeypatch: pytest.MonkeyPatch, happens: Callable[[Path], None]) -> None:
    """To the file that a parser is about to open."""
    parse = ParserPool._parse

    def parsed(pool: ParserPool, path: Path) -> ParsedFile:
        happens(path)
        return parse(pool, path)

    monkeypatch.setattr("ingest.sandbox.ParserPool._parse", parsed)


def test_a_file_that_is_moved_while_a_job_runs_is_found_in_its_new_place(
    full: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = full.write("leave.md", LEAVE)  # so lately that its content is looked at

    def listed(*args: Any) -> Iterator[SourceFile]:
        yield from walk(*args)
        file.rename(full.documents / "holidays.md")

    with monkeypatch.context() as patched:
        patched.setattr("ingest.sync.walk", listed)
        assert counts(full.ingest()) == (0, 0, 1, 1)
    assert counts(full.ingest()) == (1, 0, 0, 1)
    assert full.doc_ids() == ["holidays.md", "hr/pay.md"]


def test_a_file_that_is_moved_while_it_is_read_is_not_taken_for_a_broken_one(
    full: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    full.write("new.md", "# New\n\nSomething new.\n")
    with monkeypatch.context() as patched:
        while_it_is_read(patched, lambda path: path.rename(path.with_name("moved.md")) and None)
        assert full.ingest().skipped == []
    assert counts(full.ingest()) == (1, 0, 0, 2)
    assert full.doc_ids() == ["hr/pay.md", "leave.md", "moved.md"]


def test_a_share_that_goes_away_while_a_file_is_read_takes_nothing_along(
    full: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    full.write("leave.md", LEAVE.replace("25", "28"))

    def unmount(path: Path) -> None:
        path.rename(full.documents / ".away")
        path.symlink_to(path.name)  # cannot be opened, and is not a missing file either

    with monkeypatch.context() as patched:
        while_it_is_read(patched, unmount)
        summary = full.ingest()
    assert counts(summary) == (0, 0, 0, 2)
    assert "what was read of it earlier stays" in reasons(summary)["leave.md"]
    assert "25 days" in full.index_texts()["leave.md"]
    (full.documents / ".away").rename(full.documents / "leave.md")
    assert counts(full.ingest()) == (0, 1, 0, 1)


def test_a_file_that_is_written_while_it_is_read_is_read_again(full: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    full.write("leave.md", LEAVE.replace("25", "28"))
    with monkeypatch.context() as patched:
        while_it_is_read(patched, lambda path: path.write_bytes(b"%PDF-1.4 half a file") and None)
        assert reasons(full.ingest()) == {
            "leave.md": "was changed while it was read; what was read of it earlier stays"
        }
    assert "25 days" in full.index_texts()["leave.md"]


def test_a_version_that_comes_with_stricter_rules_while_a_job_runs_is_as_strict(
    full: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    full.write("access.toml", '[[rule]]\npath = "hr/**"\ngroups = ["staff"]\n')
    full.write("hr/pay.md", PAY.replace("26th", "27th"))
    full.write("leave.md", LEAVE.replace("25", "28"))

    def listed(*args: Any) -> Iterator[SourceFile]:
        yield from walk(*args)
        full.write("leave.md", "# Leave\n\nOnly the board may know this.\n")

    def restrict(_: Path) -> None:
        full.write("access.toml", '[[rule]]\npath = "leave.md"\ngroups = ["board"]\n')

    with monkeypatch.context() as patched:
        patched.setattr("ingest.sync.walk", listed)
        while_it_is_read(patched, restrict)
        full.ingest()
    index = full.opened()
    assert "board may know" in index.document("leave.md").text
    assert index.document("leave.md").allowed_groups == ("board",)
    assert index.document("hr/pay.md").allowed_groups == ("everyone",)
    assert counts(full.ingest()) == (0, 0, 0, 2)


def test_a_corpus_that_cannot_be_read_to_its_end_keeps_what_was_read(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = '{"id": "d1", "title": "One", "text": "First."}\n{"id": "d2", "title": "Two", "text": "Second."}\n'
    age(bench.write("corpus.jsonl", rows))
    bench.ingest()
    bench.write("corpus.jsonl", rows.replace("First", "Changed"))

    def broken_off(loader: CorpusLoader) -> Iterator[Document]:
        yield next(load(loader))
        raise OSError(5, "Input/output error")

    load = CorpusLoader.lazy_load
    with monkeypatch.context() as patched:
        patched.setattr("ingest.sync.CorpusLoader.lazy_load", broken_off)
        assert counts(bench.ingest()) == (0, 1, 0, 1)
    assert bench.index_texts() == {"d1": "Changed.", "d2": "Second."}
    assert counts(bench.ingest()) == (0, 0, 0, 2)


def test_a_folder_that_cannot_be_listed_for_the_moment_keeps_its_documents(
    full: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    scandir = os.scandir

    def refuse(path: str | int) -> object:
        if str(path).endswith("/hr"):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr("os.scandir", refuse)
    summary = full.ingest()
    assert counts(summary) == (0, 0, 0, 2)
    assert "stays" in reasons(summary)["hr"]
    assert sorted(full.index_texts()) == ["hr/pay.md", "leave.md"]


def test_what_an_interrupted_job_has_done_is_not_done_again(full: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    full.write("new.md", "# New\n\nSomething new.\n")
    with monkeypatch.context() as patched:
        patched.setattr("ingest.writer.publish", lambda *_, **__: (_ for _ in ()).throw(RuntimeError("stopped")))
        with pytest.raises(RuntimeError, match="stopped"):
            full.ingest()
    assert unfinished(full.index) == {"files_read": 1, "chunks_embedded": 1}
    full.embeddings.texts.clear()
    no_parsing(monkeypatch)
    summary = full.ingest()
    assert (counts(summary), summary.embedded, full.embeddings.texts) == ((1, 0, 0, 2), 0, [])
    assert unfinished(full.index) is None
    assert not (full.index / "work").exists()


def test_a_damaged_journal_costs_only_time(full: Bench) -> None:
    (full.index / "work").mkdir()
    (full.index / "work/journal.sqlite").write_bytes(b"no database" * 1000)
    full.write("new.md", "# New\n\nSomething new.\n")
    assert counts(full.ingest()) == (1, 0, 0, 2)


def test_a_journal_that_is_damaged_further_down_costs_only_time_too(full: Bench) -> None:
    journal = Journal(full.index, full.embedder)
    for number in range(200):
        journal.keep_pages(f"{number}", [Document(os.urandom(2000).hex())])
    journal.close()
    file = full.index / "work/journal.sqlite"
    data = bytearray(file.read_bytes())
    data[3 * 4096 :] = b"\xff" * (len(data) - 3 * 4096)
    file.write_bytes(data)
    full.write("new.md", "# New\n\nSomething new.\n")
    assert counts(full.ingest()) == (1, 0, 0, 2)


def test_vectors_of_another_embedder_in_the_journal_are_not_used(full: Bench) -> None:
    from dataclasses import replace

    import numpy as np

    journal = Journal(full.index, full.embedder)
    journal.keep_vectors([b"text"], np.ones((1, 3), dtype=np.float32))
    journal.close()
    other = Journal(full.index, replace(full.embedder, fingerprint="another"))
    assert not other.has_vector(b"text")
    other.close()


def test_what_a_stopped_job_has_read_is_gone_when_its_file_is(full: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    full.write("secret.md", "The takeover of Quillbrook.")
    with monkeypatch.context() as patched:
        patched.setattr("ingest.writer.publish", lambda *_, **__: (_ for _ in ()).throw(RuntimeError("stopped")))
        with pytest.raises(RuntimeError):
            full.ingest()
    (full.documents / "secret.md").unlink()
    full.ingest()
    assert not any(b"uillbrook" in file.read_bytes() for file in full.index.rglob("*") if file.is_file())


def test_a_forgotten_folder_is_gone_even_when_it_is_not_there_any_more(full: Bench, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "parking.md").write_text("Parking is free.")
    full.ingest(other)
    (other / "parking.md").unlink()
    other.rmdir()
    assert forget(other, full.index) == 1
    assert sorted(full.index_texts()) == ["hr/pay.md", "leave.md"]
    with pytest.raises(UsageError, match="The index has no folder"):
        forget(other, full.index)


def test_a_second_writer_waits_when_it_is_told_to(full: Bench) -> None:
    import threading

    lock = FileLock(full.index / "lock", thread_local=False)
    lock.acquire()
    full.write("new.md", "Something new.")
    with pytest.raises(VectorIndexError, match="--wait"):
        full.ingest()
    threading.Timer(0.5, lock.release).start()
    assert counts(full.ingest(wait_s=60)) == (1, 0, 0, 2)
