"""The newest generation of an index, for processes that answer while another one ingests."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from ragvoice.retrieval.index import DocumentIndex


class LiveIndex:
    """Opens a new generation when `CURRENT` says so; a turn that has begun keeps the one it has. For any thread."""

    def __init__(self, folder: Path, reopen: Callable[[], DocumentIndex]):
        """:param reopen: Opens the current generation and checks that it fits the configured embedder."""
        self._pointer = folder / "CURRENT"
        self._reopen = reopen
        self._lock = threading.Lock()
        self._seen = self._mark()
        self._opened = reopen()

    def current(self) -> DocumentIndex:
        """:raises VectorIndexError: when the new generation does not fit: damaged, or made with another embedder."""
        mark = self._mark()
        if mark != self._seen:
            with self._lock:
                if mark != self._seen:
                    self._opened = self._reopen()
                    self._seen = mark  # taken before it was opened: a still newer one is opened by the next call
        return self._opened

    def _mark(self) -> tuple[int, int] | None:
        """Changes with every switch, which replaces the file; None when somebody has deleted the index."""
        try:
            stat = self._pointer.stat()
        except FileNotFoundError:
            return None
        return stat.st_ino, stat.st_mtime_ns
