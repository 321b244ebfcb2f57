"""A training run from its data folder to an adapter with its provenance; stopped at any step, it goes on."""

from __future__ import annotations

import json
import os
import shutil
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finetune.data.examples import Example, read_part
from finetune.run import Training
from finetune.training.callbacks import COMPLETE, Progress, Recorder, plot, read_metrics
from finetune.training.encoding import Encoded, encode
from finetune.training.model import load_trainable
from finetune.training.packing import Row, pack
from ragvoice.errors import TrainingError, UsageError
from ragvoice.generation.answering import ABSTENTION
from ragvoice.generation.chat_template import ChatTemplate

CHECKPOINTS = "checkpoints"


@dataclass(frozen=True)
class Trained:
    adapter: Path
    """Folder of the adapter, or of the whole model after full fine-tuning."""
    step: int
    """The one that was best on the held-out examples."""
    figures: dict[str, float]
    """Of that step, without `eval_`."""


def train(
    folder: Path, base: Path, settings: Training, seed: int, weights: dict[str, float], *, resume: bool, progress: Progress
) -> Trained:
    """:param folder: The run's, with its data.
    :param base: The base model as a transformers folder.
    :param weights: How often the examples of a source are seen, where it is not once.
    :raises UsageError: without data; with an example that does not fit; for a folder that holds an older run.
    :raises TrainingError: when the loss is not a number, the disk is full or the memory used up.
    """
    checkpoints = folder / CHECKPOINTS
    last = _last_checkpoint(checkpoints)
    if last is not None and not resume:
        raise UsageError(
            f"{folder.name} has been trained to step {_step(last)} already. Go on with --resume, or begin anew with --fresh."
        )
    template = ChatTemplate(base)
    trained, held = _encoded(folder, template, settings, seed, weights)
    rows = _rows(trained, settings, seed)
    trainer = _trainer(folder, base, settings, seed, rows, held, template, progress)
    try:
        trainer.train(resume_from_checkpoint=str(last) if last else None)
    except OSError as error:
        raise TrainingError(
            f"{error.strerror or error} while writing to {folder.name}. The last complete checkpoint is kept: free some "
            "space and go on with --resume."
        ) from error
    except (MemoryError, RuntimeError) as error:
        if "alloc" not in str(error) and "memory" not in str(error):
            raise
        raise TrainingError(
            "There is not enough memory for a row. Lower row_tokens or row_examples, or set gradient_checkpointing = "
            "true; then go on with --resume."
        ) from error
    return _finished(folder, trainer)


