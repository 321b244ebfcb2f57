"""What llama.cpp calls the parts of a transformers model, and in which order it keeps the rows of some of them.

After llama.cpp's `convert_hf_to_gguf.py` and `convert_lora_to_gguf.py`, for three families; names by the package gguf.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ragvoice.errors import ModelError

_ARCHITECTURES = ("llama", "qwen2", "qwen3")
"""transformers' `model_type` and llama.cpp's architecture have the same name in these."""
_USE_CONVERTER = "Export it as safetensors and use llama.cpp's own converter, convert_hf_to_gguf.py."


@dataclass(frozen=True)
class GgufLayout:
    architecture: str
    config: dict[str, Any]
    """`config.json` of the transformers model."""

    @classmethod
    def of(cls, folder: Path) -> GgufLayout:
        """:raises ModelError: for a family or a kind of positions that is not known here."""
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        architecture, rope = config["model_type"], config.get("rope_parameters") or {}
        if architecture not in _ARCHITECTURES:
            raise ModelError(f"A {architecture} model cannot be written as GGUF here. {_USE_CONVERTER}")
        if rope.get("rope_type", "default") != "default":
            raise ModelError(
                f"Positions of the kind {rope['rope_type']} cannot be written as GGUF here. {_USE_CONVERTER}"
            )
        return cls(architecture, config)

    @property
    def layers(self) -> int:
        return int(self.config["num_hidden_layers"])

    @property
    def heads(self) -> int:
        return int(self.config["num_attention_heads"])

    @property
    def key_heads(self) -> int:
        return int(self.config.get("num_key_value_heads") or self.heads)

    @property
    def head_width(self) -> int:
        return int(self.config.get("head_dim") or self.config["hidden_size"] // self.heads)

    def name(self, tensor: str) -> str:
        """llama.cpp's name of a tensor of transformers: `model.layers.0.mlp.up_proj.weight` -> `blk.0.ffn_up.weight`.

        :raises ModelError: when it has none.
        """
        import gguf

        kind = gguf.MODEL_ARCH[self.architecture.upper()]
        name = gguf.get_tensor_name_map(kind, self.layers).get_name(tensor, try_suffixes=(".weight", ".bias"))
        if name is None:
            raise ModelError(f"llama.cpp has no place for {tensor} in a {self.architecture} model.")
        return str(name)

    def ordered(self, tensor: str, values: NDArray[Any]) -> NDArray[Any]:
        """The rows of a tensor as llama.cpp wants them.

        In the Llama family its rotary embedding turns neighbouring rows of q and k, where transformers turns row i
        and row i + half a head; so the two halves of each head are interleaved. The same for biases and LoRA's B.
        """
        if self.architecture != "llama" or not any(part in tensor for part in (".q_proj.", ".k_proj.")):
            return values
        return interleaved(values, self.heads if ".q_proj." in tensor else self.key_heads)


def interleaved(values: NDArray[Any], heads: int) -> NDArray[Any]:
    """Rows 0 .. 2n of each head in the order 0, n, 1, n + 1, ...

    :param values: Shape (heads * 2n, ...).
    """
    halves = values.reshape(heads, 2, values.shape[0] // heads // 2, *values.shape[1:])
    return np.ascontiguousarray(halves.swapaxes(1, 2).reshape(values.shape))
