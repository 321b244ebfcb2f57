"""Checkpoints that are whole or not used: the mark is written last and removed first."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

COMPLETE = "complete"
"""File that is written into a checkpoint after everything else."""


def last_complete(folder: Path) -> Path | None:
    """The newest whole one; what a kill or a full disk left of another is removed."""
    found = sorted(folder.glob("checkpoint-*"), key=step_of)
    whole = [checkpoint for checkpoint in found if (checkpoint / COMPLETE).is_file()]
    for checkpoint in found:
        if checkpoint not in whole:
            shutil.rmtree(checkpoint, ignore_errors=True)
    return whole[-1] if whole else None


def completed(checkpoint: Path, keep: int, best_step: int | None) -> None:
    """Mark it, and remove what is older than the newest `keep`; the best one stays."""
    (checkpoint / COMPLETE).touch()
    marked = sorted((file.parent for file in checkpoint.parent.glob(f"checkpoint-*/{COMPLETE}")), key=step_of)
    for old in marked[:-keep]:
        if step_of(old) != best_step:
            (old / COMPLETE).unlink()
            shutil.rmtree(old)


def step_of(checkpoint: Path) -> int:
    return int(checkpoint.name.removeprefix("checkpoint-"))


def ended(checkpoint: Path, planned: int) -> bool:
    """Whether the run had come to its end there: because it got no better, or by its last step, if no more are planned.

    :param planned: Steps of the training as the run file has it now.
    """
    state = json.loads((checkpoint / "trainer_state.json").read_text(encoding="utf-8"))
    if state["global_step"] == state["max_steps"]:
        return planned <= int(state["max_steps"])
    return bool(state["stateful_callbacks"]["TrainerControl"]["args"]["should_training_stop"])
