from __future__ import annotations

import math

import numpy as np
import pytest

from ragvoice.datatypes import AudioChunk, Segment, Transcription
from ragvoice.voice.transcribing import Utterance, agreed, joined


def words(text: str, duration_s: float = 1.0, confidence: float | None = None) -> Transcription:
    return Transcription(text, "en", duration_s, (Segment(0.1, 0.9, text),) if text else (), confidence)


@pytest.mark.parametrize(
    ("before", "now", "stable"),
    [
        ("", "How many", ""),
        ("How many hollow days", "How many holidays do I", "How many"),
        ("how many.", "How many, do", "How many,"),
        ("How many holidays", "How many holidays", "How many holidays"),
        ("I", "You", ""),
    ],
)
def test_two_recognitions_agree_on_a_beginning(before: str, now: str, stable: str) -> None:
    assert agreed(before, now) == stable


def test_the_hypothesis_is_compared_with_the_last_one() -> None:
    utterance = Utterance()

    assert utterance.hypothesis(words("How man")) == ("How man", "")
    assert utterance.hypothesis(words("How many days")) == ("How many days", "How")
    assert utterance.hypothesis(words("How many days off")) == ("How many days off", "How many days")


def test_a_finished_stretch_keeps_its_words_and_drops_its_sound() -> None:
    utterance = Utterance()
    for value in range(100):
        utterance.add(np.full(512, value, np.float32))
    first = utterance.sound()
    for value in range(100, 110):
        utterance.add(np.full(512, value, np.float32))

    utterance.finish(words("First part.", first.duration_s), first)

    assert utterance.unfinished_s == pytest.approx(10 * 0.032)
    assert utterance.sound().samples_t[0] == 100
    assert utterance.transcription(words("Second.")).text == "First part. Second."
    assert utterance.hypothesis(words("Second.")) == ("First part. Second.", "First part.")


def test_an_hour_of_speech_is_held_as_half_a_minute() -> None:
    utterance, longest_s = Utterance(), 0.0
    for _ in range(3600):
        utterance.add(np.ones(16_000, np.float32))
        longest_s = max(longest_s, utterance.unfinished_s)
        if (sound := utterance.overlong()) is not None:
            utterance.finish(words("more", sound.duration_s), sound)

    assert longest_s <= 29
    assert utterance.transcription().duration_s == pytest.approx(3600, abs=29)


def test_speech_without_a_pause_is_cut_where_it_is_quietest() -> None:
    samples_t = np.ones(29 * 16_000, np.float32)
    samples_t[20 * 16_000 : 20 * 16_000 + 3_200] = 0.0
    utterance = Utterance()
    utterance.add(samples_t)

    sound = utterance.overlong()

    assert isinstance(sound, AudioChunk)
    assert sound.duration_s == pytest.approx(20.1)


def test_what_was_said_before_belongs_to_the_question() -> None:
    utterance = Utterance(words("How many holidays"))

    assert utterance.transcription(words("in Poland?")).text == "How many holidays in Poland?"


def test_stretches_are_joined_as_if_recognised_at_once() -> None:
    whole = joined([words("ab", 2.0, math.exp(-0.2)), words("", 1.0), words("abcd", 3.0, math.exp(-0.5))])

    assert whole.text == "ab abcd"
    assert whole.duration_s == 6.0
    assert [(s.start_s, s.end_s) for s in whole.segments] == [(0.1, 0.9), (3.1, 3.9)]
    # Weighted by length: (2 * -0.2 + 4 * -0.5) / 6 = -0.4
    assert whole.confidence == pytest.approx(math.exp(-0.4))
