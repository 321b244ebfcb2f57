from __future__ import annotations

from pathlib import Path

import pytest

from ragvoice.commands import progress as command_progress
from ragvoice.jobs.progress import PROGRESS_FILE, Stage, StageFile, read_stages


def test_a_command_that_is_a_job_says_how_far_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "progress.json"
    monkeypatch.setenv(PROGRESS_FILE, str(file))

    with command_progress.stage_bars() as report:
        report("read", 3, 3)
        report("embed", 8, 8)

    assert read_stages(file) == (Stage("read", 3, 3), Stage("embed", 8, 8))


def test_a_command_that_nobody_watches_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(PROGRESS_FILE, raising=False)

    assert StageFile.of_environment() is None


def test_between_two_looks_the_file_is_not_written_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ragvoice.jobs import progress

    now = 10.0
    monkeypatch.setattr(progress.time, "monotonic", lambda: now)
    file = StageFile(tmp_path / "progress.json")

    file.report("read", 1, 9)
    file.report("read", 2, 9)
    assert read_stages(tmp_path / "progress.json") == (Stage("read", 1, 9),)
    now = 11.0
    file.report("read", 3, 9)

    assert read_stages(tmp_path / "progress.json") == (Stage("read", 3, 9),)


@pytest.mark.parametrize("text", ["", "{", "3", '[["read"]]'])
def test_a_file_that_says_nothing_is_no_progress(tmp_path: Path, text: str) -> None:
    (tmp_path / "progress.json").write_text(text)

    assert read_stages(tmp_path / "progress.json") == ()
    assert read_stages(tmp_path / "nowhere.json") == ()


def test_a_full_disk_stops_no_command(tmp_path: Path) -> None:
    StageFile(tmp_path / "no" / "folder.json").report("read", 1, 1)


def test_a_stage_in_words_and_as_a_share() -> None:
    assert (str(Stage("read", 2, 8)), Stage("read", 2, 8).fraction) == ("read: 2 of 8", 0.25)
    assert (str(Stage("read", 2, 0)), Stage("read", 2, 0).fraction) == ("read: 2", None)
    assert Stage("read", 9, 8).fraction == 1.0
