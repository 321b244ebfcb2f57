"""Base model + LoRA adapter -> one transformers folder. Runs in the conversion's child process only."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from ragvoice.errors import ModelError
from ragvoice.models.gguf_to_transformers import compute_in_float32

_WEIGHTS = {".safetensors", ".bin", ".gguf", ".pt"}
_WRITTEN = {"config.json", "conversion.json", "model.safetensors.index.json", "pytorch_model.bin.index.json"}
"""Files of the base that are not taken over: they are written anew, or speak of its own weights."""
_TIED = ("embed_tokens", "lm_head", "wte")


def merge(base: Path, adapter: Path, target: Path) -> None:
    """Write the model that the adapter makes of `base`, a transformers folder, into the empty folder `target`.

    Added in float32 and stored as float16, like what `gguf_to_transformers` writes, with the base's tokenizer, chat
    template and generation config.

    Raises:
        ModelError: the adapter does not fit the base, or the sum is not finite.
    """
    import torch
    from safetensors import SafetensorError
    from transformers import AutoModelForCausalLM

    from ragvoice.lora import load_lora

    try:
        model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
        adapted = load_lora(model, adapter)
        _refuse_half_of_a_tied_matrix(adapted, adapter)
        merged = adapted.merge_and_unload(safe_merge=True)
    except (OSError, ValueError, RuntimeError, KeyError, TypeError, SafetensorError) as error:
        raise ModelError(f"the adapter {adapter.name} cannot be merged into {base.name}: {error}") from error
    write_whole(merged, base, target)


def write_whole(model: Any, base: Path, target: Path) -> None:
    """The model in float16 in the folder `target`, with tokenizer, chat template and generation config of its base.

    Raises:
        ModelError: a weight is not finite in float16.
    """
    import torch

    model = model.to(torch.float16)
    for name, values in model.named_parameters():
        if not torch.isfinite(values).all():
            raise ModelError(f"{name} has become larger than float16 can hold (65504).")
    model.save_pretrained(target)
    for file in base.iterdir():
        if file.is_file() and file.suffix not in _WEIGHTS and file.name not in _WRITTEN:
            shutil.copyfile(file, target / file.name)
    compute_in_float32(target / "config.json")


def _refuse_half_of_a_tied_matrix(adapted: Any, adapter: Path) -> None:
    """Input and output of a tied model are one matrix: with the adapter of one added, the other changes, too."""
    if not adapted.config.tie_word_embeddings:
        return
    changed = {name.split(".lora_")[0].rpartition(".")[2] for name, _ in adapted.named_parameters() if ".lora_" in name}
    if changed & set(_TIED):
        raise ValueError(
            "it adapts the embeddings or the output layer, which are one matrix in this model. Use the runtime "
            "transformers, which adds it without merging, or train it on the inner layers"
        )
