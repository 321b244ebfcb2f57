"""`ragvoice finetune train` as a user starts, stops, kills and resumes it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from training_runs import make_run

from finetune.run import read_run
from finetune.run_folder import RunFolder
from finetune.training.callbacks import read_metrics
from ragvoice.cli import main

RUN = """
base = "{base}"
[training]
rank = 4
alpha = 8
dropout = {dropout}
precision = "fp32"
pretrain = true
max_steps = {steps}
learning_rate = {rate}
warmup = 0
row_tokens = 64
fill_tokens = 0
rows_per_step = {rows}
evaluate_every = 4
keep_checkpoints = 50
patience = 50
"""


def _write(file: Path, base: Path, steps: int = 16, rows: int = 1, rate: float = 0.01, dropout: float = 0) -> Path:
    """The run file, and the run's folder with its data."""
    file.write_text(RUN.format(base=base, steps=steps, rows=rows, rate=rate, dropout=dropout))
    return make_run(Path(os.environ["RAGVOICE_HOME"]) / "finetune" / file.stem)


def _begin(*arguments: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[3])}
    return subprocess.Popen(
        [sys.executable, "-m", "finetune", "train", *arguments], env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def _done(*arguments: str) -> tuple[int, str, str]:
    process = _begin(*arguments)
    out, err = process.communicate(timeout=500)
    return process.returncode, out, err


def _wait_for(file: Path, process: subprocess.Popen[str]) -> None:
    until = time.monotonic() + 500
    while not file.exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until
        time.sleep(0.02)


def _assert_equal_runs(one: Path, other: Path, tolerance: float) -> None:
    losses = [
        {row["step"]: row["eval_loss"] for row in read_metrics(run) if "eval_loss" in row} for run in (one, other)
    ]
    assert losses[0] == pytest.approx(losses[1], abs=tolerance)
    weights = [load_file(run / "adapter" / "adapter_model.safetensors") for run in (one, other)]
    for name, values in weights[0].items():
        torch.testing.assert_close(weights[1][name], values, atol=10 * tolerance, rtol=0)


@pytest.mark.slow
def test_killed_and_resumed_it_comes_to_the_same_end(clean_environment: Path, base: Path) -> None:
    whole = _write(clean_environment / "whole.toml", base, dropout=0.1)
    code, out, err = _done("whole.toml")
    assert code == 0, err
    assert "Next: ragvoice finetune calibrate whole" in out
    assert "Loading weights" not in err
    assert "kernels" not in err
    killed = _write(clean_environment / "killed.toml", base, dropout=0.1)
    process = _begin("killed.toml")
    _wait_for(killed / "checkpoints" / "checkpoint-8" / "complete", process)
    process.kill()
    process.communicate()
    assert _done("killed.toml", "--resume")[0] == 0
    _assert_equal_runs(whole, killed, 0)


@pytest.mark.slow
def test_two_processes_are_one_with_twice_the_rows_and_ctrl_c_ends_both(clean_environment: Path, base: Path) -> None:
    one = _write(clean_environment / "one.toml", base, rows=2)
    assert _done("one.toml")[0] == 0
    two = _write(clean_environment / "two.toml", base, rows=1)
    process = _begin("two.toml", "--processes", "2")
    _wait_for(two / "checkpoints" / "checkpoint-8" / "complete", process)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=100)
    assert process.returncode == 130
    assert "It goes on with: ragvoice finetune train two.toml --resume" in said
    assert "Traceback" not in said
    assert said.count("ragvoice: ") == 1
    code, out, err = _done("two.toml", "--processes", "2", "--resume")
    assert code == 0, err
    assert out.count("Kept is step") == 1
    _assert_equal_runs(one, two, 1e-4)


@pytest.mark.slow
def test_a_process_that_fails_says_why_in_one_line(clean_environment: Path, base: Path) -> None:
    folder = _write(clean_environment / "high.toml", base, rate=1e30, steps=40)
    code, _, err = _done("high.toml", "--processes", "2")
    assert code == 1
    assert err.splitlines()[-1].startswith("ragvoice: The loss is ")
    assert err.count("The loss is ") == 1
    assert "Traceback" not in err
    (folder / "data" / "train.jsonl").write_text("")
    code, _, err = _done("high.toml", "--processes", "2", "--fresh")
    assert (code, err.count("has no example")) == (2, 1)


