"""Contrastive training of a sentence-transformers model: in-batch negatives and the mined ones.

The loss is the cross-entropy of finding the right passage among all passages of the batch by 20 x cosine similarity
(MultipleNegativesRankingLoss, Henderson et al. 2017, arXiv 1705.00652); by setting with gradient caching, which fits
batches of any size into memory (Gao et al. 2021, arXiv 2101.06983).

transformers' own Trainer runs it, with the losses of sentence-transformers: its SentenceTransformerTrainer would need
the package `datasets`.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finetune.embedder.batches import batches
from finetune.embedder.mining import Pair
from finetune.transformers_trainer import Progress, Schedule, reporting, run, training_arguments
from ragvoice.errors import ModelError
from ragvoice.files import write_json


@dataclass(frozen=True)
class EmbedderTraining:
    epochs: int = 1
    max_tokens: int = 0
    """Longer texts are cut in training; 0 is what the model reads. The saved model reads as much as the base."""
    mini_batch: int = 0
    """Texts that are in memory at once, by gradient caching; 0 is the whole batch, without it."""


def train(
    pairs: Sequence[Pair],
    base: Path,
    folder: Path,
    training: EmbedderTraining,
    schedule: Schedule,
    progress: Progress = lambda stage, done, total: None,
) -> list[tuple[int, float]]:
    """Write the trained model to `folder/model`, a sentence-transformers folder like `base`; checkpoints beside it in
    `folder/checkpoints`, from which a killed run goes on to the same result.

    :return: (step, mean loss since the one before).
    :raises UsageError: when the pairs do not fill a batch.
    :raises ModelError: when `base` is no such model.
    :raises TrainingError: the loss is no number, or the disk is full.
    """
    import torch
    from transformers import Trainer, set_seed

    batched = batches(pairs, schedule.batch, training.epochs, schedule.seed)
    model = _load(base)
    reads = model.max_seq_length
    model.max_seq_length = training.max_tokens or reads
    loss = _loss(model, training.mini_batch)

    class Contrastive(Trainer):  # type: ignore[misc]
        def compute_loss(self, model: Any, inputs: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
            columns = [
                {key.removeprefix(f"{name}/"): value for key, value in inputs.items() if key.startswith(f"{name}/")}
                for name in dict.fromkeys(key.partition("/")[0] for key in inputs)
            ]
            return loss(columns, None)

    def collate(batch: list[Pair]) -> dict[str, Any]:
        columns = zip(*((pair.question, pair.positive, *pair.negatives) for pair in batch), strict=True)
        return {
            f"{number}/{key}": value
            for number, column in enumerate(columns)
            for key, value in model.preprocess(list(column)).items()
            if isinstance(value, torch.Tensor)
        }

    losses: list[tuple[int, float]] = []
    set_seed(schedule.seed)
    checkpoints = folder / "checkpoints"
    trainer = Contrastive(
        model,
        training_arguments(checkpoints, schedule, num_train_epochs=1),
        train_dataset=[pair for batch in batched for pair in batch],
        data_collator=collate,
        callbacks=[reporting(progress, losses)],
    )
    run(trainer, checkpoints)
    model.max_seq_length = reads
    _save(model, folder / "model")
    return losses


def _load(base: Path) -> Any:
    from transformers.utils.logging import disable_progress_bar

    try:
        from sentence_transformers import SentenceTransformer
    except ImportError as error:
        raise ModelError("sentence-transformers is missing. Install: pip install 'ragvoice[hf]'") from error
    disable_progress_bar()
    try:
        return SentenceTransformer(str(base), local_files_only=True)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise ModelError(f"{base.name} cannot be loaded as a sentence-transformers model: {error}") from error


def _loss(model: Any, mini_batch: int) -> Any:
    from sentence_transformers.sentence_transformer.losses import (
        CachedMultipleNegativesRankingLoss,
        MultipleNegativesRankingLoss,
    )

    if mini_batch:
        return CachedMultipleNegativesRankingLoss(model, mini_batch_size=mini_batch)
    return MultipleNegativesRankingLoss(model)


def _save(model: Any, target: Path) -> None:
    """Whole or not at all."""
    part = target.with_name(f"{target.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    model.save(str(part), create_model_card=False)
    # sentence-transformers 6 writes the longest text into the tokenizer's settings only; it reads both.
    config = part / "sentence_bert_config.json"
    settings = json.loads(config.read_text(encoding="utf-8"))
    write_json(config, {**settings, "max_seq_length": model.max_seq_length})
    shutil.rmtree(target, ignore_errors=True)
    part.rename(target)
