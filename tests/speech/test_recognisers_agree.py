"""The same weights in three runtimes: CTranslate2, OpenAI's package, transformers."""

from __future__ import annotations

import json
from pathlib import Path

import jiwer
import pytest
from whisper_normalizer.english import EnglishTextNormalizer

from ragvoice.datatypes import AudioChunk
from ragvoice.errors import ModelError
from ragvoice.models import ModelStore
from ragvoice.speech.audio import decode
from ragvoice.speech.faster_whisper import FasterWhisperSpeechToText
from ragvoice.speech.openai_whisper import OpenAIWhisperSpeechToText
from ragvoice.speech.protocols import SpeechToText
from ragvoice.speech.transformers_whisper import TransformersWhisperSpeechToText

RECORDINGS = Path(__file__).resolve().parents[2] / "data" / "recordings"
CLIPS = ("tf-011-kal.flac", "tf-018-slt.flac", "tf-033-slt.flac")


@pytest.mark.slow
def test_three_runtimes_hear_the_same_words(store: ModelStore, whisper_folder: Path) -> None:
    recognisers: list[SpeechToText] = [
        FasterWhisperSpeechToText(whisper_folder, cpu_threads=2, compute_type="float32", windowed=False),
        OpenAIWhisperSpeechToText(store.converted("whisper-base", "openai-whisper")),
        TransformersWhisperSpeechToText(store.converted("whisper-base", "transformers"), device="cpu"),
    ]
    normalise = EnglishTextNormalizer()
    rows = [json.loads(line) for line in (RECORDINGS / "manifest.jsonl").read_text().splitlines()]
    texts = {row["file"]: row["transcript"] for row in rows}
    sounds = [decode(RECORDINGS / clip) for clip in CLIPS]

    heard = [[normalise(recogniser.transcribe(sound).text) for sound in sounds] for recogniser in recognisers]

    assert jiwer.wer([normalise(texts[clip]) for clip in CLIPS], heard[0]) <= 0.1
    assert jiwer.wer(heard[0], heard[1]) <= 0.04
    # transformers applies the rules for time stamps a little differently, so near ties fall the other way.
    assert jiwer.wer(heard[0], heard[2]) <= 0.08


@pytest.mark.slow
def test_converted_weights_compute_the_same_numbers(store: ModelStore, whisper_folder: Path) -> None:
    import torch
    import whisper
    from transformers import WhisperForConditionalGeneration

    published = whisper.load_model(str(store.converted("whisper-base", "openai-whisper") / "model.pt"), device="cpu")
    converted = WhisperForConditionalGeneration.from_pretrained(
        store.converted("whisper-base", "transformers"), dtype=torch.float32
    ).eval()
    mel_bml = torch.randn(1, 80, 3_000, generator=torch.Generator().manual_seed(0))
    tokens_bl = torch.tensor([[50_258, 50_259, 50_359, 50_364, 400]])

    with torch.inference_mode():
        expected = published(mel_bml, tokens_bl)
        found = converted(mel_bml, decoder_input_ids=tokens_bl).logits

    torch.testing.assert_close(found, expected, atol=1e-3, rtol=1e-4)


@pytest.mark.slow
def test_transformers_detects_the_language_and_keeps_times(store: ModelStore, question: AudioChunk) -> None:
    recogniser = TransformersWhisperSpeechToText(
        store.converted("whisper-base", "transformers"), language=None, device="cpu"
    )

    found = recogniser.transcribe(question)

    assert found.language == "en"
    assert 0.4 < (found.confidence or 0) <= 1
    assert 0 <= found.segments[0].start_s < found.segments[-1].end_s <= found.duration_s


def test_missing_models_are_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"model\.pt"):
        OpenAIWhisperSpeechToText(tmp_path)
    with pytest.raises(ModelError, match="no transformers model"):
        TransformersWhisperSpeechToText(tmp_path)


def test_a_missing_package_is_named_with_the_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(__import__("sys").modules, "whisper", None)

    with pytest.raises(ModelError, match=r'pip install "ragvoice\[whisper\]"'):
        OpenAIWhisperSpeechToText(tmp_path)
