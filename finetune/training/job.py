"""A training run from its data folder to an adapter with its provenance; stopped at any step, it goes on."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from finetune.alone import alone
from finetune.data.examples import Example, read_part
from finetune.run import Training
from finetune.training.callbacks import Progress, Recorder
from finetune.training.checkpoints import ended, last_complete, step_of
from finetune.training.encoding import Encoded, encode
from finetune.training.failures import said_plainly
from finetune.training.finished import Trained, finished
from finetune.training.model import load_trainable, uses_bf16
from finetune.training.packing import Row, pack
from ragvoice.errors import UsageError
from ragvoice.generation.answering import ABSTENTION
from ragvoice.generation.chat_template import ChatTemplate

CHECKPOINTS = "checkpoints"


def train(
    folder: Path,
    base: Path,
    settings: Training,
    seed: int,
    weights: Mapping[str, float],
    provenance: Mapping[str, str],
    *,
    resume: bool,
    progress: Progress,
    begins: Callable[[], None] = lambda: None,
) -> Trained:
    """:param folder: The run's, with its data.
    :param base: The base model as a transformers folder.
    :param weights: How often the examples of a source are seen, where it is not once.
    :param provenance: What serving checks when it loads the result; written beside it.
    :param begins: Called when nothing speaks against this start, and before it changes anything.
    :raises UsageError: without data; with an example that does not fit; for a folder that holds an older run, or is
        being trained in.
    :raises TrainingError: when the loss is not a number, the disk is full or the memory used up.
    """
    with alone(folder), said_plainly(folder.name):
        last = last_complete(folder / CHECKPOINTS)
        if last is not None and not resume:
            raise UsageError(
                f"{folder.name} has been trained to step {step_of(last)} already. Go on with --resume, or begin anew "
                "with --fresh."
            )
        begins()
        trainer = make_trainer(folder, base, settings, seed, weights, progress, begins=last is None)
        if last is not None and ended(last, trainer.planned_steps()):
            trainer.take_best(last)
        else:
            trainer.train(resume_from_checkpoint=str(last) if last else None)
        return finished(folder, base, trainer, provenance, settings.strength)


def make_trainer(
    folder: Path,
    base: Path,
    settings: Training,
    seed: int,
    weights: Mapping[str, float],
    progress: Progress,
    *,
    begins: bool = True,
) -> Any:
    """The `RowTrainer` of a run, ready to train.

    :param begins: Whether it begins with a look at the held-out part; a resumed run has had that.
    :raises UsageError: as `train`.
    """
    import torch
    from transformers import EarlyStoppingCallback, TrainingArguments, set_seed
    from transformers.trainer_callback import PrinterCallback, ProgressCallback

    from finetune.training.trainer import RowTrainer

    template = ChatTemplate(base)
    trained, held = _encoded(folder, template, settings, seed, weights)
    rows = _rows(trained, settings, seed)
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
        eval_on_start=begins,
        save_strategy="steps",
        save_steps=settings.evaluate_every,
        restore_callback_states_from_checkpoint=True,  # the looks without a better figure so far
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
        # Of an adapter the base is in bf16; float32 weights that are trained multiply in it all the same.
        bf16=uses_bf16(settings.precision, "cuda" if torch.cuda.is_available() else "cpu"),
        remove_unused_columns=False,
        disable_tqdm=True,
        seed=seed,
        data_seed=seed,
    )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".is_gradient_checkpointing. is deprecated")  # of peft in transformers
        trainer = RowTrainer(
            model=load_trainable(base, settings),
            args=arguments,
            rows=rows,
            held_rows=_rows(held, settings, seed),
            held=held,
            refusal_token=template.tokenizer.encode(ABSTENTION, add_special_tokens=False).ids[0],
        )
    for noisy in (PrinterCallback, ProgressCallback):
        trainer.remove_callback(noisy)
    step_tokens = sum(map(len, rows)) / len(rows) * settings.rows_per_step * world
    trainer.add_callback(Recorder(folder, step_tokens, settings.keep_checkpoints, progress))
    trainer.add_callback(EarlyStoppingCallback(early_stopping_patience=settings.patience))
    return trainer


def _encoded(
    folder: Path, template: ChatTemplate, settings: Training, seed: int, weights: Mapping[str, float]
) -> tuple[list[Encoded], list[Encoded]]:
    examples = read_part(folder / "data", "train")
    held = read_part(folder / "data", "validation")
    if not examples or not held:
        empty = "train" if not examples else "validation"
        raise UsageError(f"The part {empty!r} has no example. The data card says what was left out, and why.")
    kept = held[:: max(1, -(-len(held) // settings.evaluate_examples))]
    if settings.pretrain:
        return _texts(examples, held, template, settings)
    apart = bool(settings.passages_apart)
    return encode(_weighted(examples, weights, seed), template, apart=apart), encode(kept, template, apart=apart)


def _weighted(examples: Sequence[Example], weights: Mapping[str, float], seed: int) -> list[Example]:
    import random

    chance = random.Random(seed)
    seen = []
    for example in examples:
        weight = weights.get(example.source, 1.0)
        seen += [example] * (int(weight) + (chance.random() < weight % 1))
    return seen


def _texts(
    examples: Sequence[Example], held: Sequence[Example], template: ChatTemplate, settings: Training
) -> tuple[list[Encoded], list[Encoded]]:
    """Plain text of the passages: of the validation's documents to look at, of all others to train on."""
    documents = {example.document for example in held}
    passages = [passage for example in (*examples, *held) for passage in example.passages]
    parts = []
    for name, is_held in (("train", False), ("validation", True)):
        texts = dict.fromkeys(passage.text for passage in passages if (passage.doc_id in documents) is is_held)
        parts.append(_pieces(texts, template, settings.row_tokens))
        if not parts[-1]:
            raise UsageError(f"The part {name!r} has no passage of a document of its own to train on as plain text.")
    trained, looked_at = parts
    return trained, looked_at[:: max(1, -(-len(looked_at) // settings.evaluate_examples))]


def _pieces(texts: Iterable[str], template: ChatTemplate, row_tokens: int) -> list[Encoded]:
    """Pieces of a row at most; every token but the first is predicted."""
    pieces = []
    for text in texts:
        ids = template.tokenizer.encode(text, add_special_tokens=False).ids
        for start in range(0, len(ids), row_tokens):
            piece = ids[start : start + row_tokens]
            if len(piece) > 1:
                pieces.append(Encoded(tuple(piece[:1]), tuple(piece[1:])))
    return pieces


def _rows(examples: Sequence[Encoded], settings: Training, seed: int) -> list[Row]:
    rows = pack(
        examples,
        settings.row_tokens,
        settings.row_examples,
        seed,
        fill_tokens=settings.fill_tokens,
        skip_long=settings.skip_long,
    )
    if not rows:
        raise UsageError(f"Every example is longer than row_tokens = {settings.row_tokens}. Raise it.")
    return rows


def _has_tensorboard() -> bool:
    from importlib.util import find_spec

    return find_spec("tensorboard") is not None
