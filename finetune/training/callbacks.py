"""What a run writes down while it goes on: `metrics.jsonl`, the plot of the losses, and complete checkpoints."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import TrainerCallback

from finetune.training.checkpoints import completed

EVALUATION_S = "evaluation_s"
"""Name in a report of how long the look at the held-out part took."""


@dataclass(frozen=True)
class Step:
    """Where a run is; what a progress display shows."""

    step: int
    steps: int
    figures: dict[str, float]
    tokens_per_s: float
    """Of all processes in this session, prefixes counted once and evaluations left out."""
    left_s: float
    """By the speed so far, with the evaluations to come."""


Progress = Callable[[Step], None]


class Recorder(TrainerCallback):  # type: ignore[misc]
    def __init__(self, folder: Path, step_tokens: float, keep_checkpoints: int, progress: Progress):
        """:param step_tokens: Mean tokens of the rows of one step, over all processes."""
        self._folder = folder
        self._step_tokens = step_tokens
        self._keep = keep_checkpoints
        self._progress = progress
        self._began_s = 0.0
        self._first_step = 0
        self._evaluations_s: list[float] = []

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._began_s, self._first_step = time.monotonic(), state.global_step
        if state.is_world_process_zero:
            _whole_lines(self._folder / "metrics.jsonl")

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float] | None = None, **_: Any) -> None:
        if not state.is_world_process_zero or not logs or not {"loss", "eval_loss"} & set(logs):
            return
        found = {name: float(value) for name, value in logs.items() if isinstance(value, int | float)}
        if EVALUATION_S in found:
            self._evaluations_s.append(found[EVALUATION_S])
        done = state.global_step - self._first_step
        a_step_s = max(time.monotonic() - self._began_s - sum(self._evaluations_s), 1e-9) / max(done, 1)
        speed = self._step_tokens / a_step_s if done else 0.0
        left = (state.max_steps - state.global_step) * a_step_s + self._evaluating_s(args, state) if done else 0.0
        with (self._folder / "metrics.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": state.global_step, **found, "tokens_per_s": round(speed, 1)}) + "\n")
        self._progress(Step(state.global_step, state.max_steps, found, speed, left))

    def _evaluating_s(self, args: Any, state: Any) -> float:
        """That the evaluations to come will take; there is one at the last step."""
        if not self._evaluations_s:
            return 0.0
        every = int(args.eval_steps)
        to_come = -(-state.max_steps // every) - state.global_step // every
        return float(to_come * sum(self._evaluations_s) / len(self._evaluations_s))

    def on_evaluate(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.is_world_process_zero:
            plot(self._folder)

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if args.world_size > 1:  # each process writes a part
            torch.distributed.barrier()
        if state.is_world_process_zero:
            completed(Path(args.output_dir) / f"checkpoint-{state.global_step}", self._keep, state.best_global_step)


def _whole_lines(file: Path) -> None:
    """Cut off half a last line, which a full disk left: what is appended would stand in it."""
    if file.is_file():
        data = file.read_bytes()
        os.truncate(file, data.rfind(b"\n") + 1)


def read_metrics(folder: Path) -> list[dict[str, float]]:
    """Lines of `metrics.jsonl`, without those that a resumed run wrote again; the last one of a step and kind holds."""
    file = folder / "metrics.jsonl"
    if not file.is_file():
        return []
    kept: dict[tuple[int, bool], dict[str, float]] = {}
    for line in file.read_text(encoding="utf-8").splitlines():
        try:
            row = json.loads(line)
        except ValueError:  # the last line of a killed run
            continue
        kept[row["step"], "eval_loss" in row] = row
    return [kept[key] for key in sorted(kept)]


def plot(folder: Path, kept: int | None = None) -> None:
    """`loss.png`: losses on the left, the held-out figures on the right.

    :param kept: The step whose weights were taken, once it is known.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    rows = read_metrics(folder)
    trained = [(row["step"], row["loss"]) for row in rows if "loss" in row]
    held = [row for row in rows if "eval_loss" in row]
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(11, 4.5), layout="constrained")
    if trained:
        left.plot(*zip(*trained, strict=True), label="training", alpha=0.6)
    if held:
        steps = [row["step"] for row in held]
        left.plot(steps, [row["eval_loss"] for row in held], "o-", label="held out")
        for name in ("exact", "unanswerable_refused", "answerable_refused", "separation", "balanced"):
            points = [(row["step"], row[f"eval_{name}"]) for row in held if f"eval_{name}" in row]
            if points:
                right.plot(*zip(*points, strict=True), "o-", label=name.replace("_", " "))
    left.set(xlabel="step", ylabel="loss per answer token (nats)", yscale="log")
    right.set(xlabel="step", ylabel="share of held-out examples", ylim=(0, 1))
    for axes in (left, right):
        if kept is not None:
            axes.axvline(kept, color="black", linestyle=":", label=f"kept: step {kept}")
        if axes.get_legend_handles_labels()[1]:
            axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.15), ncols=3, frameon=False)
    figure.savefig(folder / "loss.png", dpi=110)
    pyplot.close(figure)
