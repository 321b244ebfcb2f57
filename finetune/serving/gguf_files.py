"""Two GGUF files for llama.cpp: a whole model, and a LoRA adapter that is loaded beside its base."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from finetune.serving.gguf_layout import GgufLayout
from finetune.serving.gguf_tokenizer import add_tokenizer
from ragvoice.errors import ModelError
from ragvoice.lora import CONFIG, WEIGHTS

GgufPrecision = Literal["q8_0", "f16"]
_BLOCK = 32
"""Numbers that share a scale in Q8_0."""
_STORED_AS = {"Q8_0": "uint8", "F16": "float16", "F32": "float32"}
_ADAPTER_PREFIX = "base_model.model."


def write_model(folder: Path, file: Path, name: str, precision: GgufPrecision = "q8_0") -> None:
    """A transformers folder as one GGUF; matrices in `precision`, vectors in float32. Holds one tensor at a time.

    :raises ModelError: for a family, tokenizer or tensor that llama.cpp's format has no known place for.
    """
    import gguf

    layout = GgufLayout.of(folder)
    with _writer(file, layout.architecture) as writer:
        writer.add_type(gguf.GGUFType.MODEL)
        writer.add_name(name)
        _add_sizes(writer, layout)
        writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q8_0 if precision == "q8_0" else gguf.LlamaFileType.MOSTLY_F16)
        writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
        add_tokenizer(writer, folder, int(layout.config["vocab_size"]))
        kinds: dict[str, Any] = {}
        for tensor, values in _tensors(folder):
            kind = kinds[tensor] = _kind(values.shape, precision)
            shape = gguf.quant_shape_to_byte_shape(values.shape, kind) if kind.name == "Q8_0" else values.shape
            dtype: np.dtype[Any] = np.dtype(_STORED_AS[kind.name])
            size = math.prod(shape) * dtype.itemsize
            writer.add_tensor_info(layout.name(tensor), shape, dtype, size, kind)
        _write_header(writer)
        for tensor, values in _tensors(folder):
            ordered = layout.ordered(tensor, values).astype(np.float32)
            writer.write_tensor_data(gguf.quants.quantize(ordered, kinds[tensor]))


def write_adapter(adapter: Path, base: Path, file: Path, name: str) -> None:
    """A LoRA or rsLoRA adapter for `llama-server --lora FILE`, its matrices as they are (float16 or float32).

    :param base: transformers folder of the model that it is for; only its config.json is read.
    :raises ModelError: for what llama.cpp's adapters cannot hold: DoRA, biases, whole layers, ranks by layer.
    """
    import gguf
    from safetensors import safe_open

    layout = GgufLayout.of(base)
    config = json.loads((adapter / CONFIG).read_text(encoding="utf-8"))
    rank, alpha = _rank_and_alpha(config, adapter.name)
    with safe_open(adapter / WEIGHTS, framework="np") as tensors, _writer(file, layout.architecture) as writer:
        writer.add_type(gguf.GGUFType.ADAPTER)
        writer.add_name(name)
        writer.add_string(gguf.Keys.Adapter.TYPE, "lora")
        writer.add_float32(gguf.Keys.Adapter.LORA_ALPHA, alpha)
        matrices: list[NDArray[Any]] = []
        for tensor in sorted(tensors.keys()):
            module, dot, matrix = tensor.removeprefix(_ADAPTER_PREFIX).rpartition(".lora_")
            if not dot or matrix not in ("A.weight", "B.weight"):
                raise ModelError(
                    f"llama.cpp's adapters have no place for {tensor}. Export the merged model: --format gguf"
                )
            values = tensors.get_tensor(tensor)
            if matrix == "B.weight":
                values = layout.ordered(f"{module}.weight", values)
            if values.shape[0 if matrix == "A.weight" else 1] != rank:
                raise ModelError(f"{tensor} has not the rank {rank}. Export the merged model: --format gguf")
            name_there = f"{layout.name(f'{module}.weight')}.lora_{matrix[0].lower()}"
            writer.add_tensor_info(name_there, values.shape, values.dtype, values.nbytes)
            matrices.append(values)
        _write_header(writer)
        for values in matrices:
            writer.write_tensor_data(values)


def _rank_and_alpha(config: dict[str, Any], name: str) -> tuple[int, float]:
    """llama.cpp multiplies with alpha / rank; rsLoRA means alpha / sqrt(rank) (arXiv 2312.03732).

    :raises ModelError: when one such factor cannot say it.
    """
    several = config.get("rank_pattern") or config.get("alpha_pattern")
    if config.get("use_dora") or several or config.get("bias", "none") != "none":
        what = "is DoRA" if config.get("use_dora") else "has ranks or biases of its own in some layers"
        raise ModelError(
            f"The adapter {name} {what}, which llama.cpp's adapters cannot hold. Export the merged model: --format gguf"
        )
    rank, alpha = int(config["r"]), float(config["lora_alpha"])
    return rank, alpha * rank**0.5 if config.get("use_rslora") else alpha


def _add_sizes(writer: Any, layout: GgufLayout) -> None:
    config = layout.config
    writer.add_vocab_size(config["vocab_size"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(layout.layers)
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(layout.heads)
    writer.add_head_count_kv(layout.key_heads)
    writer.add_key_length(layout.head_width)
    writer.add_value_length(layout.head_width)
    writer.add_rope_dimension_count(layout.head_width)
    writer.add_rope_freq_base((config.get("rope_parameters") or config)["rope_theta"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])


def _tensors(folder: Path) -> Iterator[tuple[str, NDArray[Any]]]:
    """Name and values of each; of two that are one matrix, the input's."""
    from safetensors import safe_open

    tied = json.loads((folder / "config.json").read_text(encoding="utf-8")).get("tie_word_embeddings", False)
    for file in sorted(folder.glob("*.safetensors")):
        with safe_open(file, framework="np") as tensors:
            for name in tensors.keys():  # noqa: SIM118
                if not (tied and name == "lm_head.weight"):
                    yield name, tensors.get_tensor(name)


def _kind(shape: tuple[int, ...], precision: GgufPrecision) -> Any:
    import gguf

    kinds = gguf.GGMLQuantizationType
    if len(shape) == 1:
        return kinds.F32
    return kinds.Q8_0 if precision == "q8_0" and shape[-1] % _BLOCK == 0 else kinds.F16


@contextmanager
def _writer(file: Path, architecture: str) -> Iterator[Any]:
    """Writes beside the file and gives it its name at the end."""
    import gguf

    part = file.with_name(f"{file.name}.part")
    writer = gguf.GGUFWriter(part, architecture)
    try:
        yield writer
        writer.close()
        part.replace(file)
    finally:
        writer.close()
        part.unlink(missing_ok=True)


def _write_header(writer: Any) -> None:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
