"""The answering with the adapter in service, for processes that answer while another one promotes adapters."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path

from ragvoice.generation.answering import Answering

_log = logging.getLogger(__name__)


class LiveAnswering:
    """Builds a new one when the pointer was replaced; a turn that has begun keeps the one it has. For any thread.

    The turn that sees the new pointer first waits until it is built; others go on with the old one meanwhile.
    """

    def __init__(self, pointer: Path, build: Callable[[Answering | None], Answering]):
        """
        :param pointer: File that is replaced when another adapter is promoted.
        :param build: Makes the answering for the pointer of now, out of the one in use (None at first).
        """
        self._pointer = pointer
        self._build = build
        self._lock = threading.Lock()
        self._seen = self._mark()
        self._built = build(None)

    def current(self) -> Answering:
        """Never fails: with an adapter that cannot be loaded, the one before stays, and the log says why."""
        mark = self._mark()
        if mark != self._seen and self._lock.acquire(blocking=False):
            try:
                if mark != self._seen:
                    self._seen = mark  # taken before it is read: a still newer one is seen by the next turn
                    self._built = self._build(self._built)
            except Exception as error:  # whatever it is: there is an answering that works
                _log.error("The adapter promoted just now is not used, the one before stays: %s", error)
            finally:
                self._lock.release()
        return self._built

    def _mark(self) -> tuple[int, int] | None:
        """Changes with every promotion, which replaces the file; None where nothing is promoted."""
        try:
            stat = self._pointer.stat()
        except FileNotFoundError:
            return None
        return stat.st_ino, stat.st_mtime_ns
