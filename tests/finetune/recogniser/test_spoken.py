"""Recordings of questions by a scripted voice: what is written, how strong the noise is, what a killed job keeps."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile

from finetune.recogniser.manifest import read_manifest
from finetune.recogniser.spoken import build_audio
from ragvoice.datatypes import AudioChunk
from ragvoice.evaluation.datasets import Question

QUESTIONS = [Question(str(i), f"What is rule {i}?", (), (f"{i % 3}.md",), True) for i in range(9)]


class Voice:
    """A tone of half a second, longer for longer texts; `fails_at` sentences it fails."""

    sample_rate_hz = 22_050

    def __init__(self, fails_at: int = 1000) -> None:
        self.said: list[str] = []
        self.fails_at = fails_at

    def synthesise(self, text: str) -> AudioChunk:
        if len(self.said) == self.fails_at:
            raise KeyboardInterrupt
        self.said.append(text)
        times_t = np.arange(self.sample_rate_hz * (1 + len(text) // 20), dtype=np.float32) / self.sample_rate_hz
        return AudioChunk((0.3 * np.sin(2 * np.pi * 440 * times_t)).astype(np.float32), self.sample_rate_hz)


def build(folder: Path, voice: Voice, questions: Sequence[Question] = QUESTIONS, name: str = "tone") -> Path:
    return build_audio(questions, folder, voice, name, snrs_db=(10.0,), noise="white")


def test_each_question_clean_and_in_noise_split_by_document(tmp_path: Path) -> None:
    clips = read_manifest(build(tmp_path, Voice()))
    assert [(clip.question, clip.snr_db) for clip in clips] == [(q.id, snr) for q in QUESTIONS for snr in (None, 10.0)]
    assert {clip.voice for clip in clips} == {"tone"}
    sides = {split: {clip.documents for clip in clips if clip.split == split} for split in ("train", "test")}
    assert len(sides["test"]) == 1  # of three documents with a third of the questions each
    assert sides["train"].isdisjoint(sides["test"])
    clean_t, rate = soundfile.read(clips[0].file, dtype="float64")
    noisy_t, _ = soundfile.read(clips[1].file, dtype="float64")
    assert rate == 16_000
    noise_t = noisy_t - clean_t  # the sum stays below 1, so nothing was made quieter
    assert 10 * np.log10(np.square(clean_t).mean() / np.square(noise_t).mean()) == pytest.approx(10, abs=0.2)


def test_a_killed_job_goes_on(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        build(tmp_path, Voice(fails_at=5))
    assert not (tmp_path / "manifest.jsonl").exists()
    rest = Voice()
    build(tmp_path, rest)
    assert len(rest.said) == len(QUESTIONS) - 5
    silent = Voice(fails_at=0)
    build(tmp_path, silent)


def test_other_words_and_another_voice_are_spoken_anew(tmp_path: Path) -> None:
    build(tmp_path, Voice())
    (tmp_path / "clips" / "ada.wav").touch()
    changed = [Question("0", "Which rule is it?", (), ("0.md",), True), *QUESTIONS[1:8]]
    voice = Voice()
    build(tmp_path, voice, changed)
    assert voice.said == ["Which rule is it?"]
    build(tmp_path, voice, changed, name="another")
    assert len(voice.said) == 1 + len(changed)
    rows = [json.loads(line) for line in (tmp_path / "manifest.jsonl").read_text().splitlines()]
    assert {row["file"] for row in rows} | {"clips/ada.wav"} == {
        f"clips/{file.name}" for file in (tmp_path / "clips").iterdir()
    }
