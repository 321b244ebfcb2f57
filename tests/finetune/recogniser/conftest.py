"""A random Whisper of two layers with the tokens of the default recogniser, and a manifest of a few recordings."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from finetune.recogniser.manifest import Clip

RECORDINGS = Path(__file__).resolve().parents[3] / "data" / "recordings"


@pytest.fixture(scope="session")
def tiny_whisper(tmp_path_factory: pytest.TempPathFactory, model_home: Path) -> Path:
    import torch
    from transformers import GenerationConfig, WhisperConfig, WhisperForConditionalGeneration, WhisperProcessor

    from ragvoice.build import build_store

    installed = build_store().converted("whisper-base", "transformers")
    folder = tmp_path_factory.mktemp("models") / "tiny-whisper"
    settings = GenerationConfig.from_pretrained(installed)
    settings.alignment_heads = [[0, 0]]
    settings.max_length = 32  # random words never end by themselves
    torch.manual_seed(0)
    model = WhisperForConditionalGeneration(
        WhisperConfig(
            vocab_size=51_865,
            d_model=16,
            encoder_layers=2,
            decoder_layers=2,
            encoder_attention_heads=2,
            decoder_attention_heads=2,
            encoder_ffn_dim=32,
            decoder_ffn_dim=32,
            max_target_positions=448,
            pad_token_id=settings.eos_token_id,
            bos_token_id=settings.eos_token_id,
            eos_token_id=settings.eos_token_id,
            decoder_start_token_id=settings.decoder_start_token_id,
        )
    )
    model.generation_config = settings
    model.save_pretrained(folder)
    WhisperProcessor.from_pretrained(installed).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def clips() -> list[Clip]:
    """Six recordings of the sample company, four to train on."""
    rows = [json.loads(line) for line in (RECORDINGS / "manifest.jsonl").read_text().splitlines()[:6]]
    return [
        Clip(str(RECORDINGS / row["file"]), row["transcript"], "train" if i < 4 else "test", None, "", row["file"])
        for i, row in enumerate(rows)
    ]
