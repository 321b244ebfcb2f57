"""The training loop: transformers' Trainer over packed rows, with the reading figures as its evaluation."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import Trainer, TrainerState

from finetune.training.callbacks import EVALUATION_S
from finetune.training.encoding import Encoded
from finetune.training.packing import Row, mask
from finetune.training.reading import figures, predictions
from ragvoice.errors import TrainingError


def collate(rows: Sequence[Row]) -> dict[str, torch.Tensor]:
    """The model's inputs for one row; logits are computed where a token of an answer is predicted, and only there."""
    (row,) = rows
    # Trainer counts the labels from the second one on, as those of a causal LM are shifted.
    labels = torch.cat([torch.tensor([-100]), torch.from_numpy(row.targets_a)])
    return {
        "input_ids": torch.from_numpy(row.tokens_l)[None],
        "position_ids": torch.from_numpy(row.positions_l)[None],
        "attention_mask": torch.from_numpy(mask(row))[None, None],
        "logits_to_keep": torch.from_numpy(row.predicting_a),
        "labels": labels[None],
    }


def answer_loss(outputs: Any, labels: torch.Tensor, num_items_in_batch: torch.Tensor | int | None = None) -> Any:
    """Cross-entropy of the answers' tokens in nats, averaged over those of the whole optimizer step.

    :raises TrainingError: when it is not a number any more.
    """
    targets_a = labels[0, 1:]
    total = torch.nn.functional.cross_entropy(outputs.logits[0].float(), targets_a, reduction="sum")
    loss = total / (len(targets_a) if num_items_in_batch is None else num_items_in_batch)
    if not torch.isfinite(loss):
        raise TrainingError(
            f"The loss is {loss.item()}. The last checkpoint is kept: set precision = 'fp32' and go on with --resume. "
            "Or lower learning_rate and begin anew with --fresh; a resumed run keeps the one that it began with."
        )
    return loss


class RowTrainer(Trainer):  # type: ignore[misc]
    """One row a forward pass; `evaluate` gives the reading figures, each as `eval_NAME`."""

    def __init__(
        self, *, rows: Sequence[Row], held_rows: Sequence[Row], held: Sequence[Encoded], refusal_token: int, **rest: Any
    ):
        """:param held: The held-out examples that `held_rows` were packed from."""
        super().__init__(
            train_dataset=list(rows),
            eval_dataset=list(held_rows),
            data_collator=collate,
            compute_loss_func=answer_loss,
            **rest,
        )
        self._held = held
        self._refusal_token = refusal_token

    def evaluate(self, *_: Any, **__: Any) -> dict[str, float]:
        began_s = time.monotonic()
        self.model.eval()
        own = self.eval_dataset[self.args.process_index :: self.args.world_size]
        with torch.inference_mode():
            made = predictions(own, self._logits, self._held, self._refusal_token)
        if self.args.world_size > 1:
            gathered: list[Any] = [None] * self.args.world_size
            torch.distributed.all_gather_object(gathered, made)
            made = [one for part in gathered for one in part]
        self.model.train()
        metrics = {f"eval_{name}": value for name, value in figures(made).items()}
        self.log({**metrics, EVALUATION_S: time.monotonic() - began_s})
        self.control: Any = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

    def planned_steps(self) -> int:
        """Optimizer steps of the whole training."""
        if self.args.max_steps > 0:
            return int(self.args.max_steps)
        an_epoch: int = math.ceil(len(self.get_train_dataloader()) / self.args.gradient_accumulation_steps)
        return math.ceil(float(self.args.num_train_epochs) * an_epoch)

    def take_best(self, checkpoint: Path) -> None:
        """The weights of a run that ended at this checkpoint, without another step."""
        self.state = TrainerState.load_from_json(checkpoint / "trainer_state.json")
        best = checkpoint.with_name(f"checkpoint-{self.state.best_global_step}")
        self._load_from_checkpoint(str(best if best.is_dir() else checkpoint))

    def _logits(self, row: Row) -> torch.Tensor:
        inputs = {name: value.to(self.args.device) for name, value in collate([row]).items() if name != "labels"}
        logits_av: torch.Tensor = self.model(**inputs, use_cache=False).logits[0]
        return logits_av
