"""What llama.cpp answers from the written files is what transformers answers from the same weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from byte_model import make_byte_model
from llama_cpp import answers
from tiny_models import make_lora, make_tiny_llama

from finetune.serving.gguf_files import _rank_and_alpha, write_adapter, write_model
from finetune.serving.gguf_layout import GgufLayout, interleaved
from finetune.serving.gguf_tokenizer import splitting_rule
from ragvoice.errors import ModelError
from ragvoice.lora import load_lora
from ragvoice.models import ModelStore
from ragvoice.models.convert import convert
from ragvoice.settings import home

PROMPTS = ("<|im_start|>user\nthe 2024 then<|im_end|>\n<|im_start|>assistant\n", "The cat's\n\n  the é 🙂")


def reference(folder: Path, prompts: Any, tokens: int, adapter: Path | None = None) -> list[tuple[str, int]]:
    """The same by transformers and peft, in float32."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    model = load_lora(model, adapter) if adapter else model
    found = []
    for prompt in prompts:
        ids = tokenizer(prompt, add_special_tokens=False, return_tensors="pt")
        length = ids["input_ids"].shape[1]
        out = model.generate(**ids, max_new_tokens=tokens, do_sample=False)
        found.append((tokenizer.decode(out[0, length:], skip_special_tokens=True), length))
    return found


def test_halves_of_a_head_are_interleaved() -> None:
    rows = np.arange(8)[:, None]  # two heads of four rows
    assert interleaved(rows, 2)[:, 0].tolist() == [0, 2, 1, 3, 4, 6, 5, 7]


@pytest.mark.parametrize("family", ["llama", "qwen2", "qwen3"])
def test_llama_cpp_answers_like_transformers(tmp_path: Path, family: str) -> None:
    base = make_byte_model(tmp_path / "base", family)
    adapter = make_lora(base, tmp_path / "adapter", target_modules="all-linear", r=4, use_rslora=True, lora_alpha=3)
    merged = tmp_path / "merged"
    merged.mkdir()
    convert(base, merged, "transformers", adapter)
    write_model(base, tmp_path / "base.gguf", "base", "f16")
    write_model(merged, tmp_path / "merged.gguf", "merged", "f16")
    write_adapter(adapter, base, tmp_path / "adapter.gguf", "adapter")
    plain, adapted = reference(base, PROMPTS, 6), reference(base, PROMPTS, 6, adapter)
    assert [text for text, _ in plain] != [text for text, _ in adapted]
    assert answers(tmp_path / "base.gguf", PROMPTS, 6) == plain
    assert answers(tmp_path / "merged.gguf", PROMPTS, 6) == adapted
    assert answers(tmp_path / "base.gguf", PROMPTS, 6, tmp_path / "adapter.gguf") == adapted


def test_eight_bits_keep_the_weights_within_a_percent(tmp_path: Path) -> None:
    import gguf

    base = make_byte_model(tmp_path / "base", "qwen2")
    write_model(base, tmp_path / "f16.gguf", "x", "f16")
    write_model(base, tmp_path / "q8.gguf", "x")
    exact = {tensor.name: tensor for tensor in gguf.GGUFReader(tmp_path / "f16.gguf").tensors}
    quantised = gguf.GGUFReader(tmp_path / "q8.gguf").tensors
    assert {tensor.tensor_type.name for tensor in quantised} == {"Q8_0", "F32"}
    for tensor in quantised:
        known = exact[tensor.name]
        expected = gguf.dequantize(known.data, known.tensor_type)
        found = gguf.dequantize(tensor.data, tensor.tensor_type).reshape(expected.shape)
        assert np.linalg.norm(found - expected) <= 0.01 * np.linalg.norm(expected)
    assert list(tmp_path.glob("*.part")) == []


def test_factor_of_a_rank_stabilised_adapter_is_over_its_root() -> None:
    """alpha / rank is what llama.cpp multiplies with: 8 / 16 for LoRA; 32 / 16 = 8 / sqrt(16) for rsLoRA."""
    assert _rank_and_alpha({"r": 16, "lora_alpha": 8}, "x") == (16, 8.0)
    assert _rank_and_alpha({"r": 16, "lora_alpha": 8, "use_rslora": True}, "x") == (16, 32.0)


@pytest.mark.parametrize("options", [{"use_dora": True}, {"rank_pattern": {"q_proj": 2}}, {"bias": "lora_only"}])
def test_what_an_adapter_file_cannot_hold_is_told(tmp_path: Path, options: dict[str, Any]) -> None:
    base = make_byte_model(tmp_path / "base", "qwen2")
    adapter = make_lora(base, tmp_path / "adapter", **options)
    with pytest.raises(ModelError, match="--format gguf"):
        write_adapter(adapter, base, tmp_path / "out.gguf", "x")
    assert not (tmp_path / "out.gguf").exists()


def test_an_unknown_tokenizer_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="convert_hf_to_gguf"):
        write_model(make_tiny_llama(tmp_path / "words"), tmp_path / "out.gguf", "x")
    assert [path.name for path in tmp_path.iterdir()] == ["words"]


@pytest.mark.parametrize(
    "config", [{"model_type": "gpt2"}, {"model_type": "llama", "rope_parameters": {"rope_type": "llama3"}}]
)
def test_an_unknown_family_is_told(tmp_path: Path, config: dict[str, Any]) -> None:
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match="convert_hf_to_gguf"):
        GgufLayout.of(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "rule"), [("qwen2.5-coder-0.5b-instruct", "qwen2"), ("smollm2-135m-instruct", "smollm")]
)
def test_splitting_rule_is_that_of_the_published_gguf(model: str, rule: str) -> None:
    folder = ModelStore.open(home()).converted(model, "transformers")
    assert splitting_rule(json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))) == rule


@pytest.mark.slow
def test_real_model_answers_alike_merged_and_with_its_adapter_beside_it(tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    base = ModelStore.open(home()).converted("smollm2-135m-instruct", "transformers")
    adapter = make_lora(base, tmp_path / "adapter", target_modules="all-linear", r=8, lora_alpha=0.4)
    merged = tmp_path / "merged"
    merged.mkdir()
    convert(base, merged, "transformers", adapter)
    write_model(base, tmp_path / "base.gguf", "base", "f16")
    write_model(merged, tmp_path / "merged.gguf", "merged", "f16")
    write_adapter(adapter, base, tmp_path / "adapter.gguf", "adapter")
    tokenizer = AutoTokenizer.from_pretrained(base)
    prompts = [
        tokenizer.apply_chat_template([{"role": "user", "content": text}], add_generation_prompt=True, tokenize=False)
        for text in ("What is the capital of France?", "Name three colours of 2024.", "Why is the sky blue?")
    ]
    expected = reference(base, prompts, 16, adapter)
    assert expected != reference(base, prompts, 16)
    assert answers(tmp_path / "merged.gguf", prompts, 16) == expected
    assert answers(tmp_path / "base.gguf", prompts, 16, tmp_path / "adapter.gguf") == expected
