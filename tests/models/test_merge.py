"""Merging: the folder answers like the model with the adapter on it, and an adapter that does not fit is told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_models import make_lora, make_tiny_llama

from ragvoice.errors import ModelError
from ragvoice.models.convert import convert


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_tiny_llama(tmp_path_factory.mktemp("merge") / "base")
    (folder / "LICENSE").write_text("Do as you like.")
    return folder


def logits(folder: Path, adapter: Path | None = None) -> Any:
    """Shape (tokens, vocabulary)."""
    import torch
    from transformers import AutoModelForCausalLM

    from ragvoice.lora import load_lora

    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    model = load_lora(model, adapter) if adapter else model
    with torch.no_grad():
        return model(torch.arange(4, 20)[None]).logits[0].numpy()


@pytest.mark.parametrize(
    "options",
    [{}, {"use_rslora": True, "lora_alpha": 16}, {"use_dora": True}, {"target_modules": "all-linear"}],
    ids=["lora", "rslora", "dora", "all-linear"],
)
def test_merged_model_is_the_adapted_one(base: Path, tmp_path: Path, options: dict[str, Any]) -> None:
    adapter = make_lora(base, tmp_path / "adapter", **options)
    merged = tmp_path / "merged"
    merged.mkdir()
    convert(base, merged, "transformers", adapter)
    expected = logits(base, adapter)
    assert np.abs(expected - logits(base)).max() > 1
    np.testing.assert_allclose(logits(merged), expected, atol=0.02 * np.abs(expected).max())  # stored as float16
    kept = ("chat_template.jinja", "tokenizer.json", "tokenizer_config.json", "generation_config.json", "LICENSE")
    assert [(merged / name).read_bytes() == (base / name).read_bytes() for name in kept] == [True] * 5
    assert json.loads((merged / "config.json").read_text())["dtype"] == "float32"
    assert not (merged / "adapter_config.json").exists()


def test_ctranslate2_has_the_adapter_and_no_intermediate_stays(base: Path, tmp_path: Path) -> None:
    import ctranslate2

    adapter = make_lora(base, tmp_path / "adapter")
    work = tmp_path / "work"
    (work / "made").mkdir(parents=True)
    convert(base, work / "made", "ctranslate2-float32", adapter)
    assert [path.name for path in work.iterdir()] == ["made"]
    tokens = [f"w{number}" for number in range(16)]
    found = np.array(ctranslate2.Generator(str(work / "made")).forward_batch([tokens]))[0]
    expected = logits(base, adapter)
    np.testing.assert_allclose(found, expected, atol=0.02 * np.abs(expected).max())


def test_an_adapter_of_other_shapes_is_refused(base: Path, tmp_path: Path) -> None:
    deep = make_lora(make_tiny_llama(tmp_path / "deep", layers=3), tmp_path / "adapter")
    with pytest.raises(ModelError, match="another base model"):
        convert(base, tmp_path / "out", "transformers", deep)


def test_half_of_a_tied_matrix_is_not_merged(tmp_path: Path) -> None:
    tied = make_tiny_llama(tmp_path / "tied", tie_word_embeddings=True)
    adapter = make_lora(tied, tmp_path / "adapter", target_modules=["q_proj", "lm_head"])
    with pytest.raises(ModelError, match="one matrix in this model"):
        convert(tied, tmp_path / "out", "transformers", adapter)


def test_only_weights_that_can_be_added_to_are_merged(base: Path, tmp_path: Path) -> None:
    (tmp_path / "ct2").mkdir()
    (tmp_path / "ct2/model.bin").write_bytes(b"w")
    with pytest.raises(ModelError, match="safetensors or GGUF"):
        convert(tmp_path / "ct2", tmp_path / "out", "transformers", base)
