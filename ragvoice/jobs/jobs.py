"""The jobs of one RAGVOICE_HOME: start, list, look at, cancel; in the name of a person."""

from __future__ import annotations

import builtins
import contextlib
import fcntl
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock

from ragvoice.errors import UsageError
from ragvoice.files import write_json
from ragvoice.jobs.job import Job, is_running, log_tail, read_job
from ragvoice.jobs.progress import PROGRESS_FILE
from ragvoice.jobs.work import Place, Work
from ragvoice.people.person import Person
from ragvoice.retrieval.generations import ingested_folders

_ID = re.compile(r"\d{8}-\d{6}-[0-9a-f]{6}")
_COLUMNS = "120"
"""Width of the tables in a log."""


class Jobs:
    """Safe for several threads and processes; a job goes on when the process that started it ends.

    Every call takes the right that the job's kind takes: who may not start it does not see it either.
    """

    def __init__(
        self,
        folder: Path,
        index: Path,
        reports: Path,
        command: Sequence[str] = (sys.executable, "-m", "ragvoice"),
        keep: int = 40,
        home: Path | None = None,
        folders: Sequence[Path] = (),
        datasets: Sequence[Path] = (),
    ):
        """
        :param folder: Of the jobs, RAGVOICE_HOME/jobs.
        :param index: That ingests write to.
        :param reports: Folder of the evaluation reports.
        :param command: Put before the arguments of a job.
        :param keep: Finished jobs that are kept, the newest.
        :param home: RAGVOICE_HOME, of which ingests read the uploads only.
        :param folders: That an owner's ingests may name; see `folders`.
        :param datasets: That an owner's evaluations may name; see `datasets`.
        """
        self._folder = folder.expanduser().resolve()
        self._index = index
        self._reports = reports
        self._command = tuple(command)
        self._keep = keep
        self._home = home
        self._folders = tuple(folders)
        self._datasets = tuple(datasets)

    def start(self, person: Person, work: Work) -> Job:
        """:raises AccessError: when the person may not, or not with the folders that the work names.
        :raises UsageError: when the same is being done already, or the work cannot be.
        """
        person.require(work.right)
        self._folder.mkdir(parents=True, exist_ok=True)
        self._reports.mkdir(parents=True, exist_ok=True)
        with FileLock(self._folder / ".lock"):
            self._prune()
            created = time.time()
            id_ = f"{datetime.fromtimestamp(created, UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"
            place = Place(
                self._index,
                self._reports,
                id_,
                person.groups,
                self._home,
                self.folders(person),
                self.datasets(person),
            )
            arguments, alone = work.arguments(place), work.alone(place)
            self._refuse_second(alone)
            made = {
                "kind": work.kind,
                "title": work.title,
                "right": work.right,
                "private": work.private,
                "person": person.name,
                "created": created,
                "alone": alone,
                "command": [*self._command, *arguments],
            }
            self._launch(self._folder / id_, made)
        return self.get(person, id_)

    def folders(self, person: Person) -> tuple[Path, ...] | None:
        """What this person's ingests may name, with what lies below, besides the uploads; None: any folder.

        Who may change the settings may name any; to others what the index was made from is open, too.
        """
        return None if person.may("settings") else _resolved(*self._folders, *ingested_folders(self._index))

    def datasets(self, person: Person) -> tuple[Path, ...] | None:
        """What this person's evaluations may name, with what lies below; None, for who may change the settings: any."""
        return None if person.may("settings") else _resolved(*self._datasets)

    def list(self, person: Person, *kinds: str) -> builtins.list[Job]:
        """Those that the person may see, newest first.

        :param kinds: Of these kinds only; none named: all.
        """
        found = (job for job in self._all() if _may_see(person, job) and (not kinds or job.kind in kinds))
        return sorted(found, key=lambda job: job.created, reverse=True)

    def get(self, person: Person, id_: str) -> Job:
        """:raises UsageError: when there is no such job.
        :raises AccessError: when the person may not see it.
        """
        job = read_job(self._of(id_))
        person.require(job.right)
        if not _may_see(person, job):
            raise UsageError(f"There is no job {id_!r}.")
        return job

    def log(self, person: Person, id_: str, lines: int = 40) -> str:
        """The last lines; raises as `get`."""
        return log_tail(self._of(self.get(person, id_).id), lines)

    def output(self, person: Person, id_: str) -> str:
        """What the command wrote as its result; raises as `get`."""
        file = self._of(self.get(person, id_).id) / "output.txt"
        return file.read_text(encoding="utf-8", errors="replace") if file.is_file() else ""

    def cancel(self, person: Person, id_: str, grace_s: float = 10.0) -> Job:
        """As one Ctrl-C; what has not ended after `grace_s` seconds is killed. Returns at once, raises as `get`."""
        job = self.get(person, id_)
        folder = self._of(job.id)
        if job.state != "running":
            return job
        if not (folder / "cancelled").exists():  # a second Ctrl-C would end what the command does after the first
            (folder / "cancelled").touch()
            _signal(folder, signal.SIGINT)
        threading.Thread(target=_kill_after, args=(folder, grace_s), daemon=True).start()
        return self.get(person, id_)

    def _of(self, id_: str) -> Path:
        if not _ID.fullmatch(id_):
            raise UsageError(f"There is no job {id_!r}.")
        return self._folder / id_

    def _all(self) -> builtins.list[Job]:
        if not self._folder.is_dir():
            return []
        jobs = []
        for folder in self._folder.iterdir():
            with contextlib.suppress(UsageError):  # being written, or being pruned
                jobs.append(read_job(folder))
        return jobs

    def _refuse_second(self, alone: str | None) -> None:
        for job in self._all() if alone else ():
            if job.alone == alone and job.state == "running":
                raise UsageError(f"{job.title} is running for {alone}. Wait until it has ended, or cancel it.")

    def _launch(self, folder: Path, made: dict[str, object]) -> None:
        folder.mkdir(mode=0o700)
        with (folder / "running").open("wb") as running:
            # The child inherits the lock, so there is no moment at which the job seems to be gone.
            fcntl.flock(running, fcntl.LOCK_EX)
            write_json(folder / "job.json", made)
            process = subprocess.Popen(
                [sys.executable, "-m", "ragvoice.jobs.supervisor", str(folder), str(running.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={**os.environ, PROGRESS_FILE: str(folder / "progress.json"), "COLUMNS": _COLUMNS},
                pass_fds=(running.fileno(),),
                start_new_session=True,
            )
            (folder / "pid").write_text(str(process.pid))
        threading.Thread(target=process.wait, daemon=True).start()  # leaves no zombie

    def _prune(self) -> None:
        finished = sorted((job for job in self._all() if job.state != "running"), key=lambda job: job.created)
        for job in finished[: -self._keep]:
            shutil.rmtree(self._folder / job.id, ignore_errors=True)


def _resolved(*folders: Path) -> tuple[Path, ...]:
    return tuple(sorted({folder.expanduser().resolve() for folder in folders}))


def _may_see(person: Person, job: Job) -> bool:
    return person.may(job.right) and (not job.private or job.person == person.name)


def _signal(folder: Path, number: signal.Signals) -> None:
    with contextlib.suppress(OSError, ValueError):  # it has just ended
        os.killpg(int((folder / "pid").read_text()), number)


def _kill_after(folder: Path, grace_s: float) -> None:
    until = time.monotonic() + grace_s
    while time.monotonic() < until:
        if not is_running(folder):
            return
        time.sleep(0.05)
    if is_running(folder):
        _signal(folder, signal.SIGKILL)
