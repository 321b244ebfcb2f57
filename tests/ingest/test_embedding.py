"""What is embedded is kept, also when the job is interrupted in the middle of it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from ingest.catalogue import NewChunk
from ingest.embedding import WINDOW, Embedded, EmbeddingQueue, Engine, Window
from ingest.journal import Journal
from ragvoice.retrieval.generations import EmbedderIdentity


def queue_of(engine: Engine, journal: Journal) -> EmbeddingQueue:
    return EmbeddingQueue(engine, journal, lambda digest: False, lambda done, total: None)


def embed_all(queue: EmbeddingQueue, chunks: list[NewChunk]) -> None:
    queue.add(chunks)
    queue.finish()


def fail_once_embedded(queue: EmbeddingQueue) -> None:
    """As a job does that meets an error when the engine has nothing to do."""
    queue.add([NewChunk(number, "text", number.to_bytes(32)) for number in range(WINDOW)])
    while queue.embedded < WINDOW:
        time.sleep(0.01)
    raise ValueError("unreadable")


@pytest.fixture
def ctrl_c() -> Iterator[None]:
    """Is heard, also in what a shell has started in the background, where it is ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("ctrl_c")
def test_an_interrupted_job_keeps_the_batch_that_is_being_embedded(tmp_path: Path, embedder: EmbedderIdentity) -> None:
    def interrupted(windows: Iterator[Window]) -> Iterator[Embedded]:
        for window in windows:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.5)
            yield [chunk.embedded_hash for chunk in window], np.ones((len(window), 4), dtype=np.float32)

    chunk = NewChunk(1, "Salaries are paid on the 26th.", b"h" * 32)
    with closing(Journal(tmp_path, embedder)) as journal:
        with pytest.raises(KeyboardInterrupt), queue_of(interrupted, journal) as queue:
            embed_all(queue, [chunk])
        assert journal.has_vector(chunk.embedded_hash)


def test_an_engine_that_waits_for_windows_is_released_when_the_job_fails(
    tmp_path: Path, embedder: EmbedderIdentity
) -> None:
    ended = []

    def engine(windows: Iterator[Window]) -> Iterator[Embedded]:
        for window in windows:
            yield [chunk.embedded_hash for chunk in window], np.ones((len(window), 4), dtype=np.float32)
        ended.append(True)

    with closing(Journal(tmp_path, embedder)) as journal:
        with pytest.raises(ValueError, match="unreadable"), queue_of(engine, journal) as queue:
            fail_once_embedded(queue)
        assert ended
