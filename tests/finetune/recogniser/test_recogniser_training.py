"""A tiny random Whisper: what it is given, that it learns, that a killed run ends the same, that it can serve."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from finetune.recogniser.examples import IGNORED, Examples
from finetune.recogniser.manifest import Clip
from finetune.recogniser.training import RecogniserTraining, train
from finetune.transformers_trainer import Schedule
from ragvoice.build import build_speech_to_text, build_store
from ragvoice.datatypes import AudioChunk
from ragvoice.errors import ModelError, UsageError
from ragvoice.settings import Settings
from ragvoice.speech.audio import decode

SCHEDULE = Schedule(batch=2, learning_rate=2e-2, save_steps=2)
START, ENGLISH, TRANSCRIBE, NO_TIMES, END = 50_258, 50_259, 50_359, 50_363, 50_257
"""OpenAI's numbers of the multilingual vocabulary: <|0.00|> follows <|notimestamps|>."""


@pytest.fixture(scope="session")
def examples(tiny_whisper: Path) -> Examples:
    from transformers import WhisperForConditionalGeneration, WhisperProcessor

    return Examples(
        WhisperProcessor.from_pretrained(tiny_whisper),
        WhisperForConditionalGeneration.from_pretrained(tiny_whisper),
        "en",
    )


def test_tokens_are_those_of_serving(examples: Examples) -> None:
    read, labels = examples.tokens("Yes", 1.5)
    (yes,) = {label for label in labels if label not in (IGNORED, NO_TIMES + 1, END)}
    assert read == [START, ENGLISH, TRANSCRIBE, NO_TIMES + 1, yes, NO_TIMES + 1 + 75]  # 1.5 s in steps of 0.02 s
    assert labels == [IGNORED, IGNORED, NO_TIMES + 1, yes, IGNORED, END]


def test_a_batch_is_padded(examples: Examples, clips: list[Clip]) -> None:
    short = replace(clips[0], text="Yes")
    batch: dict[str, Any] = examples([short, clips[1]])
    assert batch["input_features"].shape == (2, 80, 3000)
    assert batch["labels"].shape == batch["decoder_input_ids"].shape
    assert batch["labels"][0, 6:].unique().tolist() == [IGNORED]
    assert batch["decoder_input_ids"][0, 6:].unique().tolist() == [END]
    assert (batch["labels"][1] == END).sum() == 1


def test_what_does_not_fit(examples: Examples) -> None:
    with pytest.raises(UsageError, match="31 s is longer than the 30 s"):
        examples.tokens("Yes", 31)
    with pytest.raises(UsageError, match="writes 448 at most"):
        examples.tokens("yes " * 500, 2)


def test_an_unknown_language(tiny_whisper: Path, clips: list[Clip], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not know the language 'tlh'"):
        train(clips, tiny_whisper, tmp_path, RecogniserTraining(language="tlh"), SCHEDULE)


def test_another_model(tmp_path: Path, clips: list[Clip]) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ModelError, match="cannot be loaded as a transformers Whisper"):
        train(clips, tmp_path, tmp_path, RecogniserTraining(), SCHEDULE)


@pytest.mark.parametrize("method", ["lora", "full"])
def test_the_loss_falls(method: Any, tiny_whisper: Path, clips: list[Clip], tmp_path: Path) -> None:
    losses = train(clips[:2], tiny_whisper, tmp_path, RecogniserTraining(8, method, rank=8), SCHEDULE)
    assert losses[-1][1] < losses[0][1] - 0.1
    before, after = (load_file(folder / "model.safetensors") for folder in (tiny_whisper, tmp_path / "model"))
    changed = {name for name in before if not np.allclose(before[name], after[name], atol=1e-2)}
    assert ("model.decoder.embed_tokens.weight" in changed) is (method == "full")
    assert any("fc1" in name for name in changed)


def test_a_killed_run_ends_the_same(tiny_whisper: Path, clips: list[Clip], tmp_path: Path) -> None:
    def killed(stage: str, done: int, total: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    training = RecogniserTraining(2, rank=4)
    through = train(clips[:4], tiny_whisper, tmp_path / "through", training, SCHEDULE)
    with pytest.raises(KeyboardInterrupt):
        train(clips[:4], tiny_whisper, tmp_path / "killed", training, SCHEDULE, killed)
    steps: list[int] = []
    resumed = train(
        clips[:4], tiny_whisper, tmp_path / "killed", training, SCHEDULE, lambda stage, done, total: steps.append(done)
    )
    assert steps == [3, 4]
    assert resumed == through
    a, b = (load_file(tmp_path / name / "model" / "model.safetensors") for name in ("through", "killed"))
    assert all(np.array_equal(a[name], b[name]) for name in a)


def test_both_runtimes_load_it(
    tiny_whisper: Path, clips: list[Clip], tmp_path: Path, clean_environment: Path, settings: Settings
) -> None:
    train(clips[:2], tiny_whisper, tmp_path, RecogniserTraining(1, rank=4), SCHEDULE)
    model = tmp_path / "model"
    sound = decode(Path(clips[0].file))
    sound = AudioChunk(sound.samples_t[:16_000], sound.sample_rate_hz)
    for runtime in ("transformers", "faster-whisper"):
        recogniser = build_speech_to_text(settings.model_copy(update={"stt": str(model), "stt_runtime": runtime}))
        assert recogniser.transcribe(sound).duration_s == pytest.approx(1.0)  # random words, so none are compared
    converted = build_store().converted(str(model), "ctranslate2-float16")
    assert json.loads((converted / "preprocessor_config.json").read_text())["feature_size"] == 80
    assert {values.dtype for values in load_file(model / "model.safetensors").values()} == {np.dtype(np.float16)}
