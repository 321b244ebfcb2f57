"""int8 on torch against transformers in float32, over small random models and the real one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from tiny_models import make_tiny_llama

from ragvoice.errors import ModelError
from ragvoice.generation.int8_decoder import Int8Decoder
from ragvoice.models.to_torch_int8 import convert

IDS = [5, 17, 33, 8, 41, 29, 60, 12, 55, 7, 23, 19]


def test_the_logits_are_those_of_transformers_within_what_int8_costs(
    models: tuple[Int8Decoder, torch.nn.Module],
) -> None:
    ours, theirs = models
    with torch.inference_mode():
        expected_lv = theirs(torch.tensor([IDS])).logits[0]
    found_lv = ours.read(IDS, ours.cache(len(IDS)), len(IDS))
    spread = expected_lv.std()
    assert (found_lv - expected_lv).abs().mean() < 0.05 * spread
    assert torch.corrcoef(torch.stack([found_lv.flatten(), expected_lv.flatten()]))[0, 1] > 0.995


def test_tokens_read_in_pieces_or_after_dropped_guesses_give_the_same(
    models: tuple[Int8Decoder, torch.nn.Module],
) -> None:
    decoder, _ = models
    whole_lv = decoder.read(IDS, decoder.cache(64), len(IDS))
    cache = decoder.cache(64)
    pieces = [decoder.read(IDS[:5], cache, 5), decoder.read(IDS[5:6], cache)]
    decoder.read([1, 2, 3], cache)
    cache.length = 6
    pieces.append(decoder.read(IDS[6:], cache, 6))
    spread = whole_lv.std()
    assert (torch.cat(pieces) - whole_lv).abs().max() < 0.2 * spread
    again = decoder.cache(64)
    again.add(cache.part(0, cache.length))
    again.length = 5
    again.add(cache.part(5, cache.length))
    assert (again.length, cache.part(5, cache.length).capacity) == (12, 7)
    again.length = 11
    assert (decoder.read(IDS[11:], again) - whole_lv[-1]).abs().max() < 0.2 * spread


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"model_type": "gpt2"}, "it is a gpt2, not one of llama, qwen2"),
        ({"rope_parameters": {"rope_type": "yarn", "rope_theta": 1e4}}, r"its positions are scaled \(yarn\)"),
        ({"hidden_act": "gelu"}, "its activation is gelu"),
        ({"use_sliding_window": True}, "sliding window"),
    ],
)
def test_a_model_with_other_parts_is_refused(tmp_path: Path, change: dict[str, object], said: str) -> None:
    source = make_tiny_llama(tmp_path / "source")
    config = json.loads((source / "config.json").read_text())
    (source / "config.json").write_text(json.dumps(config | change))
    (tmp_path / "int8").mkdir()
    with pytest.raises(ModelError, match=said):
        convert(source, tmp_path / "int8")
    assert not list((tmp_path / "int8").iterdir())


def test_a_processor_without_these_kernels_is_told_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ragvoice.generation.int8_decoder._ENGINE", "none such")
    with pytest.raises(ModelError, match="llm_runtime = 'ctranslate2'"):
        Int8Decoder(tmp_path, 64)
