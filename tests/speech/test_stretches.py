from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from ragvoice.datatypes import AudioChunk, Segment
from ragvoice.speech import stretches
from ragvoice.speech.stretches import Gate, Heard, plan, transcribe_stretches


def heard(text: str = "hello there", logprob: float = -0.3, no_speech: float = 0.1, language: str = "en") -> Heard:
    return Heard((Segment(0.0, 1.0, text),), language, logprob, no_speech)


def silence(duration_s: float) -> AudioChunk:
    return AudioChunk(np.zeros(int(duration_s * 16_000), np.float32), 16_000)


@pytest.mark.parametrize(
    ("result", "passes"),
    [
        (heard(), True),
        (heard(logprob=-1.2), False),
        (heard(no_speech=0.9), True),
        (heard(no_speech=0.9, logprob=-0.7), False),
        (heard(text="..."), False),
        (heard(text="thank you very much " * 20), False),
    ],
)
def test_the_gate(result: Heard, passes: bool) -> None:
    assert Gate().lets_pass(result) is passes


def test_spans_are_joined_up_to_the_window_and_split_at_long_pauses() -> None:
    spans = ((0.0, 10.0), (11.0, 20.0), (21.0, 29.0), (40.0, 41.0))

    assert plan(spans, silence(45)) == [(0.0, 20.0), (21.0, 29.0), (40.0, 41.0)]


def test_speech_without_a_pause_is_cut_where_it_is_quietest() -> None:
    samples_t = np.ones(40 * 16_000, np.float32)
    samples_t[20 * 16_000 : 20 * 16_000 + 3_200] = 0.0

    assert plan(((0.0, 40.0),), AudioChunk(samples_t, 16_000)) == [
        (0.0, pytest.approx(20.1)),
        (pytest.approx(20.1), 40.0),
    ]


def test_times_confidence_and_language_of_several_stretches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stretches, "speech_spans", lambda audio: ((1.0, 3.0), (10.0, 12.0), (20.0, 22.0)))
    results = iter([heard("ab", -0.2, language="de"), heard("...", -0.1), heard("abcd", -0.5, language="fr")])
    asked: list[str | None] = []

    def hear(samples_t: NDArray[np.float32], language: str | None) -> list[Heard]:
        asked.append(language)
        return [next(results)]

    found = transcribe_stretches(silence(25), hear, language=None)

    assert found.text == "ab abcd"
    assert asked == [None, "de", "de"]
    assert found.language == "de"
    assert [(s.start_s, s.end_s) for s in found.segments] == [(1.0, 2.0), (20.0, 21.0)]
    # Weighted by length: (2 * -0.2 + 4 * -0.5) / 6 = -0.4
    assert found.confidence == pytest.approx(math.exp(-0.4))
    assert found.duration_s == 25


def test_words_that_are_invented_for_the_rest_of_a_stretch_cost_only_themselves(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stretches, "speech_spans", lambda audio: ((0.0, 3.0),))
    windows = [heard("From the eighth day.", -0.3, 0.1), heard("I'm sorry.", -1.4, 0.65)]

    found = transcribe_stretches(silence(3), lambda samples_t, language: windows, language="en")

    assert found.text == "From the eighth day."
    assert found.confidence == pytest.approx(math.exp(-0.3))


def test_where_nobody_speaks_the_recogniser_is_not_even_asked() -> None:
    def hear(samples_t: NDArray[np.float32], language: str | None) -> list[Heard]:
        raise AssertionError("asked")

    found = transcribe_stretches(silence(3), hear, language="en")

    assert (found.text, found.segments, found.confidence) == ("", (), None)
