"""A model that can be trained: the base, whole or in 4 bits, with the adapter's matrices in their places."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from typing import Any

from finetune.run import Training
from ragvoice.errors import ModelError, TrainingError, UsageError

_NATIVE_BF16 = ("avx512_bf16", "amx_bf16", "bf16")
"""Flags of a processor that multiplies bf16 itself; on another one it is slower than float32."""


def load_trainable(base: Path, settings: Training) -> Any:
    """:raises ModelError: when the base cannot be loaded.
    :raises UsageError, TrainingError: for settings that do not fit together, or do not fit the model.
    """
    import torch
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()
    if not settings.quantised:  # peft imports it all the same, and it says which of its kernels are missing
        logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    half = uses_bf16(settings.precision, device)
    full = settings.method == "full"
    if full and settings.quantised:
        raise UsageError("quantised = true trains an adapter on a 4-bit base; it does not go with method = 'full'.")
    try:
        model = AutoModelForCausalLM.from_pretrained(
            base,
            # What the optimizer changes is kept in float32: its steps are smaller than bf16 resolves.
            dtype=torch.bfloat16 if half and not full else torch.float32,
            attn_implementation="sdpa",
            quantization_config=_nf4(torch) if settings.quantised else None,
            device_map={"": _device()} if settings.quantised else None,
        )
    except ImportError as error:
        raise ModelError(f"{error}. Install it with: pip install 'ragvoice[quantised]'") from error
    except (OSError, ValueError, RuntimeError) as error:
        raise ModelError(f"{base.name} cannot be loaded for training ({error}).") from error
    model.config.use_cache = False
    if settings.quantised:
        _keep_differentiable(model)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".(is_)?gradient_checkpointing(_enable)?. is deprecated")  # also of peft
        if settings.gradient_checkpointing and not settings.quantised:
            model.gradient_checkpointing_enable({"use_reentrant": False})
            model.enable_input_require_grads()
        if full:
            return model
        model = _with_adapter(model, settings)
    if half:
        _multiply_in_bf16(model)
    return model


def uses_bf16(precision: str, device: str) -> bool:
    if precision != "auto":
        return precision == "bf16"
    if device == "cuda":
        import torch

        return bool(torch.cuda.is_bf16_supported())
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8").split()
    except OSError:
        return False
    return any(flag in flags for flag in _NATIVE_BF16)


def trained_parameters(model: Any) -> int:
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


def _with_adapter(model: Any, settings: Training) -> Any:
    from peft import LoraConfig, get_peft_model, prepare_model_for_kbit_training

    if settings.quantised:
        model = prepare_model_for_kbit_training(
            model,
            use_gradient_checkpointing=settings.gradient_checkpointing,
            gradient_checkpointing_kwargs={"use_reentrant": False},
        )
    targets = settings.targets if isinstance(settings.targets, str) else list(settings.targets)
    config = LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,
        lora_dropout=settings.dropout,
        target_modules=targets,
        use_dora=settings.dora,
        use_rslora=settings.rslora,
        task_type="CAUSAL_LM",
    )
    try:
        return get_peft_model(model, config)
    except ValueError as error:
        raise TrainingError(f"No adapter can be put on these layers ({error}). Change `targets` in the run.") from error


def _multiply_in_bf16(model: Any) -> None:
    """Adapters take the layers' inputs as they are: peft would keep a float32 copy of each until the backward pass.

    Their float32 matrices then need `torch.autocast`, which the trainer's `bf16` is.
    """
    from peft.tuners.lora import LoraLayer

    for module in model.modules():
        if isinstance(module, LoraLayer):
            module.cast_input_dtype_enabled = False


def _keep_differentiable(model: Any) -> None:
    """No layer takes the fast path of bitsandbytes on a CPU with bf16: a look at the held-out part, without gradients,
    would pack its weights for a product that has none, and no layer below it would be trained any more.
    """
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False


def _nf4(torch: Any) -> Any:
    from transformers import BitsAndBytesConfig

    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_compute_dtype=torch.bfloat16,
        bnb_4bit_use_double_quant=True,
    )


def _device() -> Any:
    """Of this process: each one of a distributed run has a GPU of its own."""
    import os

    import torch

    return int(os.environ.get("LOCAL_RANK", "0")) if torch.cuda.is_available() else "cpu"
