"""One job, as its folder tells of it.

job.json        kind, title, right, person, private, created, alone, command; written before it starts
running         locked for as long as the job's processes live, so the kernel says whether it runs
pid             of its process group
progress.json   stages, from the command itself
log.txt         what the command says; output.txt: its result
cancelled       there once somebody has cancelled it
end.json        exit code and time
"""

from __future__ import annotations

import fcntl
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

from ragvoice.errors import UsageError
from ragvoice.jobs.progress import Stage, read_stages
from ragvoice.people.person import Right

State = Literal["running", "done", "failed", "cancelled"]
_TAIL_BYTES = 16_384


@dataclass(frozen=True)
class Job:
    id: str
    kind: str
    title: str
    person: str
    """Who started it."""
    right: Right
    """What it takes to see and to cancel it."""
    private: bool
    """Only who started it may see it."""
    created: float
    """Seconds since the epoch, as `ended`."""
    state: State
    alone: str | None = None
    stages: tuple[Stage, ...] = ()
    """Of the command, in the order in which they began."""
    line: str = ""
    """How far it is, or how it ended, in words."""
    exit_code: int | None = None
    """None while it runs, and when it ended unexpectedly."""
    ended: float | None = None

    @property
    def fraction(self) -> float | None:
        """Of the latest stage; None when it is not known."""
        return next((stage.fraction for stage in reversed(self.stages)), None)


def read_job(folder: Path) -> Job:
    """:raises UsageError: when the folder holds no job."""
    try:
        made = json.loads((folder / "job.json").read_text(encoding="utf-8"))
        fields = {name: made[name] for name in ("kind", "title", "person", "right", "private", "created", "alone")}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"There is no job {folder.name!r}.") from error
    running = is_running(folder)  # looked at first: a job that ends meanwhile has written its end
    end = _read_end(folder)
    cancelled = (folder / "cancelled").exists()
    stages = read_stages(folder / "progress.json")
    state, line = _state(running and end is None, end, cancelled, stages, log_tail(folder, lines=1))
    return Job(
        id=folder.name,
        **fields,
        state=state,
        stages=stages,
        line=line,
        exit_code=end["exit_code"] if end else None,
        ended=end["ended"] if end else None if state == "running" else _last_sign_of_life(folder),
    )


def is_running(folder: Path) -> bool:
    """Whether a process of the job lives; a shared lock is tried, so two who look do not see each other."""
    try:
        descriptor = os.open(folder / "running", os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def log_tail(folder: Path, lines: int = 40) -> str:
    """The last lines of what the command said, and then of its result."""
    said = [line for name in ("output.txt", "log.txt") for line in _tail(folder / name).splitlines() if line.strip()]
    return "\n".join(said[-lines:])


def _state(
    running: bool, end: dict[str, Any] | None, cancelled: bool, stages: tuple[Stage, ...], last_line: str
) -> tuple[State, str]:
    if running:
        return "running", "stopping" if cancelled else ", ".join(map(str, stages[-2:])) or "starting"
    if end is None:
        return ("cancelled", "cancelled") if cancelled else ("failed", "ended unexpectedly")
    if end["exit_code"] == 0:
        return "done", "done"
    if cancelled:
        return "cancelled", "cancelled"
    return "failed", last_line.removeprefix("ragvoice: ") or f"ended with the exit code {end['exit_code']}"


def _read_end(folder: Path) -> dict[str, Any] | None:
    try:
        return cast(dict[str, Any], json.loads((folder / "end.json").read_text()))
    except (OSError, ValueError):
        return None


def _last_sign_of_life(folder: Path) -> float:
    return max(file.stat().st_mtime for file in folder.iterdir())


def _tail(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            opened.seek(max(0, file.stat().st_size - _TAIL_BYTES))
            return opened.read().decode("utf-8", errors="replace")
    except OSError:
        return ""
