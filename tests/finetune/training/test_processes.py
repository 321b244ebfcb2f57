"""The launcher: what a process says is said once, by the launching one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from finetune.training.processes import errors_told, launch
from ragvoice.errors import TrainingError, UsageError

TELL = """
import os, sys
from finetune.training.processes import errors_told
from ragvoice.errors import TrainingError, UsageError
with errors_told():
    {what}
"""


def _launch(what: str) -> None:
    launch(["-c", TELL.format(what=what)], 2)


def test_processes_that_end_well(tmp_path: Path) -> None:
    _launch(f"open({str(tmp_path)!r} + '/' + os.environ['RANK'], 'w').write(os.environ['WORLD_SIZE'])")
    assert {file.name: file.read_text() for file in tmp_path.iterdir()} == {"0": "2", "1": "2"}


def test_the_words_of_the_process_that_failed(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(TrainingError, match=r"^The loss is nan\.$"):
        _launch("raise TrainingError('The loss is nan.')")
    with pytest.raises(UsageError, match=r"^No data\.$"):
        _launch("raise UsageError('No data.')")
    assert capfd.readouterr().err == ""


def test_a_process_that_the_system_killed_ran_out_of_memory() -> None:
    with pytest.raises(TrainingError, match=r"as the system does when memory runs out.*Lower row_tokens"):
        _launch("os.kill(os.getpid(), 9 if os.environ['RANK'] == '1' else 0)")


def test_a_process_that_was_ended_otherwise() -> None:
    with pytest.raises(TrainingError, match="ended by the signal SIGSEGV"):
        _launch("os.kill(os.getpid(), 11)")


def test_an_error_of_our_own_code_shows_where_it_was(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(TrainingError, match="ended with the error above"):
        _launch("1 / 0 if os.environ['RANK'] == '0' else None")
    said = capfd.readouterr().err
    assert said.count("ZeroDivisionError") == 1
    assert "ChildFailedError" not in said


def test_outside_a_launched_process_errors_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TORCHELASTIC_ERROR_FILE", raising=False)
    with pytest.raises(TrainingError, match="nan"), errors_told():
        raise TrainingError("nan")
    with pytest.raises(KeyboardInterrupt), errors_told():
        raise KeyboardInterrupt


def test_a_launched_process_says_nothing_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "error.json"
    monkeypatch.setenv("TORCHELASTIC_ERROR_FILE", str(file))
    with pytest.raises(SystemExit) as ended, errors_told():
        raise UsageError("No data.")
    assert ended.value.code == 2
    assert json.loads(file.read_text())["message"] == "No data."
    with pytest.raises(SystemExit), errors_told():
        raise KeyboardInterrupt
