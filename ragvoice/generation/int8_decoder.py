"""A decoder-only transformer on torch's int8 kernels (fbgemm): Llama and Qwen2, read from `models.to_torch_int8`.

Weights have a scale for each output, inputs one for each token, so a token's figures do not depend on the tokens beside
it. A product with one token takes little less time than with eight, since reading the weights is what takes it: so
several tokens that are only guessed can be tried at once (`prompt_lookup`).

Legend: `l` new tokens, `n` tokens so far with them, `h` hidden size, `q` and `k` heads of queries and of keys, `d` size
of a head, `v` vocabulary.
"""

from __future__ import annotations

import json
import math
import sys
import warnings
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ragvoice.errors import ModelError

_CONFIG, _WEIGHTS = "int8.json", "int8.safetensors"
_ENGINE = "fbgemm"
_SWITCH_S = 0.0005
"""For how long another thread may keep the interpreter. A pass gives it away some hundred times, and with Python's 5 ms
each time half of the speed is lost beside a thread that is busy half of the time (scratch: 16 tokens in 1.1 s alone,
2.1 s beside it, 1.6 s so)."""
_STEPS, _ZERO = 127, 128
"""Of a token's inputs: unsigned 8 bits around 128, with the largest one at 127 steps."""


@dataclass
class Cache:
    """Keys and values of the tokens that were read; those after `length` count as not there."""

    keys: Any
    """Tensor of shape (layers, k, capacity, d); `values` the same."""
    values: Any
    length: int = 0

    @property
    def capacity(self) -> int:
        return int(self.keys.shape[2])

    def part(self, start: int, end: int) -> Cache:
        """A copy of these tokens, no larger than it must be, in 16 bits."""
        span = slice(start, end)
        return Cache(self.keys[:, :, span].half(), self.values[:, :, span].half(), end - start)

    def add(self, more: Cache) -> None:
        span = slice(self.length, self.length + more.length)
        self.keys[:, :, span] = more.keys
        self.values[:, :, span] = more.values
        self.length += more.length


class Int8Decoder:
    """Thread-safe: a forward pass changes its cache only."""

    def __init__(self, folder: Path, context_tokens: int):
        """:param folder: A conversion to `torch-int8`.
        :param context_tokens: Most that a cache may hold.
        :raises ModelError: when it cannot be loaded, or torch has no such kernels on this processor.
        """
        import torch

        if _ENGINE not in torch.backends.quantized.supported_engines:
            raise ModelError(f"torch has no {_ENGINE} on this processor. Set llm_runtime = 'ctranslate2'.")
        torch.backends.quantized.engine = _ENGINE
        sys.setswitchinterval(_SWITCH_S)
        try:
            self._shape = json.loads((folder / _CONFIG).read_text(encoding="utf-8"))
            with torch.inference_mode(), warnings.catch_warnings():
                # torch means to drop its quantised tensors (pytorch issue 184982); 2.13, which is pinned, has them.
                warnings.filterwarnings("ignore", r"(?s)torch\.quantize_per_tensor.*deprecated")
                self._load(folder / _WEIGHTS, context_tokens)
        except (OSError, ValueError, KeyError, RuntimeError) as error:
            raise ModelError(f"{folder.name} cannot be loaded as int8 for torch ({error}).") from error

    def _load(self, file: Path, context_tokens: int) -> None:
        import torch
        from safetensors.torch import load_file

        tensors = load_file(file)
        # Copies: what is left of the file would stay in memory with them.
        self._embeddings_vh = tensors["embeddings"].clone()
        self._norm_h = tensors["norm"].clone()
        with ThreadPoolExecutor(torch.get_num_threads()) as threads:  # packing takes seconds, most of it the head
            head = threads.submit(_Linear, tensors, "head")
            names = [f"layers.{number}" for number in range(self._shape["layers"])]
            self._layers = list(threads.map(partial(_Layer, tensors), names))
            self._head = head.result()
        size = self._shape["head_size"]
        # Rotary positions (Su et al. 2021, arXiv 2104.09864), halves side by side as in Llama.
        frequencies = 1.0 / self._shape["rope_theta"] ** (torch.arange(0, size, 2).float() / size)
        angles = torch.outer(torch.arange(context_tokens).float(), frequencies).repeat(1, 2)
        self._cos_nd, self._sin_nd = angles.cos(), angles.sin()

    def cache(self, capacity: int) -> Cache:
        """An empty one."""
        import torch

        size = (self._shape["layers"], self._shape["key_value_heads"], capacity, self._shape["head_size"])
        return Cache(torch.empty(size), torch.empty(size))

    def read(self, ids: Sequence[int], cache: Cache, last: int = 1) -> Any:
        """Read tokens after those of the cache, which then holds them, too.

        :param ids: At least one, and no more than the cache has room for.
        :returns: Logits after each of the `last` tokens, shape (last, v).
        """
        import torch

        [hidden_lh] = deque(self.layer_by_layer(ids, cache), maxlen=1)
        with torch.inference_mode():
            return self._head(_normed(hidden_lh[len(ids) - last :], self._norm_h, self._shape["norm_epsilon"]))

    def layer_by_layer(self, ids: Sequence[int], cache: Cache) -> Iterator[Any]:
        """As `read`, for who may have to wait between two layers; the cache holds the tokens after the last one.

        :returns: What each layer makes of the tokens, shape (l, h).
        """
        import torch

        shape, l, n = self._shape, len(ids), cache.length + len(ids)  # noqa: E741
        with torch.inference_mode():
            hidden_lh = self._embeddings_vh[torch.tensor(ids)].float()
            rotation = self._cos_nd[cache.length : n], self._sin_nd[cache.length : n]
            # None is everything before and itself: true of a single token, and said by `is_causal` of the first ones.
            seen_ln = torch.ones(l, n, dtype=torch.bool).tril(cache.length) if cache.length and l > 1 else None
        for layer, keys_knd, values_knd in zip(self._layers, cache.keys, cache.values, strict=True):
            with torch.inference_mode():  # is of a thread, and another one may read on
                attended_lh = self._attended(layer, hidden_lh, rotation, seen_ln, keys_knd[:, :n], values_knd[:, :n])
                hidden_lh = hidden_lh + layer.output(attended_lh)
                gate_up = layer.gate_up(_normed(hidden_lh, layer.feed_forward_norm_h, shape["norm_epsilon"]))
                gate, up = gate_up.chunk(2, -1)
                hidden_lh = hidden_lh + layer.down(torch.nn.functional.silu(gate) * up)
            yield hidden_lh
        cache.length = n

    def _attended(
        self, layer: _Layer, hidden_lh: Any, rotation: tuple[Any, Any], seen_ln: Any, keys_knd: Any, values_knd: Any
    ) -> Any:
        """Writes the new tokens' keys and values behind the others."""
        import torch

        shape, l = self._shape, len(hidden_lh)  # noqa: E741
        q, k, d = shape["heads"], shape["key_value_heads"], shape["head_size"]
        joined = layer.query_key_value(_normed(hidden_lh, layer.attention_norm_h, shape["norm_epsilon"]))
        query, key, value = joined.split([q * d, k * d, k * d], -1)
        keys_knd[:, -l:] = _rotated(key.view(l, k, d).transpose(0, 1), *rotation)
        values_knd[:, -l:] = value.view(l, k, d).transpose(0, 1)
        attended_qld = torch.nn.functional.scaled_dot_product_attention(
            _rotated(query.view(l, q, d).transpose(0, 1), *rotation)[None],
            keys_knd[None],
            values_knd[None],
            attn_mask=seen_ln,
            is_causal=seen_ln is None and l > 1,
            scale=1 / math.sqrt(d),
            enable_gqa=True,
        )[0]
        return attended_qld.transpose(0, 1).reshape(l, q * d)


