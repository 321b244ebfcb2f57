"""What every run of transformers' Trainer here shares: its arguments, where it goes on, and what it says meanwhile."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from finetune.training.failures import not_written
from ragvoice.errors import TrainingError

Progress = Callable[[str, int, int], None]
"""Called with (stage, done, total)."""

KEPT_CHECKPOINTS = 2


@dataclass(frozen=True)
class Schedule:
    """How long and how strongly."""

    batch: int
    learning_rate: float
    seed: int = 0
    warmup: float = 0.1
    """Share of the steps in which the learning rate rises; it falls to 0 over the others."""
    save_steps: int = 20
    """Steps between two checkpoints; a killed run goes on from the last one."""
    threads: int = 1

    def decisive(self) -> dict[str, Any]:
        """What of it decides the result."""
        return {name: value for name, value in asdict(self).items() if name not in ("save_steps", "threads")}


def training_arguments(checkpoints: Path, schedule: Schedule, **more: Any) -> Any:
    """`TrainingArguments`: bfloat16 where the GPU has it, checkpoints that a killed run goes on from, no reports to
    anybody; the data in the order given."""
    import torch
    from transformers import TrainingArguments
    from transformers.utils.logging import set_verbosity_error

    set_verbosity_error()
    torch.set_num_threads(schedule.threads)
    on_gpu = torch.cuda.is_available()
    return TrainingArguments(
        output_dir=str(checkpoints),
        per_device_train_batch_size=schedule.batch,
        learning_rate=schedule.learning_rate,
        warmup_steps=schedule.warmup,
        seed=schedule.seed,
        bf16=on_gpu and torch.cuda.is_bf16_supported(),
        use_cpu=not on_gpu,
        dataloader_pin_memory=on_gpu,
        train_sampling_strategy="sequential",
        remove_unused_columns=False,
        save_strategy="steps",
        save_steps=schedule.save_steps,
        save_total_limit=KEPT_CHECKPOINTS,
        logging_steps=schedule.save_steps,
        logging_nan_inf_filter=False,
        report_to="none",
        disable_tqdm=True,
        **more,
    )


def last_checkpoint(checkpoints: Path) -> Path | None:
    """The newest whole one; those that a kill left half-written go away. The Trainer writes its state last."""
    whole = []
    for folder in checkpoints.glob("checkpoint-*"):
        if (folder / "trainer_state.json").is_file():
            whole.append(folder)
        else:
            shutil.rmtree(folder)
    return max(whole, key=lambda folder: int(folder.name.rpartition("-")[2]), default=None)


def run(trainer: Any, checkpoints: Path) -> None:
    """Train to the end, from the last checkpoint where there is one.

    :raises TrainingError: the loss is no number, or a checkpoint cannot be written.
    """
    from safetensors import SafetensorError
    from transformers import PrinterCallback

    trainer.remove_callback(PrinterCallback)
    try:
        trainer.train(resume_from_checkpoint=last_checkpoint(checkpoints))
    except (OSError, RuntimeError, SafetensorError) as error:
        if (why := not_written(error)) is None:
            raise
        raise TrainingError(
            f"{why} while writing to {checkpoints}. The last complete checkpoint is kept: free some space and start "
            "again."
        ) from error


def reporting(progress: Progress, losses: list[tuple[int, float]]) -> Any:
    """A Trainer callback that shows the steps and collects (step, loss), also those before a kill.

    A loss that is not a number ends the run with a `TrainingError`; what was saved before it stays.
    """
    from transformers import TrainerCallback

    class Reporting(TrainerCallback):  # type: ignore[misc]
        def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            losses[:] = [(int(row["step"]), float(row["loss"])) for row in state.log_history if "loss" in row]

        def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            progress("train", state.global_step, state.max_steps)

        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
            if not logs or "loss" not in logs:
                return
            losses.append((state.global_step, float(logs["loss"])))
            if not math.isfinite(losses[-1][1]):
                raise TrainingError(
                    f"The loss is {losses[-1][1]} at step {state.global_step}; the last checkpoint is kept. "
                    "Begin anew with a smaller --learning-rate."
                )

    return Reporting()
