"""GGUF -> a transformers folder: float16 safetensors, tokenizer, chat template, generation config.

transformers reads the weights. Three things that it leaves out are put right here, so that the result is what the
upstream repositories publish: the pre-tokenizer that the GGUF header names, the end tokens, the tied output layer.
Heavy imports stay inside the functions: this runs in the child process of `ragvoice.models.convert` only.
"""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

from ragvoice.errors import ModelError

TIED_RELATIVE_DIFFERENCE = 0.15
"""Of the Frobenius norms. Q5_0 and Q8_0 of Qwen's one matrix differ by 0.043; two unrelated matrices by about 1.4."""

END_OF_TEXT = "<|endoftext|>"
"""Chat models of the Qwen and SmolLM families end a turn with `<|im_end|>`, and now and then with this one."""


def convert(source: Path, target: Path) -> None:
    """Write `source`, a folder with one `.gguf` file, as a transformers folder into the empty folder `target`.

    Tensors are stored as float16 (half the disk; block-quantised weights have fewer significant bits than that) and
    `config.json` says `float32`, so that a plain `from_pretrained` computes in float32: float16 arithmetic is slow on
    CPUs and overflows in Qwen's activations.

    Raises:
        ModelError: no `.gguf` file or more than one, an architecture that transformers cannot read, no chat tokens.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    file = gguf_file(source)
    _read_header_once()
    try:
        tokenizer = AutoTokenizer.from_pretrained(source, gguf_file=file.name)
        model = AutoModelForCausalLM.from_pretrained(
            source, gguf_file=file.name, dtype=torch.float32, quantization_config=GgufConfig(dequantize=True)
        )
    except (ValueError, KeyError, NotImplementedError) as error:
        raise ModelError(f"transformers cannot read {file.name}: {error}. Use the safetensors of the model.") from error
    _restore_pre_tokenizer(tokenizer, _pre_tokenizer_name(file))
    tokenizer.model_max_length = model.config.max_position_embeddings
    _tie_output_layer(model)
    _set_end_tokens(model, tokenizer)
    model.to(torch.float16).save_pretrained(target)
    tokenizer.save_pretrained(target)
    compute_in_float32(target / "config.json")


def gguf_file(folder: Path) -> Path:
    """The only `.gguf` file of a folder.

    Raises:
        ModelError: there is none, or there are several.
    """
    files = sorted(folder.glob("*.gguf"))
    if len(files) != 1:
        found = ", ".join(file.name for file in files) or "none"
        raise ModelError(f"expected one .gguf file in {folder}, found: {found}. Keep one GGUF a folder.")
    return files[0]


def _read_header_once() -> None:
    """Let the four readers of one conversion share one: each takes seconds over the 300,000 strings of a vocabulary.

    Replaces a class of `gguf` for the rest of this process, which does nothing but this conversion.
    """
    import gguf

    if isinstance(gguf.GGUFReader, type):
        gguf.GGUFReader = functools.cache(gguf.GGUFReader)


def _pre_tokenizer_name(file: Path) -> str:
    """The header field `tokenizer.ggml.pre`: which splitting rule the vocabulary was trained with."""
    from gguf import GGUFReader

    field = GGUFReader(str(file)).fields.get("tokenizer.ggml.pre")
    return str(field.contents()) if field is not None else ""


def _restore_pre_tokenizer(tokenizer: Any, name: str) -> None:
    """Give the tokenizer the rule upstream uses; transformers picks one by architecture and ignores the header."""
    from tokenizers import normalizers, pre_tokenizers

    backend = tokenizer.backend_tokenizer
    if name == "smollm":
        digits = pre_tokenizers.Digits(individual_digits=True)
        byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
        backend.pre_tokenizer = pre_tokenizers.Sequence([digits, byte_level])
    elif name == "qwen2":
        backend.normalizer = normalizers.NFC()


def _tie_output_layer(model: Any) -> None:
    """Share one matrix between input and output where the GGUF holds two quantisations of the same one.

    llama.cpp's quantiser keeps the output layer of a tied model at a higher precision than the embeddings. The
    better copy serves for both: 136 million numbers fewer for Qwen2.5-0.5B, and nearer to upstream.
    """
    embeddings, output = model.get_input_embeddings().weight, model.get_output_embeddings().weight
    if model.config.tie_word_embeddings or embeddings.shape != output.shape:
        return
    difference = (embeddings.data - output.data).norm() / output.data.norm()
    if float(difference) > TIED_RELATIVE_DIFFERENCE:
        return
    embeddings.data.copy_(output.data)
    model.config.tie_word_embeddings = True
    model.tie_weights()


def _set_end_tokens(model: Any, tokenizer: Any) -> None:
    """Stop generation at the end of the turn and at the end of the text.

    Raises:
        ModelError: the end token of the tokenizer is not one token: the chat format would not work.
    """
    ends = [tokenizer.eos_token_id]
    if tokenizer.encode(tokenizer.eos_token, add_special_tokens=False) != ends:
        raise ModelError(
            f"{tokenizer.eos_token!r} is not a single token of this GGUF: its tokenizer was not read well."
        )
    text_end = tokenizer.convert_tokens_to_ids(END_OF_TEXT)
    if (text_end is not None and text_end not in (*ends, tokenizer.unk_token_id)) or (
        tokenizer.unk_token == END_OF_TEXT and text_end not in ends
    ):
        ends.append(text_end)
    model.generation_config.eos_token_id = ends
    model.config.eos_token_id = tokenizer.eos_token_id


def compute_in_float32(config_file: Path) -> None:
    config = json.loads(config_file.read_text(encoding="utf-8"))
    config["dtype"] = "float32"
    config_file.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
