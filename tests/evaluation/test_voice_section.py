"""What was measured by ear, as tables of the report."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scripted import REFUSAL, ScriptedSystem

from ragvoice.datatypes import AudioChunk, Transcription
from ragvoice.evaluation.datasets import Dataset, Question
from ragvoice.evaluation.speech_metrics import Errors, KeptMeaning
from ragvoice.evaluation.voice_parity import VoiceResult
from ragvoice.evaluation.voice_scores import TEXT, HeardQuestion, SpokenAnswer
from ragvoice.evaluation.voice_section import sections, voice_sections
from ragvoice.settings import Settings

NONE = Errors(0, 2)


def heard(condition: str, text: str, f1: float, confidence: float | None, hit: float = 1.0) -> HeardQuestion:
    asked = "How much leave do I get?"
    return HeardQuestion(
        "a", condition, True, asked, text, confidence, NONE, NONE, NONE, hit, "answered", "25 days", f1, f1, None
    )


def test_a_column_a_condition_and_the_losses_against_text() -> None:
    typed, clean = heard(TEXT, "How much leave do I get?", 1.0, None), heard("clean", "How much sleeve?", 0.25, 0.4)
    spoken = SpokenAnswer("a", "answered", "25 days.", "25 days.", NONE, KeptMeaning(True, True, True))
    by_condition, answers, asking = sections([VoiceResult((typed, clean), spoken)])
    assert by_condition.columns == ("", TEXT, "clean")
    rows = {row[0]: row[1:] for row in by_condition.rows}
    assert rows["f1"] == ("1.000", "0.250")
    assert rows["lost f1"] == ("-", "+.75\n+.75 +.75")
    assert by_condition.data["rows"][1]["lost_f1"]["mean"] == 0.75
    assert answers.rows[0][answers.columns.index("numbers kept")] == "1.000"
    assert asking.rows[0][asking.columns.index("misheard")] == "1.000"


def test_another_state_of_the_application_or_another_voice_is_heard_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listened: list[AudioChunk] = []

    class Speech:
        sample_rate_hz = 16_000

        def synthesise(self, text: str) -> AudioChunk:
            return AudioChunk(np.ones(160, np.float32), 16_000)

        def transcribe(self, audio: AudioChunk) -> Transcription:
            listened.append(audio)
            return Transcription("How much leave?", "en", 0.01, 0.9)

    for name in ("build_speech_to_text", "build_text_to_speech"):
        monkeypatch.setattr(f"ragvoice.evaluation.voice_section.{name}", lambda _: Speech())
    asked = Dataset("set", None, (Question("1", "How much leave?", ("25 days",), (), True),))
    bot = ScriptedSystem({"How much leave?": REFUSAL})

    def listens(state: str, settings: Settings) -> bool:
        listened.clear()
        voice_sections(asked, bot, settings, "short", tmp_path / "voice.jsonl", state, lambda done, total: None)
        return bool(listened)

    assert listens("a", Settings())
    assert not listens("a", Settings())
    assert listens("b", Settings())
    assert listens("b", Settings(tts="another-voice"))


def test_nothing_spoken_no_table_of_answers() -> None:
    titles = [section.title for section in sections([VoiceResult((heard(TEXT, "x", 1.0, None),), None)])]
    assert titles == ["Spoken questions against typed ones", "When to ask: did you mean?"]
