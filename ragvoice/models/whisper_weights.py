"""Whisper in the formats of its three runtimes, from one file: CTranslate2's `model.bin`.

So a machine that can fetch one model can compare faster-whisper, openai-whisper and transformers on the same weights.
The catalogue's file holds float16 values as OpenAI published them, so nothing is lost.

Binary layout of `model.bin`, version 6, little endian (source: CTranslate2, python/ctranslate2/specs/model_spec.py,
`_serialize`); a string is a uint16 length, the bytes and a closing 0:

    uint32 version, string name, uint32 revision
    uint32 count, then for each variable: string name, uint8 rank, uint32 per axis, uint8 type, uint32 bytes, values
    uint32 count, then for each alias: string alias, string name
"""

from __future__ import annotations

import json
import math
import struct
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ragvoice.errors import ModelError

Weights = dict[str, NDArray[Any]]

_DTYPES = {0: np.float32, 1: np.int8, 2: np.int16, 3: np.int32, 4: np.float16}
_NAME = "WhisperSpec"
_VERSION = 6
# CTranslate2 name -> (transformers, openai), within one layer. `q`, `kv` and `qkv` are stacked along the first axis.
_PARTS = {
    "ffn/layer_norm": ("final_layer_norm", "mlp_ln"),
    "ffn/linear_0": ("fc1", "mlp.0"),
    "ffn/linear_1": ("fc2", "mlp.2"),
}
_ATTENTIONS = {
    "self_attention": ("self_attn", "self_attn_layer_norm", "attn", "attn_ln"),
    "attention": ("encoder_attn", "encoder_attn_layer_norm", "cross_attn", "cross_attn_ln"),
}
_PROJECTIONS = {"q": ("q_proj", "query"), "k": ("k_proj", "key"), "v": ("v_proj", "value"), "out": ("out_proj", "out")}
_OUTER = {
    "encoder/conv1": ("model.encoder.conv1", "encoder.conv1"),
    "encoder/conv2": ("model.encoder.conv2", "encoder.conv2"),
    "encoder/layer_norm": ("model.encoder.layer_norm", "encoder.ln_post"),
    "decoder/layer_norm": ("model.decoder.layer_norm", "decoder.ln"),
}


def read_model_bin(path: Path) -> Weights:
    """Variables of a CTranslate2 Whisper, by name, aliases included.

    :raises ModelError: no such file, another model, a quantised one, or it breaks off.
    """
    try:
        with path.open("rb") as file:
            return _read(file, path.name)
    except OSError as error:
        raise ModelError(f"{path.name} cannot be read: {error.strerror}; run `ragvoice models pull`.") from error
    except (struct.error, UnicodeDecodeError, ValueError, KeyError) as error:
        raise ModelError(f"{path.name} is damaged or of another version: {error}; pull the model again.") from error


def to_openai(src: Path, dst: Path) -> Path:
    """Write `dst/model.pt`, which `whisper.load_model(str(path))` reads.

    :param src: CTranslate2 folder.
    :return: the file.
    :raises ModelError: as `read_model_bin`.
    """
    import torch

    weights = read_model_bin(src / "model.bin")
    state = {openai: torch.from_numpy(values) for (_, openai), values in _renamed(weights).items()}
    sizes = _sizes(weights)
    dims = {
        "n_mels": sizes["mels"],
        "n_audio_ctx": sizes["audio_positions"],
        "n_audio_state": sizes["width"],
        "n_audio_head": sizes["encoder_heads"],
        "n_audio_layer": sizes["encoder_layers"],
        "n_vocab": sizes["vocabulary"],
        "n_text_ctx": sizes["text_positions"],
        "n_text_state": sizes["width"],
        "n_text_head": sizes["decoder_heads"],
        "n_text_layer": sizes["decoder_layers"],
    }
    dst.mkdir(parents=True, exist_ok=True)
    torch.save({"dims": dims, "model_state_dict": state}, dst / "model.pt")
    return dst / "model.pt"


