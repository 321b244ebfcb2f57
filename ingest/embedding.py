"""New chunks are embedded while the next files are read.

The job hands over chunks; a thread gives windows of them to an engine and keeps the vectors in the journal. An engine
is a function from windows to vectors: `local` runs the embedder in this process, `ray_engine` in many. What they do
with a window is the same: `batches`, and `embed` for each of them.

Legend: `n` chunks, `d` embedding dimension.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
from langchain_core.embeddings import Embeddings
from numpy.typing import NDArray

from ingest.catalogue import NewChunk
from ingest.journal import Journal

Window = list[NewChunk]
Embedded = tuple[Sequence[bytes], NDArray[np.float32]]
"""Hashes of the embedded texts, and their unit vectors (n, d)."""

Engine = Callable[[Iterator[Window]], Iterable[Embedded]]

Progress = Callable[[int, int], None]
"""Called with (chunks embedded, chunks to embed so far)."""

WINDOW = 2048
"""Chunks sorted by length together, so that little of a batch is padding."""
_AT_ONCE = 256
"""Chunks given to the embedder in one call; what a killed job loses at most."""
_WAITING = 2
"""Windows that wait for the engine: reading does not run ahead of it further than that."""
_LAST_BATCH_S = 15.0
"""How long an interrupted job waits for the batch that is being embedded; a cluster without a free node has none."""


def batches(window: Window) -> Iterator[Window]:
    """By length, in pieces that are given to the embedder in one call."""
    ordered = sorted(window, key=lambda chunk: len(chunk.embedded_text))
    for start in range(0, len(ordered), _AT_ONCE):
        yield ordered[start : start + _AT_ONCE]


def embed(model: Embeddings, texts: list[str]) -> NDArray[np.float32]:
    """Shape (n, d)."""
    return np.asarray(model.embed_documents(texts), dtype=np.float32)


def local(embeddings: Callable[[], Embeddings]) -> Engine:
    """:param embeddings: Called when the first chunk comes; an unchanged folder loads no model."""

    def run(windows: Iterator[Window]) -> Iterator[Embedded]:
        model = None
        for window in windows:
            model = model or embeddings()
            for batch in batches(window):
                yield [chunk.embedded_hash for chunk in batch], embed(model, [chunk.embedded_text for chunk in batch])

    return run


class EmbeddingQueue:
    """Equal texts are embedded once: in this job, in a killed one before it, and in the index that it updates.

    A context manager: leaving it by an exception stops after the batch that is being embedded.
    """

    def __init__(self, engine: Engine, journal: Journal, in_index: Callable[[bytes], bool], progress: Progress):
        self._engine = engine
        self._journal = journal
        self._in_index = in_index
        self._progress = progress
        self._window: Window = []
        self._underway: set[bytes] = set()
        self._windows: queue.Queue[Window | None] = queue.Queue(_WAITING)
        self._stopped = threading.Event()
        self._ended = threading.Event()
        """Waited for in place of the thread: one whose `join` was interrupted once counts as ended (CPython 90882)."""
        self._failure: BaseException | None = None
        self._thread: threading.Thread | None = None
        self.submitted = 0
        self.embedded = 0

    def __enter__(self) -> EmbeddingQueue:
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        if self._thread:
            self._ended.wait(_LAST_BATCH_S)

    def add(self, chunks: Iterable[NewChunk]) -> None:
        """:raises Exception: what the engine has raised meanwhile."""
        for chunk in chunks:
            digest = chunk.embedded_hash
            if digest in self._underway or self._in_index(digest) or self._journal.has_vector(digest):
                continue
            self._underway.add(digest)
            self._window.append(chunk)
            if len(self._window) == WINDOW:
                self._flush()
        self._raise_failure()

    def finish(self) -> None:
        """Wait until every vector is in the journal. :raises Exception: what the engine raises."""
        self._flush()
        if self._thread:
            self._hand_over(None)
            self._ended.wait()
            self._thread = None
        self._raise_failure()

    def _flush(self) -> None:
        if not self._window:
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="embed", daemon=True)
            self._thread.start()
        self.submitted += len(self._window)
        self._progress(self.embedded, self.submitted)
        self._hand_over(self._window)
        self._window = []

    def _hand_over(self, window: Window | None) -> None:
        while not self._ended.is_set():
            try:
                self._windows.put(window, timeout=0.2)
                return
            except queue.Full:
                continue

    def _work(self) -> None:
        try:
            self._keep_all()
        except BaseException as error:  # raised again in the job's own thread
            self._failure = error
        finally:
            self._ended.set()

    def _keep_all(self) -> None:
        for digests, vectors_nd in self._engine(self._incoming()):
            self._journal.keep_vectors(digests, vectors_nd)
            self._underway.difference_update(digests)
            self.embedded += len(digests)
            self._progress(self.embedded, self.submitted)
            if self._stopped.is_set():
                return

    def _incoming(self) -> Iterator[Window]:
        """An engine may take them in a thread of its own, so an interrupted job ends them here too."""
        while not self._stopped.is_set():
            try:
                window = self._windows.get(timeout=0.2)
            except queue.Empty:
                continue
            if window is None:
                return
            yield window

    def _raise_failure(self) -> None:
        if self._failure:
            failure, self._failure = self._failure, None
            raise failure
