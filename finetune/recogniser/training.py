"""Training of a Whisper through transformers: LoRA (Hu et al. 2021, arXiv 2106.09685) or all weights."""

from __future__ import annotations

import random
import shutil
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from finetune.recogniser.examples import Examples
from finetune.recogniser.manifest import Clip
from finetune.transformers_trainer import Progress, Schedule, reporting, run, training_arguments
from ragvoice.errors import ModelError

_LINEAR = ["q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2"]
"""Every linear layer of Whisper's encoder and decoder, but the output, which is the embedding."""


@dataclass(frozen=True)
class RecogniserTraining:
    epochs: int = 3
    method: Literal["lora", "full"] = "lora"
    rank: int = 16
    """Of LoRA; alpha is twice as much."""
    language: str = "en"
    accumulate: int = 1
    """Batches before a step."""


def train(
    clips: Sequence[Clip],
    base: Path,
    folder: Path,
    training: RecogniserTraining,
    schedule: Schedule,
    progress: Progress = lambda stage, done, total: None,
) -> list[tuple[int, float]]:
    """Write the trained model, adapter merged, to `folder/model` for the transformers runtime; CTranslate2's converter
    reads it too. Checkpoints in `folder/checkpoints`, from which a killed run goes on to the same result.

    :param clips: All of them are trained on.
    :param base: A transformers folder.
    :return: (step, mean loss since the one before).
    :raises ModelError: `base` is no Whisper.
    :raises TrainingError: the loss is no number, or the disk is full.
    :raises UsageError: a clip is too long, or the language is not known.
    """
    import torch
    from transformers import Trainer, set_seed

    model, processor = _load(base)
    examples = Examples(processor, model, training.language)
    set_seed(schedule.seed)
    trained = _with_lora(model, training.rank) if training.method == "lora" else model
    losses: list[tuple[int, float]] = []
    checkpoints = folder / "checkpoints"
    trainer = Trainer(
        trained,
        training_arguments(checkpoints, schedule, num_train_epochs=1, gradient_accumulation_steps=training.accumulate),
        train_dataset=_ordered(clips, training.epochs, schedule.seed),
        data_collator=examples,
        callbacks=[reporting(progress, losses)],
    )
    run(trainer, checkpoints)
    merged = trained.merge_and_unload() if training.method == "lora" else trained
    _save(merged.to("cpu", torch.float16), processor, folder / "model")
    return losses


def _ordered(clips: Sequence[Clip], epochs: int, seed: int) -> list[Clip]:
    """All epochs one after the other, each shuffled anew: where a run goes on follows from its step alone."""
    drawn = random.Random(seed)
    return [clip for _ in range(epochs) for clip in drawn.sample(list(clips), len(clips))]


def _load(base: Path) -> tuple[Any, Any]:
    """In float32: half precision loses small steps."""
    import torch
    from transformers import WhisperForConditionalGeneration, WhisperProcessor
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
    try:
        processor = WhisperProcessor.from_pretrained(str(base), local_files_only=True)
        model = WhisperForConditionalGeneration.from_pretrained(str(base), dtype=torch.float32, local_files_only=True)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise ModelError(f"{base.name} cannot be loaded as a transformers Whisper: {error}") from error
    return model, processor


def _with_lora(model: Any, rank: int) -> Any:
    try:
        from peft import LoraConfig, get_peft_model
    except ImportError as error:
        raise ModelError("peft is missing. Install: pip install peft, or train all weights.") from error
    config = LoraConfig(r=rank, lora_alpha=2 * rank, lora_dropout=0.05, target_modules=_LINEAR, bias="none")
    with warnings.catch_warnings():
        # peft 0.21 asks transformers 5.23 for a property by its old name.
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing`", FutureWarning)
        return get_peft_model(model, config)


def _save(model: Any, processor: Any, target: Path) -> None:
    """Whole or not at all; in the 16 bits that Whisper is published in."""
    part = target.with_name(f"{target.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    model.save_pretrained(part)
    processor.save_pretrained(part)
    # faster-whisper reads the older file of the two that name the number of mel bands.
    processor.feature_extractor.save_pretrained(part)
    shutil.rmtree(target, ignore_errors=True)
    part.rename(target)
