"""`ragvoice talk` on the real models, and its wrong uses."""

from __future__ import annotations

from pathlib import Path

import pytest

from ragvoice.build import build_speech_to_text
from ragvoice.cli import main
from ragvoice.commands.talk import _Conversation
from ragvoice.datatypes import Answer, Message
from ragvoice.settings import Settings
from ragvoice.speech.audio import decode
from ragvoice.voice.events import Interrupted
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
    assert "eighth day" in build_speech_to_text(settings).transcribe(decode(output)).text.lower()


@pytest.mark.parametrize(
    "flags", [["--input", "a.wav"], ["--output", "a.wav"], ["--echo", "loud"]], ids=["input", "output", "echo"]
)
def test_wrong_use(flags: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["talk", *flags]) == 2
    assert "--" in capsys.readouterr().err


class Bot:
    def __init__(self) -> None:
        self.histories: list[tuple[Message, ...]] = []

    def turn(self, question: str, history: tuple[Message, ...], groups: object, *, speak: bool):  # type: ignore[no-untyped-def]
        self.histories.append(history)
        yield Said("You get 25 days.", None, None)
        yield Answer("t1", question, question, "answered", "You get 25 days.", 1.0)


@pytest.mark.parametrize("finished", [True, False])
def test_the_next_turn_knows_how_much_was_heard(finished: bool) -> None:
    bot, logged = Bot(), []
    conversation = _Conversation(bot, (), lambda done, history: logged.append(done))  # type: ignore[arg-type]
    turn = conversation.ask("How many holidays?")
    next(turn)
    if finished:
        next(turn)
    conversation.interrupted(Interrupted("You get", 0.5, "t1" if finished else None))
    turn.close()  # type: ignore[attr-defined]
    next(conversation.ask("And in Poland?"))

    assert bot.histories[-1] == (Message("user", "How many holidays?"), Message("agent", "You get"))
    assert len(logged) == int(finished)