def to_transformers(src: Path, dst: Path) -> Path:
    """Write a folder for `WhisperForConditionalGeneration` and `WhisperProcessor`; both load without a network.

    :param src: CTranslate2 folder with config.json and tokenizer.json.
    :return: the folder.
    :raises ModelError: as `read_model_bin`, or a missing config or tokenizer.
    """
    import torch
    from transformers import (
        GenerationConfig,
        WhisperConfig,
        WhisperFeatureExtractor,
        WhisperForConditionalGeneration,
        WhisperProcessor,
        WhisperTokenizer,
    )
    from transformers.utils.logging import disable_progress_bar

    weights = read_model_bin(src / "model.bin")
    sizes = _sizes(weights)
    try:
        settings = json.loads((src / "config.json").read_text(encoding="utf-8"))
        tokenizer_json = json.loads((src / "tokenizer.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{src.name} lacks a readable config.json or tokenizer.json: {error}") from error
    ids = {token["content"]: token["id"] for token in tokenizer_json["added_tokens"]}
    end, start = ids["<|endoftext|>"], ids["<|startoftranscript|>"]
    model = WhisperForConditionalGeneration(
        WhisperConfig(
            vocab_size=sizes["vocabulary"],
            num_mel_bins=sizes["mels"],
            d_model=sizes["width"],
            encoder_layers=sizes["encoder_layers"],
            decoder_layers=sizes["decoder_layers"],
            encoder_attention_heads=sizes["encoder_heads"],
            decoder_attention_heads=sizes["decoder_heads"],
            encoder_ffn_dim=sizes["ffn"],
            decoder_ffn_dim=sizes["ffn"],
            max_source_positions=sizes["audio_positions"],
            max_target_positions=sizes["text_positions"],
            pad_token_id=end,
            bos_token_id=end,
            eos_token_id=end,
            decoder_start_token_id=start,
        )
    ).to(torch.float16)
    state = {name: torch.from_numpy(values) for (name, _), values in _renamed(weights).items()}
    state["proj_out.weight"] = state["model.decoder.embed_tokens.weight"]
    try:
        model.load_state_dict(state, strict=True)
    except RuntimeError as error:
        raise ModelError(f"{src.name} is not laid out as Whisper: {error}") from error
    model.generation_config = GenerationConfig(**_generation_settings(settings, ids, sizes["text_positions"]))
    dst.mkdir(parents=True, exist_ok=True)
    disable_progress_bar()
    model.save_pretrained(dst)
    merges = [tuple(m) if isinstance(m, list) else tuple(m.split(" ")) for m in tokenizer_json["model"]["merges"]]
    tokenizer = WhisperTokenizer(vocab=tokenizer_json["model"]["vocab"], merges=merges)
    tokenizer.add_tokens(sorted(ids, key=ids.__getitem__), special_tokens=True)
    WhisperProcessor(WhisperFeatureExtractor(feature_size=sizes["mels"]), tokenizer).save_pretrained(dst)
    return dst


def _read(file: BinaryIO, name: str) -> Weights:
    def number(code: str) -> int:
        return int(struct.unpack("<" + code, file.read(struct.calcsize("<" + code)))[0])

    def string() -> str:
        return file.read(number("H"))[:-1].decode()

    version, spec = number("I"), string()
    if version != _VERSION or spec != _NAME:
        raise ModelError(f"{name} is {spec!r} in format {version}; expected {_NAME!r} in format {_VERSION}.")
    number("I")
    weights: Weights = {}
    for _ in range(number("I")):
        variable, rank = string(), number("B")
        shape = tuple(number("I") for _ in range(rank))
        dtype, size = np.dtype(_DTYPES[number("B")]), number("I")
        if size != math.prod(shape) * dtype.itemsize:
            raise ValueError(f"{variable} says {size} bytes for shape {shape} of {dtype}")
        weights[variable] = np.frombuffer(bytearray(file.read(size)), dtype).reshape(shape)
        if weights[variable].dtype == np.int8 and rank == 2:
            raise ModelError(f"{name} is quantised to 8 bits; only float16 and float32 can be converted.")
    for _ in range(number("I")):
        alias = string()
        weights[alias] = weights[string()]
    return weights


def _sizes(weights: Weights) -> dict[str, int]:
    def layers(side: str) -> int:
        return len(
            {name.split("/")[1] for name in weights if name.startswith(f"{side}/layer_") and name.count("/") > 2}
        )

    return {
        "mels": weights["encoder/conv1/weight"].shape[1],
        "width": weights["encoder/conv1/weight"].shape[0],
        "ffn": weights["encoder/layer_0/ffn/linear_0/weight"].shape[0],
        "audio_positions": weights["encoder/position_encodings/encodings"].shape[0],
        "text_positions": weights["decoder/position_encodings/encodings"].shape[0],
        "vocabulary": weights["decoder/embeddings/weight"].shape[0],
        "encoder_layers": layers("encoder"),
        "decoder_layers": layers("decoder"),
        "encoder_heads": int(weights["encoder/num_heads"]),
        "decoder_heads": int(weights["decoder/num_heads"]),
    }


def _renamed(weights: Weights) -> dict[tuple[str, str], NDArray[Any]]:
    """{(transformers name, openai name): values}."""
    renamed: dict[tuple[str, str], NDArray[Any]] = {
        ("model.encoder.embed_positions.weight", "encoder.positional_embedding"): weights[
            "encoder/position_encodings/encodings"
        ],
        ("model.decoder.embed_positions.weight", "decoder.positional_embedding"): weights[
            "decoder/position_encodings/encodings"
        ],
        ("model.decoder.embed_tokens.weight", "decoder.token_embedding.weight"): weights["decoder/embeddings/weight"],
    }

    def put(source: dict[str, NDArray[Any]], transformers: str, openai: str) -> None:
        for kind, values in source.items():
            renamed[f"{transformers}.{kind}", f"{openai}.{kind}"] = np.ascontiguousarray(values)

    def taken(prefix: str) -> dict[str, NDArray[Any]]:
        kinds = {"weight": "weight", "bias": "bias", "gamma": "weight", "beta": "bias"}
        return {kinds[kind]: weights[f"{prefix}/{kind}"] for kind in kinds if f"{prefix}/{kind}" in weights}

    for prefix, (transformers, openai) in _OUTER.items():
        put(taken(prefix), transformers, openai)
    sizes = _sizes(weights)
    for side in ("encoder", "decoder"):
        for index in range(sizes[f"{side}_layers"]):
            at, hf, oa = f"{side}/layer_{index}", f"model.{side}.layers.{index}", f"{side}.blocks.{index}"
            for part, (transformers, openai) in _PARTS.items():
                put(taken(f"{at}/{part}"), f"{hf}.{transformers}", f"{oa}.{openai}")
            for attention, (hf_attention, hf_norm, oa_attention, oa_norm) in _ATTENTIONS.items():
                if f"{at}/{attention}/layer_norm/gamma" not in weights:
                    continue  # the encoder has no cross-attention
                put(taken(f"{at}/{attention}/layer_norm"), f"{hf}.{hf_norm}", f"{oa}.{oa_norm}")
                for letter, values in _unfused(weights, f"{at}/{attention}").items():
                    transformers, openai = _PROJECTIONS[letter]
                    put(values, f"{hf}.{hf_attention}.{transformers}", f"{oa}.{oa_attention}.{openai}")
    return renamed


def _unfused(weights: Weights, prefix: str) -> dict[str, dict[str, NDArray[Any]]]:
    """q, k, v and out of one attention: linear_0 = qkv in self-attention; q, and linear_1 = kv, in cross-attention."""
    layout = ("qkv", "out") if prefix.endswith("self_attention") else ("q", "kv", "out")
    found: dict[str, dict[str, NDArray[Any]]] = {}
    for index, letters in enumerate(layout):
        names = (letters,) if letters == "out" else tuple(letters)
        for kind in ("weight", "bias"):
            parts = np.split(weights[f"{prefix}/linear_{index}/{kind}"], len(names))
            for name, values in zip(names, parts, strict=True):
                found.setdefault(name, {})[kind] = values
    del found["k"]["bias"]  # Whisper's keys have none; CTranslate2 stores zeros in its place
    return found


def _generation_settings(settings: dict[str, Any], ids: dict[str, int], text_positions: int) -> dict[str, Any]:
    """What `generate` must know of Whisper's special tokens."""
    return {
        "is_multilingual": True,
        "max_length": text_positions,
        "begin_suppress_tokens": settings["suppress_ids_begin"],
        "suppress_tokens": settings["suppress_ids"],
        "alignment_heads": settings["alignment_heads"],
        "lang_to_id": {token: number for token, number in ids.items() if number in set(settings["lang_ids"])},
        "task_to_id": {"transcribe": ids["<|transcribe|>"], "translate": ids["<|translate|>"]},
        "no_timestamps_token_id": ids["<|notimestamps|>"],
        "prev_sot_token_id": ids["<|startofprev|>"],
        "pad_token_id": ids["<|endoftext|>"],
        "bos_token_id": ids["<|endoftext|>"],
        "eos_token_id": ids["<|endoftext|>"],
        "decoder_start_token_id": ids["<|startoftranscript|>"],
        "return_timestamps": False,
        "max_initial_timestamp_index": 50,
    }
