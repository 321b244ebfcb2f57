"""What `runtimes.py` writes for a runtime that cannot read the store's files: a random adapter, another GGUF."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

LORA_RANK = 8
LORA_SIZE = 0.1
"""Standard deviation of the random adapter's B; large enough that every answer changes."""
OPENVINO_READS = ("F32", "F16", "Q4_0", "Q4_1", "Q8_0", "Q4_K", "Q6_K")


@dataclass(frozen=True)
class ModelFiles:
    """One model in the formats of the runtimes, and a folder for what has to be written for one of them."""

    gguf: Path
    transformers: Path
    ctranslate2: Path
    torch: Path
    work: Path
    threads: int


def write_adapter(files: ModelFiles, size: float) -> Path:
    """A PEFT LoRA adapter of the q and v projections with a random A and a B of this standard deviation."""
    from safetensors.numpy import save_file

    config = json.loads((files.transformers / "config.json").read_text(encoding="utf-8"))
    width, heads = config["hidden_size"], config["num_attention_heads"]
    head_width = config.get("head_dim") or width // heads
    outputs = {"q_proj": heads * head_width, "v_proj": config["num_key_value_heads"] * head_width}
    folder, rng = files.work / f"adapter-{size}", np.random.default_rng(0)
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {}
    for layer in range(config["num_hidden_layers"]):
        for name, rows in outputs.items():
            prefix = f"base_model.model.model.layers.{layer}.self_attn.{name}"
            a = rng.normal(0, width**-0.5, (LORA_RANK, width))
            b = rng.normal(0, size, (rows, LORA_RANK)) if size else np.zeros((rows, LORA_RANK))
            tensors |= {
                f"{prefix}.lora_A.weight": a.astype(np.float32),
                f"{prefix}.lora_B.weight": b.astype(np.float32),
            }
    save_file(tensors, folder / "adapter_model.safetensors", {"format": "pt"})
    about = {"peft_type": "LORA", "task_type": "CAUSAL_LM", "r": LORA_RANK, "lora_alpha": LORA_RANK}
    about |= {"target_modules": list(outputs), "base_model_name_or_path": str(files.transformers)}
    (folder / "adapter_config.json").write_text(json.dumps(about), encoding="utf-8")
    return folder


def write_gguf_adapter(files: ModelFiles) -> Path:
    """The same adapter for llama.cpp. Only for architectures without its permutation of q and k, such as Qwen2."""
    import gguf
    from safetensors.numpy import load_file

    architecture = json.loads((files.transformers / "config.json").read_text(encoding="utf-8"))["model_type"]
    if architecture == "llama":
        raise ValueError("llama.cpp permutes q_proj of the Llama family; this benchmark's adapter does not")
    path = files.work / "adapter.gguf"
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_type(gguf.GGUFType.ADAPTER)
    writer.add_string(gguf.Keys.Adapter.TYPE, "lora")
    writer.add_float32(gguf.Keys.Adapter.LORA_ALPHA, float(LORA_RANK))
    for name, matrix in load_file(write_adapter(files, LORA_SIZE) / "adapter_model.safetensors").items():
        _, _, _, _, layer, _, projection, lora, _ = name.split(".")
        writer.add_tensor(f"blk.{layer}.attn_{projection[0]}.weight.{lora.lower()}", matrix)
    _close(writer)
    return path


def gguf_for_openvino(files: ModelFiles) -> Path:
    """The GGUF, with block formats that OpenVINO GenAI cannot read (Q5_0 and others) written again as Q8_0."""
    import gguf

    source = gguf.GGUFReader(files.gguf)
    if all(tensor.tensor_type.name in OPENVINO_READS for tensor in source.tensors):
        return files.gguf
    path = files.work / "openvino.gguf"
    if path.is_file():
        return path
    writer = gguf.GGUFWriter(path.with_suffix(".part"), source.fields["general.architecture"].contents())
    for field in source.fields.values():
        if not field.name.startswith("GGUF.") and field.name != "general.architecture":
            inner = field.types[-1] if field.types[0] == gguf.GGUFValueType.ARRAY else None
            writer.add_key_value(field.name, field.contents(), field.types[0], inner)
    q8 = gguf.GGMLQuantizationType.Q8_0
    for tensor in source.tensors:
        if tensor.tensor_type.name in OPENVINO_READS:
            writer.add_tensor(tensor.name, tensor.data, raw_dtype=tensor.tensor_type)
        else:
            numbers = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
            writer.add_tensor(tensor.name, gguf.quants.quantize(numbers, q8), raw_dtype=q8)
    _close(writer)
    path.with_suffix(".part").rename(path)
    return path


def _close(writer: Any) -> None:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
