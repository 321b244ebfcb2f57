"""transformers folder of a Llama or Qwen2 -> int8 weights for torch. Runs in the conversion's child process only.

Each row of a matrix, the weights of one output, has its own scale (symmetric, 127 steps to either side). Matrices that
read the same input are joined: query, key and value; gate and up. Embeddings are kept in float16 and norms in float32.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ragvoice.errors import ModelError
from ragvoice.models.to_ctranslate2 import BESIDE

CONFIG, WEIGHTS = "int8.json", "int8.safetensors"
FAMILIES = ("llama", "qwen2")
"""`model_type` of the models whose forward pass is `ragvoice.generation.int8_decoder`'s."""

_STEPS = 127
_PAIR_STEPS = 128
"""Without VNNI the kernels add the products of two neighbouring weights with inputs up to 255 in 16 bits."""


def convert(source: Path, target: Path) -> None:
    """Write `source` into the empty folder `target`.

    :raises ModelError: when the model is of another family, or has parts that such a forward pass lacks.
    """
    from safetensors.torch import save_file

    config = json.loads((source / "config.json").read_text(encoding="utf-8"))
    shape = _shape(config, source.name)
    save_file(_quantised(_tensors(source), shape["layers"]), target / WEIGHTS)
    (target / CONFIG).write_text(json.dumps(shape, indent=1) + "\n", encoding="utf-8")
    for name in BESIDE:
        if (source / name).is_file():
            (target / name).parent.mkdir(exist_ok=True)
            shutil.copyfile(source / name, target / name)


def _shape(config: dict[str, Any], name: str) -> dict[str, Any]:
    """What the forward pass has to know of `config.json`."""
    rope = config.get("rope_parameters") or config.get("rope_scaling") or {}
    family, kind = config.get("model_type"), rope.get("rope_type", rope.get("type", "default"))
    lacking = [
        said
        for said, there in (
            (f"it is a {family}, not one of {', '.join(FAMILIES)}", family not in FAMILIES),
            (f"its positions are scaled ({kind})", kind != "default"),
            ("it attends to a sliding window", bool(config.get("use_sliding_window"))),
            (f"its activation is {config.get('hidden_act')}", config.get("hidden_act") != "silu"),
        )
        if there
    ]
    if lacking:
        raise ModelError(
            f"{name} has no int8 form for torch: {'; '.join(lacking)}. Set llm_runtime = 'ctranslate2', or "
            "'transformers'."
        )
    heads = config["num_attention_heads"]
    return {
        "layers": config["num_hidden_layers"],
        "heads": heads,
        "key_value_heads": config.get("num_key_value_heads") or heads,
        "head_size": config.get("head_dim") or config["hidden_size"] // heads,
        "norm_epsilon": config["rms_norm_eps"],
        "rope_theta": rope.get("rope_theta") or config.get("rope_theta", 10_000.0),
    }


def _tensors(source: Path) -> Callable[[str], Any]:
    """Name -> tensor in float32, None where the model has none of that name."""
    from safetensors import safe_open

    where: dict[str, Path] = {}
    for file in sorted(source.glob("*.safetensors")):
        with safe_open(file, framework="pt") as opened:
            where |= dict.fromkeys(opened.keys(), file)

    def tensor(name: str) -> Any:
        if name not in where:
            return None
        with safe_open(where[name], framework="pt") as opened:
            return opened.get_tensor(name).float()

    return tensor


def _quantised(tensor: Callable[[str], Any], layers: int) -> dict[str, Any]:
    """:raises ModelError: when a value is larger than float16 can hold."""
    import torch

    made: dict[str, Any] = {}

    def put(name: str, *parts: str) -> None:
        """Rows of several matrices, one below the other."""
        weights_oi = torch.cat([tensor(f"{part}.weight") for part in parts])
        scale_o = _scale(weights_oi)
        made[f"{name}.weight"] = (weights_oi / scale_o[:, None]).round().to(torch.int8)
        made[f"{name}.scale"] = scale_o
        biases = [tensor(f"{part}.bias") for part in parts]
        if biases[0] is not None:
            made[f"{name}.bias"] = torch.cat(biases)

    for number in range(layers):
        layer, its = f"layers.{number}", f"model.layers.{number}"
        put(f"{layer}.query_key_value", *(f"{its}.self_attn.{part}_proj" for part in "qkv"))
        put(f"{layer}.output", f"{its}.self_attn.o_proj")
        put(f"{layer}.gate_up", f"{its}.mlp.gate_proj", f"{its}.mlp.up_proj")
        put(f"{layer}.down", f"{its}.mlp.down_proj")
        made[f"{layer}.attention_norm"] = tensor(f"{its}.input_layernorm.weight")
        made[f"{layer}.feed_forward_norm"] = tensor(f"{its}.post_attention_layernorm.weight")
    made["norm"] = tensor("model.norm.weight")
    embeddings = tensor("model.embed_tokens.weight")
    made["embeddings"] = embeddings.to(torch.float16)
    if not made["embeddings"].isfinite().all():
        raise ModelError("An embedding of the model is larger than float16 can hold.")
    put("head", "lm_head" if tensor("lm_head.weight") is not None else "model.embed_tokens")
    return made


def _scale(weights_oi: Any) -> Any:
    """Of each row: the smallest with which neither a weight nor the sum of a pair is too large for the kernels."""
    import torch

    pairs_oj2 = torch.nn.functional.pad(weights_oi, (0, weights_oi.shape[1] % 2)).unflatten(1, (-1, 2))
    largest_o = weights_oi.abs().amax(1) / _STEPS
    # Rounding may add half a step to either.
    largest_pair_o = pairs_oj2.sum(-1).abs().amax(1) / (_PAIR_STEPS - 1)
    return torch.maximum(largest_o, largest_pair_o).clamp_min(1e-8)