def test_what_a_run_began_from_must_not_change(
    clean_environment: Path, base: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = _write(clean_environment / "run.toml", base)
    (folder / "provenance.json").write_text(json.dumps({"run": "run", "base": str(base), "data": "other"}))
    assert main(["finetune", "train", "run.toml", "--resume"]) == 2
    assert "began with other things than there are now: data. Begin anew with --fresh" in capsys.readouterr().err


def test_a_run_that_stops_early_says_when_why_and_what_it_kept(
    clean_environment: Path, base: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _write(clean_environment / "run.toml", base, rate=1e-30)  # the loss stays what it was at the first look, at step 4
    file = clean_environment / "run.toml"
    file.write_text(file.read_text().replace("patience = 50", "patience = 2"))
    assert main(["finetune", "train", "run.toml"]) == 0
    ended, kept, *_ = capsys.readouterr().out.splitlines()
    assert ended == (
        "Stopped early, at step 12 of 16: the held-out loss has not been better since step 4, for 2 looks in a row "
        "(patience = 2)."
    )
    assert kept.startswith("Kept is step 4, the best one: loss ")
    assert main(["finetune", "train", "run.toml", "--resume"]) == 0
    assert capsys.readouterr().out.splitlines()[:2] == [ended, kept]


def test_fresh_forgets_the_checkpoints(clean_environment: Path, base: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = _write(clean_environment / "run.toml", base, steps=4)
    assert main(["finetune", "train", "run.toml"]) == 0
    assert capsys.readouterr().out.startswith("Trained to the last step, 4.\n")
    assert main(["finetune", "train", "run.toml"]) == 2
    assert "has been trained to step 4 already" in capsys.readouterr().err
    assert main(["finetune", "train", "run.toml", "--fresh"]) == 0
    assert [row["step"] for row in read_metrics(folder) if "eval_loss" in row] == [0, 4]
    provenance = json.loads((folder / "adapter" / "ragvoice.json").read_text())
    assert provenance["base"] == str(base)
    assert provenance["data"] == json.loads((folder / "provenance.json").read_text())["data"]


def test_a_start_that_is_refused_changes_nothing_of_what_the_run_began_from(
    clean_environment: Path, base: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = _write(clean_environment / "run.toml", base, steps=2)
    assert main(["finetune", "train", "run.toml"]) == 0
    with (folder / "data" / "train.jsonl").open("a") as file:
        file.write("\n")
    assert main(["finetune", "train", "run.toml"]) == 2
    assert "has been trained to step 2 already" in capsys.readouterr().err
    assert main(["finetune", "train", "run.toml", "--resume"]) == 2
    assert "began with other things than there are now: data" in capsys.readouterr().err


def test_a_run_file_that_was_changed_counts_from_the_next_training(clean_environment: Path, base: Path) -> None:
    folder = _write(clean_environment / "run.toml", base, steps=2)
    (folder / "run.toml").write_text("# as the data was made\n")
    assert main(["finetune", "train", "run.toml"]) == 0
    file = clean_environment / "run.toml"
    assert (folder / "run.toml").read_text() == file.read_text()
    trained = RunFolder(folder).adapter_sha256()
    file.write_text(f"{file.read_text()}[evaluation]\nreading_limit = 7\n")
    assert main(["finetune", "train", "run.toml", "--resume"]) == 0
    assert read_run(str(folder / "run.toml"))[1].evaluation.reading_limit == 7
    assert RunFolder(folder).adapter_sha256() == trained


def test_a_whole_model_is_named_as_the_model_and_is_no_adapter(
    clean_environment: Path, base: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = _write(clean_environment / "run.toml", base, steps=2)
    file = clean_environment / "run.toml"
    file.write_text(file.read_text().replace("[training]", '[training]\nmethod = "full"'))
    assert main(["finetune", "train", "run.toml"]) == 0
    assert f"RAGVOICE_LLM={folder / 'model'}" in capsys.readouterr().out
    for command in (["merge", "run"], ["evaluate", "run"], ["promote", "run"]):
        assert main(["finetune", *command]) == 2
        assert "trained a whole model (method = 'full'), not an adapter" in capsys.readouterr().err
    assert main(["finetune", "list"]) == 0
    assert "trained" in capsys.readouterr().out


def test_options_that_exclude_each_other(clean_environment: Path, base: Path) -> None:
    _write(clean_environment / "run.toml", base)
    assert main(["finetune", "train", "run.toml", "--fresh", "--resume"]) == 2
    assert main(["finetune", "train", "nothing.toml"]) == 2


def test_a_run_without_data_says_how_to_make_it(clean_environment: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("empty.toml").write_text('base = "x"\n')
    assert main(["finetune", "train", "empty.toml"]) == 2
    assert "Make it first: ragvoice finetune data empty" in capsys.readouterr().err