class _Layer:
    def __init__(self, tensors: dict[str, Any], name: str):
        self.query_key_value = _Linear(tensors, f"{name}.query_key_value")
        self.output = _Linear(tensors, f"{name}.output")
        self.gate_up = _Linear(tensors, f"{name}.gate_up")
        self.down = _Linear(tensors, f"{name}.down")
        self.attention_norm_h = tensors.pop(f"{name}.attention_norm").clone()
        self.feed_forward_norm_h = tensors.pop(f"{name}.feed_forward_norm").clone()


class _Linear:
    def __init__(self, tensors: dict[str, Any], name: str):
        """Takes its weights out of `tensors`: the packed ones are a copy."""
        import torch

        scale_o = tensors.pop(f"{name}.scale").double()
        quantised = torch._make_per_channel_quantized_tensor(
            tensors.pop(f"{name}.weight"), scale_o, torch.zeros(len(scale_o), dtype=torch.long), 0
        )
        self._packed = torch.ops.quantized.linear_prepack(quantised, None)
        self._bias_o = tensors.pop(f"{name}.bias").clone() if f"{name}.bias" in tensors else None
        self._product = torch.ops.quantized.linear_with_input_q_dq_qweight_dq_output_fp32

    def __call__(self, inputs_li: Any) -> Any:
        largest_l1 = inputs_li.abs().amax(-1, keepdim=True).clamp_min(1e-8)
        products_lo = self._product(inputs_li / largest_l1, 1 / _STEPS, _ZERO, self._packed).mul_(largest_l1)
        return products_lo if self._bias_o is None else products_lo.add_(self._bias_o)


def _normed(hidden_lh: Any, weight_h: Any, epsilon: float) -> Any:
    """Root mean square layer normalisation (Zhang and Sennrich 2019, arXiv 1910.07467)."""
    import torch

    return torch.nn.functional.rms_norm(hidden_lh, weight_h.shape, weight_h, epsilon)


def _rotated(heads_ld: Any, cos_ld: Any, sin_ld: Any) -> Any:
    import torch

    half = heads_ld.shape[-1] // 2
    return heads_ld * cos_ld + torch.cat([-heads_ld[..., half:], heads_ld[..., :half]], -1) * sin_ld
