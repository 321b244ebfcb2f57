"""A byte-level BPE tokenizer in a GGUF header."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ragvoice.errors import ModelError

_QWEN2 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_LLAMA3 = _QWEN2.replace(r"|\p{N}|", r"|\p{N}{1,3}|")
_RULES = {_QWEN2: "qwen2", _LLAMA3: "llama-bpe"}


def add_tokenizer(writer: Any, folder: Path, rows: int) -> None:
    """:param writer: A `gguf.GGUFWriter`.
    :param folder: With tokenizer.json, tokenizer_config.json and the chat template.
    :param rows: Of the embedding matrix; it may have more than there are tokens.
    :raises ModelError: when llama.cpp has no tokenizer that splits like this one.
    """
    import gguf
    from tokenizers import Tokenizer

    file = folder / "tokenizer.json"
    data = json.loads(file.read_text(encoding="utf-8"))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(splitting_rule(data))
    texts = {number: text for text, number in data["model"]["vocab"].items()}
    kinds = dict.fromkeys(texts, gguf.TokenType.NORMAL)
    for token in data["added_tokens"]:
        texts[token["id"]] = token["content"]
        kinds[token["id"]] = gguf.TokenType.CONTROL if token["special"] else gguf.TokenType.USER_DEFINED
    writer.add_token_list([texts.get(number, f"[PAD{number}]") for number in range(rows)])
    writer.add_token_types([kinds.get(number, gguf.TokenType.UNUSED) for number in range(rows)])
    merges = data["model"]["merges"]
    writer.add_token_merges([merge if isinstance(merge, str) else " ".join(merge) for merge in merges])
    tokenizer = Tokenizer.from_file(str(file))
    config = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    special = {name: _id(tokenizer, config.get(f"{name}_token")) for name in ("bos", "eos", "unk", "pad")}
    for name, number in special.items():
        if number is not None:
            getattr(writer, f"add_{name}_token_id")(number)
    begins = tokenizer.encode("a").ids[:1] == [special["bos"]]
    writer.add_add_bos_token(begins)
    writer.add_add_space_prefix(False)
    template = folder / "chat_template.jinja"
    chat = template.read_text(encoding="utf-8") if template.is_file() else config.get("chat_template")
    if isinstance(chat, str):
        writer.add_chat_template(chat)


def splitting_rule(tokenizer: dict[str, Any]) -> str:
    """llama.cpp's name (`tokenizer.ggml.pre`) of how tokenizer.json splits a text before the merges.

    :raises ModelError: for another model than byte-level BPE, or a rule that has no name here.
    """
    pre = tokenizer.get("pre_tokenizer") or {}
    steps = pre.get("pretokenizers", [pre])
    kinds = [step.get("type") for step in steps]
    if tokenizer["model"].get("type") == "BPE" and kinds and kinds[-1] == "ByteLevel":
        if kinds == ["Split", "ByteLevel"]:
            name = _RULES.get(steps[0]["pattern"].get("Regex", ""))
            if name:
                return name
        if kinds == ["Digits", "ByteLevel"] and steps[0]["individual_digits"] and steps[1]["use_regex"]:
            return "smollm"
        if kinds == ["ByteLevel"] and steps[0]["use_regex"]:
            return "gpt-2"
    raise ModelError(
        "Its tokenizer is none that can be written into a GGUF here. Export it as safetensors and use llama.cpp's own "
        "converter, convert_hf_to_gguf.py."
    )


def _id(tokenizer: Any, token: Any) -> int | None:
    text = token.get("content") if isinstance(token, dict) else token
    return tokenizer.token_to_id(text) if text else None
