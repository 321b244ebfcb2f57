"""A process that answers sees what another one publishes, and never half of it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from langchain_core.embeddings import Embeddings

from ragvoice.build import open_live_index
from ragvoice.errors import VectorIndexError
from ragvoice.retrieval.live import LiveIndex
from ragvoice.retrieval.retriever import HybridRetriever
from ragvoice.settings import Settings


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "documents").mkdir()
    (tmp_path / "documents/leave.md").write_text("# Leave\n\nEverybody gets 25 days of leave.\n")
    return tmp_path


@pytest.fixture
def ingest(folder: Path, model_home: Path) -> Callable[..., None]:
    """In a process of its own."""

    def run(*flags: str) -> None:
        command = [sys.executable, "-m", "ragvoice", "ingest", "documents", "--index", "index", *flags]
        subprocess.run(command, cwd=folder, check=True, capture_output=True)

    return run


@pytest.fixture
def live(folder: Path, ingest: Callable[..., None], settings: Settings) -> LiveIndex:
    ingest()
    return open_live_index(settings.model_copy(update={"index": folder / "index"}))


def test_a_new_generation_is_found_without_a_restart(
    folder: Path, ingest: Callable[..., None], live: LiveIndex, embeddings: Embeddings
) -> None:
    retriever = HybridRetriever(index=live, embeddings=embeddings)
    before = retriever.pinned()
    (folder / "documents/leave.md").write_text("# Leave\n\nEverybody gets 28 days of leave.\n")
    ingest()
    assert "28 days" in retriever.search("days of leave", 1)[0].text
    assert retriever.generation != before.generation
    assert "25 days" in before.search("days of leave", 1)[0].text  # a turn that has begun ends on what it began with


def test_an_unchanged_index_is_not_opened_again(live: LiveIndex) -> None:
    assert live.current() is live.current()


def test_an_index_of_another_embedder_is_not_mixed_with_this_one(
    ingest: Callable[..., None], live: LiveIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAGVOICE_EMBEDDER_RUNTIME", "sentence-transformers")
    ingest("--rebuild")
    monkeypatch.delenv("RAGVOICE_EMBEDDER_RUNTIME")
    with pytest.raises(VectorIndexError, match="made with the embedder"):
        live.current()


def test_an_index_that_was_deleted_is_told(folder: Path, live: LiveIndex) -> None:
    (folder / "index/CURRENT").unlink()
    with pytest.raises(VectorIndexError, match="There is no index"):
        live.current()
