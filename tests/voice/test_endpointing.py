from __future__ import annotations

import pytest

from ragvoice.voice.endpointing import Endpoint, Endpointer, Pause, Resumed, looks_unfinished
from ragvoice.voice.events import SpeechEnded, SpeechStarted


def run(windows: list[float], *, end_after_s: float = 0.6, onset_s: float = 0.096) -> list[Endpoint]:
    endpointer = Endpointer(pause_s=0.2)
    found = [endpointer.step(p, end_after_s=end_after_s, onset_s=onset_s) for p in windows]
    return [endpoint for endpoint in found if endpoint is not None]


# 32 ms a window.


def test_a_turn_starts_pauses_and_ends_where_the_speech_does() -> None:
    # 10 windows of silence, 20 of speech: 0.32 s to 0.96 s.
    assert run([0.0] * 10 + [1.0] * 20 + [0.0] * 40) == [
        SpeechStarted(pytest.approx(0.32)),
        Pause(pytest.approx(0.96)),
        SpeechEnded(pytest.approx(0.96)),
    ]


def test_the_pause_that_ends_a_turn_is_adjustable() -> None:
    # Speech until 0.64 s, then 30 windows: 0.96 s of silence.
    windows = [1.0] * 20 + [0.0] * 30
    assert SpeechEnded(pytest.approx(0.64)) in run(windows, end_after_s=0.9)
    assert not any(isinstance(endpoint, SpeechEnded) for endpoint in run(windows, end_after_s=1.1))


def test_a_click_of_two_windows_is_no_speech_and_three_are() -> None:
    assert run([0.0] * 5 + [1.0] * 2 + [0.0] * 30) == []
    assert run([0.0] * 5 + [1.0] * 3 + [0.0] * 3) == [SpeechStarted(pytest.approx(5 * 0.032))]


def test_a_longer_onset_ignores_what_a_shorter_one_takes() -> None:
    windows = [0.0] * 5 + [1.0] * 4 + [0.0] * 3
    assert run(windows, onset_s=0.16) == []
    assert len(run(windows, onset_s=0.128)) == 1


def test_who_goes_on_after_a_moment_has_not_finished() -> None:
    # Silence from 0.64 s for 12 windows (0.384 s), then speech from 1.024 s.
    assert run([1.0] * 20 + [0.0] * 12 + [1.0] * 10) == [
        SpeechStarted(pytest.approx(0.0)),
        Pause(pytest.approx(0.64)),
        Resumed(pytest.approx(1.024)),
    ]


def test_one_window_of_noise_in_a_pause_does_not_prolong_it() -> None:
    found = run([1.0] * 20 + [0.0] * 10 + [1.0] + [0.0] * 9)
    assert found[-1] == SpeechEnded(pytest.approx(0.64))
    assert not any(isinstance(endpoint, Resumed) for endpoint in found)


def test_hysteresis_goes_on_below_the_threshold_but_does_not_begin_there() -> None:
    assert run([0.4] * 40) == []
    assert run([1.0] * 3 + [0.4] * 40) == [SpeechStarted(pytest.approx(0.0))]


@pytest.mark.parametrize(
    ("text", "unfinished"),
    [
        ("How many days of the", True),
        ("How many days of the.", True),
        ("If I am ill,", True),
        ("I need holidays and...", True),
        ("Where do I send it to?", False),
        ("Where do I send it to.", True),
        ("How many holidays do I get?", False),
        ("Parental leave in Poland.", False),
        ("And so my fellow Americans", True),
        ("有几天假期？", False),
        ("", False),
    ],
)
def test_words_that_leave_a_sentence_open(text: str, unfinished: bool) -> None:
    assert looks_unfinished(text) is unfinished
