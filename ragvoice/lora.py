"""A LoRA adapter onto a transformers model, whole or not at all. Answering, merging and training share this.

Covers LoRA (arXiv 2106.09685), rsLoRA (arXiv 2312.03732) and DoRA (arXiv 2402.09353), in PEFT's format.
"""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

CONFIG = "adapter_config.json"
WEIGHTS = "adapter_model.safetensors"


def load_lora(model: Any, folder: Path, name: str = "default") -> Any:
    """The model with this adapter beside those that it may have already; PEFT's class, whatever class it came as.

    :raises ValueError: when it is no LoRA adapter, or its matrices are not exactly those that the model has places for:
        peft loads what fits and passes over the rest, and a half-loaded adapter answers worse. It is then taken off.
    :raises OSError, KeyError, TypeError, RuntimeError, SafetensorError: from peft, for a damaged folder.
    """
    from peft import PeftConfig, PeftModel, get_peft_model

    stored = _stored(folder)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Found missing adapter keys")  # said below, as an error
        warnings.filterwarnings("ignore", ".is_gradient_checkpointing. is deprecated")  # of peft in transformers
        warnings.filterwarnings("ignore", "Model has `tie_word_embeddings=True`")  # refused where it matters: in merging
        alone = not isinstance(model, PeftModel)
        if alone:
            config = PeftConfig.from_pretrained(folder)
            config.inference_mode = True
            config.base_model_name_or_path = None  # of another machine; the places below tell whether it fits
            model = get_peft_model(model, config, name)
        try:
            model.load_adapter(folder, name, torch_device=str(model.device))
            _check_places(model, name, stored)
        except Exception:
            if alone:
                model.unload()
            elif name in model.peft_config:
                model.delete_adapter(name)
            raise
        return model


def _stored(folder: Path) -> set[str]:
    """Names of the adapter's tensors."""
    from safetensors import safe_open

    config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    if config.get("peft_type") != "LORA":
        raise ValueError(f"it is an adapter of the kind {config.get('peft_type')}, not LORA")
    with safe_open(folder / WEIGHTS, framework="np") as tensors:
        return set(tensors.keys())


def _check_places(model: Any, name: str, stored: set[str]) -> None:
    from peft import get_peft_model_state_dict

    places = set(get_peft_model_state_dict(model, adapter_name=name, save_embedding_layers=False))
    found = {tensor for tensor in stored if "lora_" in tensor or tensor in places}
    if places != found:
        raise ValueError(
            f"it belongs to another base model: {len(found - places)} of its {len(stored)} matrices have no place, "
            f"{len(places - found)} places stay empty"
        )
