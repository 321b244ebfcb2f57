"""How far a job is, for its own terminal and for `ragvoice status` in another one."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import time
from pathlib import Path
from typing import Any

from ingest.journal import WORK_FOLDER
from ingest.sync import Report
from ragvoice.files import write_whole

_FILE = "job.json"
_EVERY_S = 1.0
_SILENT_S = 3600.0
"""On another machine: a job that has said nothing for so long is taken for gone."""


class JobState:
    """A context manager; the file goes with the work folder, or when the job ends by an exception."""

    def __init__(self, index: Path, report: Report):
        self._file = index / WORK_FOLDER / _FILE
        self._report = report
        self._written = 0.0
        self._stages: dict[str, tuple[int, int]] = {}
        self._started = time.time()

    def __enter__(self) -> JobState:
        self._file.parent.mkdir(exist_ok=True)
        self._write()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._file.unlink(missing_ok=True)

    def report(self, stage: str, done: int, total: int) -> None:
        self._stages[stage] = (done, total)
        self._report(stage, done, total)
        if time.monotonic() - self._written >= _EVERY_S:
            self._write()

    def embedded(self, done: int, total: int) -> None:
        self.report("embed", done, total)

    def _write(self) -> None:
        self._written = time.monotonic()
        state = {
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "started": self._started,
            "stages": self._stages.copy(),
        }
        with contextlib.suppress(OSError):  # a job must not fail for want of an onlooker
            write_whole(self._file, json.dumps(state), durable=False)


def running_job(index: Path) -> dict[str, Any] | None:
    """`pid`, `host`, `started` (seconds since the epoch) and `stages` (name -> [done, total]) of the job that writes.

    None when there is none. The lock is not tried for that: trying it could turn a writer away.
    """
    file = index / WORK_FOLDER / _FILE
    try:
        found = json.loads(file.read_text())
        age_s = time.time() - file.stat().st_mtime
        pid, host = int(found["pid"]), found["host"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    alive = is_alive(pid) if host == socket.gethostname() else age_s < _SILENT_S
    return found if alive else None


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
