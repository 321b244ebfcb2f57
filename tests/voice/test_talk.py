"""`ragvoice talk` on the real models, and its wrong uses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ragvoice.build import build_speech_to_text
from ragvoice.cli import main
from ragvoice.commands.talk import _Screen
from ragvoice.datatypes import AudioChunk
from ragvoice.errors import GenerationError
from ragvoice.settings import Settings
from ragvoice.speech.audio import decode
from ragvoice.voice.devices import Player
from ragvoice.voice.events import AnswerPaused, Failed
from ragvoice.voicebot import Said

RECORDING = next((Path(__file__).resolve().parents[2] / "data" / "recordings").glob("tf-011-*.flac"))


def test_a_recorded_question_is_answered_aloud_with_its_source(
    sample_index: Path, settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "answer.wav"

    code = main(["talk", "--input", str(RECORDING), "--output", str(output), "--fast", "--index", str(sample_index)])

    assert code == 0
    shown = capsys.readouterr().out
    assert "You: From which day do I need a doctor's note" in shown
    assert "hr/employee-handbook.pdf" in shown
    said_again = build_speech_to_text(settings).transcribe(decode(output)).text.lower()
    assert "eighth day" in said_again.replace("8th", "eighth")  # the voice is not the same twice, nor is its spelling


def test_an_answer_after_one_that_failed_in_a_pause_is_heard() -> None:
    player = Player(16_000)
    screen = _Screen(player)
    sentence = Said("You get 25 days.", None, AudioChunk(np.ones(160, np.float32), 16_000))
    for event in (sentence, AnswerPaused(), Failed(GenerationError("The model has gone."))):
        screen.show(event)
    screen.show(sentence)

    assert len(player.pull(320)) == 160


@pytest.mark.parametrize(
    "flags", [["--input", "a.wav"], ["--output", "a.wav"], ["--echo", "loud"]], ids=["input", "output", "echo"]
)
def test_wrong_use(flags: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["talk", *flags]) == 2
    assert "--" in capsys.readouterr().err


def test_a_conversation_without_a_record(
    sample_index: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is left of the conversation."""
    log = tmp_path / "turns.sqlite"
    monkeypatch.setenv("RAGVOICE_TURNS", str(log))
    files = ["--input", str(RECORDING), "--input", str(RECORDING), "--output", str(tmp_path / "answer.wav"), "--fast"]

    assert main(["talk", *files, "--no-log", "--index", str(sample_index)]) == 0

    assert capsys.readouterr().out.count("You: From which day do I need a doctor's note") == 2
    assert not log.exists()
