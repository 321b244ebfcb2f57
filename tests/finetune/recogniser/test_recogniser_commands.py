"""`finetune audio` with the real voice, and `finetune recogniser` around a scripted training."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from finetune.alone import alone
from finetune.commands.audio import audio
from finetune.commands.recogniser import recogniser
from finetune.recogniser.manifest import Clip, read_manifest, write_manifest
from ragvoice.datatypes import AudioChunk, Transcription
from ragvoice.errors import UsageError

APP = typer.Typer()
APP.command("audio")(audio)
APP.command("recogniser")(recogniser)


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(APP, list(arguments))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout


def test_questions_become_recordings(model_home: Path, tmp_path: Path) -> None:
    rows = [
        {"id": i, "question": f"Is rule {i} new?", "answers": [], "gold_ids": [f"{i}.md"], "answerable": True}
        for i in range(4)
    ]
    questions = tmp_path / "rules.jsonl"
    questions.write_text("".join(json.dumps(row) + "\n" for row in rows))
    code, said = run("audio", str(questions), "--out", str(tmp_path / "out"), "--snr", "5", "--limit", "2")
    assert (code, said.startswith("4 recordings of 2 questions")) == (0, True)
    clips = read_manifest(tmp_path / "out")
    assert [(clip.text, clip.snr_db) for clip in clips] == [
        (text, snr) for text in ("Is rule 0 new?", "Is rule 2 new?") for snr in (None, 5.0)
    ]
    assert {clip.voice for clip in clips} == {"piper-en-us-joe-medium"}


@pytest.fixture
def manifest(clips: list[Clip], tmp_path: Path) -> Path:
    return write_manifest(tmp_path, clips)


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch, clips: list[Clip]) -> list[str]:
    """The base hears one wrong word in every test clip, the trained model what `heard` says; trainings are counted."""
    heard: list[str] = [clip.text for clip in clips if clip.split == "test"]

    class Ear:
        def __init__(self, path: Path, *, language: str) -> None:
            texts = [clip.text for clip in clips if clip.split == "test"]
            self.texts = iter(heard if path.name == "model" else [f"{text} nonsense" for text in texts])

        def transcribe(self, sound: AudioChunk) -> Transcription:
            return Transcription(next(self.texts), "en", sound.duration_s)

    def train(clips: list[Clip], base: Path, folder: Path, *rest: object) -> None:
        assert not (folder / "model").exists()
        assert {clip.split for clip in clips} == {"train"}
        shutil.copytree(base, folder / "model")

    monkeypatch.setattr("ragvoice.speech.transformers_whisper.TransformersWhisperSpeechToText", Ear)
    monkeypatch.setattr("finetune.recogniser.training.train", train)
    return heard


def test_a_better_one_is_named_and_not_trained_again(
    manifest: Path, scripted: list[str], tiny_whisper: Path, clean_environment: Path
) -> None:
    arguments = ("recogniser", str(manifest), "--base", str(tiny_whisper), "--out", "run")
    code, said = run(*arguments)
    model = clean_environment / "run" / "model"
    assert (code, f'stt = "{model}"' in said) == (0, True)
    evaluation = json.loads((clean_environment / "run" / "evaluation.json").read_text())
    assert (evaluation["better"], evaluation["trained_on"]) == (True, 4)
    assert evaluation["word_error_rate"][0]["trained"] == 0
    assert run(*arguments)[0] == 0
    with pytest.raises(UsageError, match="with another training"):
        run(*arguments, "--method", "full")


def test_a_model_in_service_or_in_training_is_left_alone(
    manifest: Path, scripted: list[str], tiny_whisper: Path, clean_environment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ("recogniser", str(manifest), "--base", str(tiny_whisper), "--out", "run")
    with alone(clean_environment / "run"), pytest.raises(UsageError, match="by another process"):
        run(*arguments)
    assert run(*arguments)[0] == 0
    model = clean_environment / "run" / "model"
    with pytest.raises(UsageError, match="The base lies in"):
        run("recogniser", str(manifest), "--base", str(model), "--out", "run", "--fresh")
    monkeypatch.setenv("RAGVOICE_STT", str(model))
    with pytest.raises(UsageError, match="The recogniser in service lies in"):
        run(*arguments, "--fresh")
    assert model.is_dir()


def test_one_that_is_not_better_ends_with_1(
    manifest: Path, scripted: list[str], tiny_whisper: Path, clean_environment: Path
) -> None:
    scripted[:] = [f"{text} nonsense" for text in scripted]
    code, said = run("recogniser", str(manifest), "--base", str(tiny_whisper), "--out", "run")
    assert (code, "stt =" in said) == (1, False)
    assert json.loads((clean_environment / "run" / "evaluation.json").read_text())["better"] is False
