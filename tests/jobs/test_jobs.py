"""Jobs with tiny child processes; a test waits for what a job does, never for a time to pass."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest

from ragvoice.errors import AccessError, UsageError
from ragvoice.jobs.job import Job, is_running
from ragvoice.jobs.jobs import Jobs
from ragvoice.jobs.work import Place
from ragvoice.people.person import Person, Right

OWNER = Person("Ada", "owner")
ADMIN = Person("Ben", "admin")
ASKER = Person("Cy")

SLEEPS = "import time; print('asleep', flush=True); time.sleep(60)"


@dataclass(frozen=True)
class Script:
    """Work that is a Python program."""

    code: str
    what: str | None = None
    right: ClassVar[Right] = "documents"
    kind: ClassVar[str] = "script"
    private: ClassVar[bool] = False
    title: ClassVar[str] = "A script"

    def alone(self, place: Place) -> str | None:
        return self.what

    def arguments(self, place: Place) -> list[str]:
        return ["-c", self.code]


@dataclass(frozen=True)
class AdminScript(Script):
    right: ClassVar[Right] = "settings"
    kind: ClassVar[str] = "admin script"


@dataclass(frozen=True)
class PrivateScript(Script):
    private: ClassVar[bool] = True


@pytest.fixture
def jobs(tmp_path: Path) -> Jobs:
    return jobs_of(tmp_path)


def jobs_of(folder: Path, keep: int = 40) -> Jobs:
    return Jobs(folder / "jobs", folder / "index", folder / "reports", command=(sys.executable,), keep=keep)


def awaited(look: Callable[[], Job], until: Callable[[Job], bool]) -> Job:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        job = look()
        if until(job):
            return job
        time.sleep(0.02)
    raise AssertionError(f"Still {job}")


def ended(jobs: Jobs, id_: str) -> Job:
    return awaited(lambda: jobs.get(ADMIN, id_), lambda job: job.state != "running")


def test_a_job_that_succeeds_is_done_with_its_output(jobs: Jobs) -> None:
    started = jobs.start(OWNER, Script("import sys; print('result'); print('said', file=sys.stderr)"))

    job = ended(jobs, started.id)

    assert (job.state, job.exit_code, job.person, job.line) == ("done", 0, "Ada", "done")
    assert job.ended is not None
    assert job.ended >= job.created
    assert jobs.output(OWNER, job.id) == "result\n"
    assert jobs.log(OWNER, job.id) == "result\nsaid"


def test_a_job_that_fails_says_why_in_the_words_of_its_command(jobs: Jobs) -> None:
    code = "import sys; print('first', file=sys.stderr); print('ragvoice: The disk is full.', file=sys.stderr); exit(1)"

    job = ended(jobs, jobs.start(OWNER, Script(code)).id)

    assert (job.state, job.exit_code, job.line) == ("failed", 1, "The disk is full.")


def test_a_running_job_tells_how_far_it_is(jobs: Jobs) -> None:
    code = (
        "import time; from ragvoice.jobs.progress import StageFile; file = StageFile.of_environment();"
        "file.report('read', 4, 4); file.report('embed', 10, 40); file.report('read', 4, 4); time.sleep(60)"
    )
    id_ = jobs.start(OWNER, Script(code)).id

    job = awaited(lambda: jobs.get(OWNER, id_), lambda job: len(job.stages) == 2)

    assert job.state == "running"
    assert job.fraction == 0.25
    assert job.line == "read: 4 of 4, embed: 10 of 40"
    jobs.cancel(OWNER, id_, grace_s=0)
    ended(jobs, id_)


def test_cancelling_is_ctrl_c(jobs: Jobs) -> None:
    code = f"try:\n    {SLEEPS}\nexcept KeyboardInterrupt:\n    print('tidied up', flush=True); raise SystemExit(130)"
    id_ = jobs.start(OWNER, Script(code)).id
    awaited(lambda: jobs.get(OWNER, id_), lambda job: "asleep" in jobs.output(OWNER, id_))

    jobs.cancel(OWNER, id_, grace_s=60)
    job = ended(jobs, id_)

    assert (job.state, job.exit_code, job.line) == ("cancelled", 130, "cancelled")
    assert "tidied up" in jobs.output(OWNER, id_)


def test_a_job_that_is_cancelled_again_is_left_to_tidy_up(jobs: Jobs, tmp_path: Path) -> None:
    tidied = tmp_path / "tidied"
    tidies = f"print('tidies up', flush=True)\n    while not Path({str(tidied)!r}).exists(): time.sleep(0.01)"
    code = f"from pathlib import Path\ntry:\n    {SLEEPS}\nexcept KeyboardInterrupt:\n    {tidies}\n    print('did')"
    id_ = jobs.start(OWNER, Script(code)).id
    awaited(lambda: jobs.get(OWNER, id_), lambda job: "asleep" in jobs.output(OWNER, id_))
    jobs.cancel(OWNER, id_, grace_s=60)
    awaited(lambda: jobs.get(OWNER, id_), lambda job: "tidies up" in jobs.output(OWNER, id_))

    jobs.cancel(OWNER, id_, grace_s=60)
    tidied.touch()
    ended(jobs, id_)

    assert jobs.output(OWNER, id_).endswith("did\n")


def test_a_job_that_is_cancelled_before_its_command_starts_does_not_start_it(
    jobs: Jobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    launch = subprocess.Popen

    def cancel_first(command: list[str], **options: Any) -> subprocess.Popen[bytes]:
        jobs.cancel(OWNER, Path(command[-2]).name, grace_s=60)
        return launch(command, **options)

    monkeypatch.setattr("ragvoice.jobs.jobs.subprocess.Popen", cancel_first)

    job = ended(jobs, jobs.start(OWNER, Script(f"open({str(tmp_path / 'ran')!r}, 'w')")).id)

    assert job.state == "cancelled"
    assert not (tmp_path / "ran").exists()


def test_what_does_not_stop_is_killed(jobs: Jobs) -> None:
    code = f"import signal; signal.signal(signal.SIGINT, signal.SIG_IGN); {SLEEPS}"
    id_ = jobs.start(OWNER, Script(code)).id
    awaited(lambda: jobs.get(OWNER, id_), lambda job: "asleep" in jobs.output(OWNER, id_))

    jobs.cancel(OWNER, id_, grace_s=0.1)

    assert ended(jobs, id_).state == "cancelled"


def test_another_process_sees_the_job_and_can_cancel_it(tmp_path: Path) -> None:
    id_ = jobs_of(tmp_path).start(OWNER, Script(SLEEPS)).id

    later = jobs_of(tmp_path)

    assert [job.id for job in later.list(OWNER)] == [id_]
    assert later.get(OWNER, id_).state == "running"
    later.cancel(OWNER, id_, grace_s=5)
    assert ended(later, id_).state == "cancelled"


def test_a_job_whose_processes_are_gone_has_failed(jobs: Jobs, tmp_path: Path) -> None:
    id_ = jobs.start(OWNER, Script(SLEEPS)).id
    folder = tmp_path / "jobs" / id_
    awaited(lambda: jobs.get(OWNER, id_), lambda job: "asleep" in jobs.output(OWNER, id_))

    os.killpg(int((folder / "pid").read_text()), signal.SIGKILL)
    job = ended(jobs, id_)

    assert not is_running(folder)
    assert (job.state, job.line, job.exit_code) == ("failed", "ended unexpectedly", None)


def test_the_same_work_is_not_done_twice_at_once(jobs: Jobs) -> None:
    first = jobs.start(OWNER, Script(SLEEPS, what="the index i"))
    with pytest.raises(UsageError, match="is running for the index i"):
        jobs.start(OWNER, Script("pass", what="the index i"))
    other = jobs.start(OWNER, Script("pass", what="the index j"))
    assert ended(jobs, other.id).state == "done"
    jobs.cancel(OWNER, first.id, grace_s=0.1)
    ended(jobs, first.id)

    again = jobs.start(OWNER, Script("pass", what="the index i"))

    assert ended(jobs, again.id).state == "done"


def test_nobody_starts_sees_or_cancels_what_takes_a_right_that_they_lack(jobs: Jobs) -> None:
    with pytest.raises(AccessError):
        jobs.start(ASKER, Script("pass"))
    with pytest.raises(AccessError):
        jobs.start(OWNER, AdminScript("pass"))
    id_ = jobs.start(ADMIN, AdminScript("print('secret')")).id
    ended(jobs, id_)

    assert jobs.list(OWNER) == []
    assert [job.id for job in jobs.list(ADMIN)] == [id_]
    for forbidden in (jobs.get, jobs.log, jobs.output, jobs.cancel):
        with pytest.raises(AccessError):
            forbidden(OWNER, id_)


def test_a_private_job_is_there_only_for_who_started_it(jobs: Jobs) -> None:
    id_ = jobs.start(OWNER, PrivateScript("pass")).id
    assert [job.id for job in jobs.list(OWNER)] == [id_]

    assert jobs.list(ADMIN) == []
    with pytest.raises(UsageError, match="There is no job"):
        jobs.output(ADMIN, id_)
    awaited(lambda: jobs.get(OWNER, id_), lambda job: job.state != "running")


def test_the_list_is_newest_first_and_can_be_of_one_kind(jobs: Jobs) -> None:
    first, *others = [jobs.start(ADMIN, Script("pass")) for _ in range(4)]  # most of them in one second
    last = jobs.start(ADMIN, AdminScript("pass"))

    newest = [last, *reversed(others), first]
    assert [job.id for job in jobs.list(ADMIN)] == [job.id for job in newest]
    assert [job.id for job in jobs.list(ADMIN, "script")] == [job.id for job in newest[1:]]
    for job in newest:
        ended(jobs, job.id)


def test_old_finished_jobs_are_pruned_but_no_running_one(tmp_path: Path) -> None:
    jobs = jobs_of(tmp_path, keep=1)
    running = jobs.start(OWNER, Script(SLEEPS))
    done = [ended(jobs, jobs.start(OWNER, Script("pass")).id) for _ in range(3)]

    last = jobs.start(OWNER, Script("pass"))

    kept = {job.id for job in jobs.list(OWNER)}
    assert {running.id, last.id} < kept
    assert len(kept & {job.id for job in done}) == 1
    jobs.cancel(OWNER, running.id, grace_s=0.1)
    for job in (running, last):
        ended(jobs, job.id)


def test_a_command_that_is_not_there_fails_in_words(tmp_path: Path) -> None:
    jobs = Jobs(tmp_path / "jobs", tmp_path / "i", tmp_path / "r", command=(str(tmp_path / "nothing"),))

    job = ended(jobs, jobs.start(OWNER, Script("pass")).id)

    assert job.state == "failed"
    assert "No such file" in job.line


@pytest.mark.parametrize("id_", ["../secret", "", "20260101-000000-abcdef"])
def test_an_id_is_never_a_path(jobs: Jobs, id_: str) -> None:
    with pytest.raises(UsageError, match="There is no job"):
        jobs.get(OWNER, id_)


def test_what_runs_is_written_down_without_a_shell(jobs: Jobs, tmp_path: Path) -> None:
    job = ended(jobs, jobs.start(OWNER, Script("import sys; print(sys.argv)")).id)

    command = json.loads((tmp_path / "jobs" / job.id / "job.json").read_text())["command"]

    assert command == [sys.executable, "-c", "import sys; print(sys.argv)"]