def _encoded(
    folder: Path, template: ChatTemplate, settings: Training, seed: int, weights: dict[str, float]
) -> tuple[list[Encoded], list[Encoded]]:
    examples = read_part(folder / "data", "train")
    held = read_part(folder / "data", "validation")
    if not examples or not held:
        empty = "train" if not examples else "validation"
        raise UsageError(f"The part {empty!r} has no example. The data card says what was left out, and why.")
    kept = held[:: max(1, -(-len(held) // settings.evaluate_examples))]
    if settings.pretrain:
        return _texts(examples, template, settings.row_tokens), _texts(kept, template, settings.row_tokens)
    return encode(_weighted(examples, weights, seed), template), encode(kept, template)


def _weighted(examples: Sequence[Example], weights: dict[str, float], seed: int) -> list[Example]:
    import random

    chance = random.Random(seed)
    seen = []
    for example in examples:
        weight = weights.get(example.source, 1.0)
        seen += [example] * (int(weight) + (chance.random() < weight % 1))
    return seen


def _texts(examples: Sequence[Example], template: ChatTemplate, row_tokens: int) -> list[Encoded]:
    """The passages' plain text in pieces of a row, each once; every token but the first is predicted."""
    texts = dict.fromkeys(passage.text for example in examples for passage in example.passages)
    pieces = []
    for text in texts:
        ids = template.tokenizer.encode(text, add_special_tokens=False).ids
        for start in range(0, len(ids), row_tokens):
            piece = ids[start : start + row_tokens]
            if len(piece) > 1:
                pieces.append(Encoded(tuple(piece[:1]), tuple(piece[1:])))
    return pieces


def _rows(examples: Sequence[Encoded], settings: Training, seed: int) -> list[Row]:
    return pack(
        examples,
        settings.row_tokens,
        settings.row_examples,
        seed,
        fill_tokens=settings.fill_tokens,
        skip_long=settings.skip_long,
    )


def _trainer(
    folder: Path,
    base: Path,
    settings: Training,
    seed: int,
    rows: Sequence[Row],
    held: Sequence[Encoded],
    template: ChatTemplate,
    progress: Progress,
) -> Any:
    import torch
    from transformers import EarlyStoppingCallback, TrainingArguments, set_seed
    from transformers.trainer_callback import PrinterCallback, ProgressCallback

    from finetune.training.trainer import RowTrainer

    set_seed(seed)
    world = int(os.environ.get("WORLD_SIZE", "1"))
    os.environ["TENSORBOARD_LOGGING_DIR"] = str(folder / "tensorboard")
    better = "eval_loss" if settings.pretrain else "eval_balanced"
    arguments = TrainingArguments(
        output_dir=str(folder / CHECKPOINTS),
        per_device_train_batch_size=1,
        gradient_accumulation_steps=settings.rows_per_step,
        num_train_epochs=settings.epochs,
        max_steps=settings.max_steps or -1,
        learning_rate=settings.learning_rate,
        lr_scheduler_type=settings.schedule,
        warmup_steps=settings.warmup,
        weight_decay=settings.weight_decay,
        max_grad_norm=settings.clip,
        eval_strategy="steps",
        eval_steps=settings.evaluate_every,
        eval_on_start=True,
        save_strategy="steps",
        save_steps=settings.evaluate_every,
        save_total_limit=settings.keep_checkpoints,
        load_best_model_at_end=True,
        metric_for_best_model=better,
        greater_is_better=not settings.pretrain,
        logging_steps=5,
        logging_nan_inf_filter=False,
        report_to=["tensorboard"] if _has_tensorboard() else [],
        use_cpu=not torch.cuda.is_available(),
        ddp_backend="gloo" if world > 1 and not torch.cuda.is_available() else None,
        ddp_find_unused_parameters=False,
        dataloader_pin_memory=torch.cuda.is_available(),
        remove_unused_columns=False,
        disable_tqdm=True,
        seed=seed,
        data_seed=seed,
    )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".is_gradient_checkpointing. is deprecated")
        model = load_trainable(base, settings)
        trainer = RowTrainer(
            model=model,
            args=arguments,
            rows=rows,
            held_rows=_rows(held, settings, seed),
            held=held,
            refusal_token=template.tokenizer.encode(ABSTENTION, add_special_tokens=False).ids[0],
        )
    for noisy in (PrinterCallback, ProgressCallback):
        trainer.remove_callback(noisy)
    a_step = sum(map(len, rows)) / len(rows) * settings.rows_per_step * world
    trainer.add_callback(Recorder(folder, a_step, progress))
    trainer.add_callback(EarlyStoppingCallback(early_stopping_patience=settings.patience))
    return trainer


def _finished(folder: Path, trainer: Any) -> Trained:
    """The best step's weights, float16, published at once."""
    import torch
    from peft import PeftModel

    state = trainer.state
    best = state.best_global_step or state.global_step
    adapter = folder / "adapter"
    if trainer.is_world_process_zero():
        staged = folder / ".adapter"
        shutil.rmtree(staged, ignore_errors=True)
        model = trainer.accelerator.unwrap_model(trainer.model)
        if isinstance(model, PeftModel):
            for name, parameter in model.named_parameters():
                if "lora_" in name:
                    parameter.data = parameter.data.to(torch.float16)
        else:
            model = model.to(torch.float16)
        model.save_pretrained(staged)
        (staged / "README.md").unlink(missing_ok=True)  # peft's card holds nothing but questions
        shutil.rmtree(adapter, ignore_errors=True)
        staged.rename(adapter)
        plot(folder)
    rows = [row for row in read_metrics(folder) if "eval_loss" in row and row["step"] == best]
    found = {name.removeprefix("eval_"): value for name, value in (rows[-1] if rows else {}).items()}
    return Trained(adapter, best, {name: value for name, value in found.items() if name not in ("step", "epoch", "tokens_per_s")})


def _last_checkpoint(folder: Path) -> Path | None:
    """The newest whole one; what a kill or a full disk left of another is removed."""
    found = sorted(folder.glob("checkpoint-*"), key=_step)
    for checkpoint in found:
        if not (checkpoint / COMPLETE).is_file():
            shutil.rmtree(checkpoint, ignore_errors=True)
    whole = [checkpoint for checkpoint in found if (checkpoint / COMPLETE).is_file()]
    return whole[-1] if whole else None


def _step(checkpoint: Path) -> int:
    return int(checkpoint.name.removeprefix("checkpoint-"))


def _has_tensorboard() -> bool:
    from importlib.util import find_spec

    return find_spec("tensorboard") is not None


def write_provenance(adapter: Path, provenance: dict[str, Any]) -> None:
    """`ragvoice.json` in the adapter's folder: what serving checks at load."""
    (adapter / "ragvoice.json").write_text(json.dumps(provenance, indent=1) + "\n", encoding="utf-8")
