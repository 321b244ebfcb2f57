"""kill -9 at any moment: the index that was there keeps answering, and the next run goes on where it was."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ingest.verification import verify
from ragvoice.errors import VectorIndexError
from ragvoice.retrieval.generations import current_generation
from ragvoice.retrieval.index import DocumentIndex
from ragvoice.retrieval.vector_store import FaissStore

FILES = 40
SECTIONS = 12


@pytest.fixture
def documents(tmp_path: Path) -> Path:
    folder = tmp_path / "documents"
    folder.mkdir()
    for number in range(FILES):
        write(folder, number, version=0)
    return folder


def write(folder: Path, number: int, version: int) -> None:
    """New words in every section, so that a change is work for the embedder."""
    chance = random.Random(f"{number} {version}")
    sections = [
        f"## Section {section}\n\n" + " ".join(f"word{chance.randrange(10**6)}" for _ in range(15))
        for section in range(SECTIONS)
    ]
    (folder / f"note-{number:02}.md").write_text(f"# Note {number}\n\nVersion {version}.\n\n" + "\n\n".join(sections))


def started(documents: Path, index: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "ragvoice", "ingest", str(documents), "--index", str(index), "--json"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)


def finished(process: subprocess.Popen[bytes]) -> None:
    _, said = process.communicate(timeout=300)
    assert process.returncode == 0, said.decode()


def texts(index: Path) -> dict[str, str]:
    opened = DocumentIndex.open(index)
    return {document.doc_id: opened.document(document.doc_id).text for document in opened.documents()}


def folder_texts(documents: Path) -> dict[str, str]:
    return {file.name: file.read_text() for file in documents.iterdir()}


def whole(index: Path) -> bool:
    """Every published index is; before the first publication there is none."""
    try:
        current_generation(index)
    except VectorIndexError:
        return False
    assert verify(index, FaissStore()).problems == ()
    return True


def kill(process: subprocess.Popen[bytes]) -> None:
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def wait_for_vectors(index: Path, process: subprocess.Popen[bytes]) -> None:
    """Until the job has embedded something that it has not published yet."""
    from ingest.journal import unfinished

    deadline = time.monotonic() + 120
    while not (unfinished(index) or {}).get("chunks_embedded"):
        assert process.poll() is None, process.communicate()[1].decode()
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_killed_job_goes_on_without_embedding_again(documents: Path, tmp_path: Path) -> None:
    import json

    index = tmp_path / "index"
    process = started(documents, index)
    wait_for_vectors(index, process)
    kill(process)
    assert not whole(index)
    process = started(documents, index)
    out, said = process.communicate(timeout=300)
    assert process.returncode == 0, said.decode()
    summary = json.loads(out)
    assert summary["added"] == FILES
    assert 0 < summary["embedded"] < summary["chunks"]
    assert whole(index)
    assert texts(index) == folder_texts(documents)
    assert not (index / "work").exists()


@pytest.mark.slow
def test_thirty_random_kills(documents: Path, tmp_path: Path) -> None:
    index = tmp_path / "index"
    chance = random.Random(1)
    begun = time.monotonic()
    finished(started(documents, index))
    longest_s = time.monotonic() - begun
    published = texts(index)
    survived = 0
    for version in range(1, 35):
        for number in chance.sample(range(FILES), 8):
            write(documents, number, version)
        process = started(documents, index)
        time.sleep(chance.uniform(0, longest_s))
        kill(process)
        assert whole(index)
        now = texts(index)
        assert now in (published, folder_texts(documents))
        survived += now == published
        published = now
    assert survived >= 10, "too few kills came before the publication to show anything"
    finished(started(documents, index))
    assert texts(index) == folder_texts(documents)
    assert whole(index)
    assert len(list((index / "generations").iterdir())) <= 2
