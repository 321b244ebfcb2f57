from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from ragvoice.datatypes import AudioChunk
from ragvoice.errors import ModelError
from ragvoice.speech.audio import resample
from ragvoice.speech.faster_whisper import FasterWhisperSpeechToText


def test_hears_the_words_of_a_question(recogniser: FasterWhisperSpeechToText, question: AudioChunk) -> None:
    found = recogniser.transcribe(question)

    assert found.text.lower().rstrip("?. ") == "how many days of annual leave do i get"
    assert found.language == "en"
    assert found.duration_s == pytest.approx(question.duration_s, abs=0.01)
    assert 0.4 < (found.confidence or 0) <= 1
    assert 0 <= found.segments[0].start_s < found.segments[-1].end_s <= found.duration_s


def test_detects_the_language_when_none_is_given(whisper_folder: Path, question: AudioChunk) -> None:
    found = FasterWhisperSpeechToText(whisper_folder, language=None, cpu_threads=2).transcribe(question)

    assert found.language == "en"
    assert "annual leave" in found.text.lower()


def test_detection_and_decoding_share_one_encoding_of_a_short_window(
    whisper_folder: Path, question: AudioChunk, monkeypatch: pytest.MonkeyPatch
) -> None:
    import faster_whisper

    frames: list[int] = []
    encode = faster_whisper.WhisperModel.encode

    def counted(self: object, features: np.ndarray) -> object:
        frames.append(features.shape[-1])
        return encode(self, features)

    monkeypatch.setattr(faster_whisper.WhisperModel, "encode", counted)
    FasterWhisperSpeechToText(whisper_folder, language=None, cpu_threads=2).transcribe(question)
    assert frames == [1_000]

    frames.clear()
    FasterWhisperSpeechToText(whisper_folder, windowed=False, cpu_threads=2).transcribe(question)
    assert frames == [3_000]


def test_what_nobody_wants_is_given_up_before_its_words_are_looked_for(
    recogniser: FasterWhisperSpeechToText, question: AudioChunk, monkeypatch: pytest.MonkeyPatch
) -> None:
    import faster_whisper

    encoded: list[object] = []
    decode = faster_whisper.WhisperModel.generate_with_fallback

    def counted(self: object, encoder_output: object, *others: object) -> object:
        encoded.append(encoder_output)
        return decode(self, encoder_output, *others)

    monkeypatch.setattr(faster_whisper.WhisperModel, "generate_with_fallback", counted)
    sound = AudioChunk(question.samples_t[: -question.sample_rate_hz // 4], question.sample_rate_hz)
    answers = iter([True, False])
    assert recogniser.transcribe_while(sound, lambda: next(answers)) is None  # encoded in vain
    assert recogniser.transcribe_while(sound, lambda: False) is None
    assert encoded == []

    assert recogniser.transcribe_while(sound, lambda: True) == recogniser.transcribe(sound)
    assert len(encoded) == 2


@pytest.mark.parametrize("kind", ["silence", "noise", "tone"])
def test_invents_nothing(kind: str, recogniser: FasterWhisperSpeechToText, tone: AudioChunk) -> None:
    noise_t = np.random.default_rng(0).normal(0, 0.1, 48_000).astype(np.float32)
    samples_t = {"silence": np.zeros(48_000, np.float32), "noise": noise_t, "tone": tone.samples_t}[kind]

    assert recogniser.transcribe(AudioChunk(samples_t, 16_000)).text == ""


def test_times_are_those_of_the_recording(recogniser: FasterWhisperSpeechToText, question: AudioChunk) -> None:
    speech_t = resample(question, 16_000).samples_t
    pause_t = np.zeros(40 * 16_000, np.float32)

    found = recogniser.transcribe(AudioChunk(np.concatenate([speech_t, pause_t, speech_t]), 16_000))

    assert found.text.lower().count("annual leave") == 2
    assert found.segments[-1].start_s == pytest.approx(40 + len(speech_t) / 16_000, abs=1.0)


def test_a_missing_or_damaged_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"model\.bin"):
        FasterWhisperSpeechToText(tmp_path)
    (tmp_path / "model.bin").write_bytes(b"no model")
    with pytest.raises(ModelError, match="cannot be loaded"):
        FasterWhisperSpeechToText(tmp_path)


def test_an_unknown_language_is_refused(whisper_folder: Path) -> None:
    with pytest.raises(ModelError, match="english"):
        FasterWhisperSpeechToText(whisper_folder, language="english")


@pytest.mark.slow
def test_a_long_recording_takes_little_memory(recogniser: FasterWhisperSpeechToText, question: AudioChunk) -> None:
    """20 minutes with a question every minute: what is held over the recording itself stays below 600 MB."""
    import psutil

    speech_t = resample(question, 16_000).samples_t
    minute_t = np.pad(speech_t, (0, 60 * 16_000 - len(speech_t)))
    audio = AudioChunk(np.tile(minute_t, 20), 16_000)
    before = psutil.Process().memory_info().rss
    start = time.monotonic()

    found = recogniser.transcribe(audio)

    assert found.text.lower().count("annual leave") == 20
    assert psutil.Process().memory_info().rss - before < 600e6
    assert time.monotonic() - start < audio.duration_s


def test_the_vocabulary_is_asked_for_at_each_recording_and_cut_to_the_prompt(
    whisper_folder: Path, question: AudioChunk, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = [("Tarnfeld", "turbidity")]
    taught = FasterWhisperSpeechToText(whisper_folder, cpu_threads=2, vocabulary=lambda: words[0])
    told: list[str | None] = []
    transcribe = taught._model.transcribe

    def spied(samples_t: object, **options: object) -> object:
        told.append(options["initial_prompt"])  # type: ignore[arg-type]
        return transcribe(samples_t, **options)

    monkeypatch.setattr(taught._model, "transcribe", spied)

    assert "annual leave" in taught.transcribe(question).text.lower()
    words[0] = ()
    taught.transcribe(question)
    words[0] = tuple(f"Kowalczyk{number}" for number in range(200))
    taught.transcribe(question)

    assert told[:2] == ["Tarnfeld, turbidity.", None]
    assert told[2] is not None
    assert told[2].startswith("Kowalczyk0, Kowalczyk1")
    assert 50 < len(taught._model.hf_tokenizer.encode(told[2], add_special_tokens=False).ids) <= 101
