"""What a run writes down: speed without the evaluations, time left with them, a plot."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PIL import Image

from finetune.run_folder import read_lines
from finetune.training import callbacks
from finetune.training.callbacks import Recorder, Step, plot, read_metrics


def test_speed_and_time_left_by_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SimpleNamespace(now=100.0)
    monkeypatch.setattr(callbacks.time, "monotonic", lambda: clock.now)
    shown: list[Step] = []
    recorder = Recorder(tmp_path, step_tokens=500, keep_checkpoints=1, progress=shown.append)
    arguments = SimpleNamespace(eval_steps=10)
    state = SimpleNamespace(is_world_process_zero=True, global_step=0, max_steps=25)

    def log(step: int, now: float, **logs: Any) -> Step:
        state.global_step, clock.now = step, now
        recorder.on_log(arguments, state, None, logs)
        return shown[-1]

    recorder.on_train_begin(arguments, state, None)
    start = log(0, 160.0, eval_loss=2.0, evaluation_s=60.0)
    assert (start.tokens_per_s, start.left_s) == (0, 0)  # nothing is known yet
    # 5 steps in 10 seconds; 20 more take 40, the looks at the steps 10, 20 and 25 a minute each
    fifth = log(5, 170.0, loss=1.0)
    assert (fifth.tokens_per_s, fifth.left_s) == (250, 40 + 3 * 60)
    # the second look took 30 seconds, so that the mean is 45
    tenth = log(10, 210.0, eval_loss=1.0, evaluation_s=30.0)
    assert (tenth.tokens_per_s, tenth.left_s) == (250, 30 + 2 * 45)
    assert log(25, 330.0, loss=0.5).left_s == 0 + 45  # the last look is still to come
    log(25, 331.0, train_loss=0.7, train_runtime=1.0)  # a summary that transformers writes at the end
    assert [row["step"] for row in read_metrics(tmp_path)] == [0, 5, 10, 25]


def test_a_resumed_run_measures_its_own_steps_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(callbacks.time, "monotonic", lambda: clock.now)
    shown: list[Step] = []
    recorder = Recorder(tmp_path, step_tokens=100, keep_checkpoints=1, progress=shown.append)
    state = SimpleNamespace(is_world_process_zero=True, global_step=50, max_steps=60)
    recorder.on_train_begin(None, state, None)
    state.global_step, clock.now = 55, 10.0
    recorder.on_log(None, state, None, {"loss": 1.0})
    assert (shown[0].tokens_per_s, shown[0].left_s) == (50, 10)


def test_half_a_line_of_a_full_disk_is_cut_off(tmp_path: Path) -> None:
    (tmp_path / "metrics.jsonl").write_text('{"step": 5, "loss": 2.0}\n{"step": 10, "lo')
    recorder = Recorder(tmp_path, 1, 1, lambda step: None)
    state = SimpleNamespace(is_world_process_zero=True, global_step=5, max_steps=10)
    recorder.on_train_begin(None, state, None)
    state.global_step = 10
    recorder.on_log(None, state, None, {"loss": 1.0})
    assert [row["loss"] for row in read_lines(tmp_path / "metrics.jsonl")] == [2.0, 1.0]


def test_only_the_first_process_writes(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, 1, 1, lambda step: pytest.fail("shown"))
    recorder.on_log(None, SimpleNamespace(is_world_process_zero=False), None, {"loss": 1.0})
    assert list(tmp_path.iterdir()) == []


def test_lines_written_twice_or_cut_off_by_a_kill(tmp_path: Path) -> None:
    rows = [
        {"step": 5, "loss": 2.0}, {"step": 5, "eval_loss": 3.0}, {"step": 10, "loss": 1.0}, {"step": 5, "loss": 1.5},
    ]  # fmt: skip
    (tmp_path / "metrics.jsonl").write_text("\n".join(map(json.dumps, rows)) + '\n{"step": 10, "lo')
    assert read_metrics(tmp_path) == [
        {"step": 5, "loss": 1.5},
        {"step": 5, "eval_loss": 3.0},
        {"step": 10, "loss": 1.0},
    ]


def test_the_plot_is_a_picture_with_what_there_is(tmp_path: Path) -> None:
    plot(tmp_path)
    (tmp_path / "metrics.jsonl").write_text(
        '{"step": 5, "loss": 2.0}\n{"step": 5, "eval_loss": 3.0, "eval_exact": 0.5, "eval_balanced": 0.5}\n'
    )
    empty = (tmp_path / "loss.png").read_bytes()
    plot(tmp_path)
    with Image.open(tmp_path / "loss.png") as picture:
        assert picture.size == (1210, 495)
    running = (tmp_path / "loss.png").read_bytes()
    assert running != empty
    plot(tmp_path, kept=5)
    assert (tmp_path / "loss.png").read_bytes() != running  # it shows which step was taken
