"""What was measured by ear, as tables of the report."""

from __future__ import annotations

from ragvoice.evaluation.speech_metrics import Errors, KeptMeaning
from ragvoice.evaluation.voice_parity import VoiceResult
from ragvoice.evaluation.voice_scores import TEXT, HeardQuestion, SpokenAnswer
from ragvoice.evaluation.voice_section import sections

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


def test_nothing_spoken_no_table_of_answers() -> None:
    titles = [section.title for section in sections([VoiceResult((heard(TEXT, "x", 1.0, None),), None)])]
    assert titles == ["Spoken questions against typed ones", "When to ask: did you mean?"]
