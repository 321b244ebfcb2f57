"""From a trainer that has ended to a folder that can be served, published at once."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from filecmp import cmp
from pathlib import Path
from typing import Any

from finetune.training.callbacks import plot, read_metrics
from ragvoice.lora import CONFIG
from ragvoice.models.adapters import CONFIDENCE, IDENTITY


@dataclass(frozen=True)
class Trained:
    folder: Path
    """`adapter/` of the run, or `model/` after full fine-tuning."""
    step: int
    """The one that was best on the held-out examples."""
    figures: dict[str, float]
    """Of that step, without `eval_`."""
    ended: int
    """Step at which the training ended."""
    planned: int
    """Steps that it would have had; it ended before them when the held-out figure got no better."""

    @property
    def stopped_early(self) -> bool:
        return self.ended < self.planned


def finished(folder: Path, base: Path, trainer: Any, provenance: Mapping[str, str], strength: float = 1.0) -> Trained:
    """Write the weights that the trainer has, in float16; a result that is there already is replaced. If it was another
    one, the confidence that was fitted on its answers goes, too.

    :param folder: The run's.
    :param strength: Of an adapter, see `Training.strength`.
    :param base: Transformers folder that a whole model takes tokenizer and chat template from.
    :raises ModelError: when a weight of a whole model is larger than float16 can hold.
    """
    from peft import PeftModel

    model = trainer.accelerator.unwrap_model(trainer.model)
    best = trainer.state.best_global_step or trainer.state.global_step
    target = folder / ("adapter" if isinstance(model, PeftModel) else "model")
    if trainer.is_world_process_zero():
        staged = folder / f".{target.name}"
        shutil.rmtree(staged, ignore_errors=True)
        staged.mkdir()
        if isinstance(model, PeftModel):
            _write_adapter(model, staged, provenance.get("base", ""), strength)
        else:
            _write_model(model, base, staged)
        (staged / "ragvoice.json").write_text(json.dumps(dict(provenance), indent=1) + "\n", encoding="utf-8")
        if not _is_same(staged, target):
            (folder / CONFIDENCE).unlink(missing_ok=True)
        for older in ("adapter", "model"):
            shutil.rmtree(folder / older, ignore_errors=True)
        staged.rename(target)
        plot(folder, best)
    rows = [row for row in read_metrics(folder) if "eval_loss" in row and row["step"] == best]
    figures = {
        name.removeprefix("eval_"): value for row in rows for name, value in row.items() if name.startswith("eval_")
    }
    return Trained(target, best, figures, trainer.state.global_step, trainer.state.max_steps)


def _is_same(one: Path, other: Path) -> bool:
    """Of two adapters."""
    return all((other / name).is_file() and cmp(one / name, other / name, shallow=False) for name in IDENTITY)


def _write_adapter(model: Any, target: Path, base: str, strength: float) -> None:
    import torch

    for name, parameter in model.named_parameters():
        if "lora_" in name:
            parameter.data = parameter.data.to(torch.float16)
    model.save_pretrained(target)
    (target / "README.md").unlink(missing_ok=True)  # peft's card holds nothing but questions
    config = json.loads((target / CONFIG).read_text(encoding="utf-8"))
    config["base_model_name_or_path"] = base  # peft writes a folder of this machine
    config["lora_alpha"] *= strength
    (target / CONFIG).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def _write_model(model: Any, base: Path, target: Path) -> None:
    from ragvoice.models.merge import write_whole

    model.config.use_cache = True  # off in training only
    write_whole(model, base, target)
