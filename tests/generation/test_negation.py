"""A negated question needs a passage that negates."""

from __future__ import annotations

import pytest

from ragvoice.datatypes import Passage
from ragvoice.generation.negation import contradicts, unmet_negation

AFFIRMS = "The warranty covers the sensor head and the cable. Batteries last two years."
NEGATES = "Batteries last two years. The warranty does not cover the cable."


def passage(text: str) -> Passage:
    return Passage("doc", "doc.md", "Warranty", "", None, None, text, 0, 1.0)


def test_negated_question_and_a_sentence_that_only_affirms() -> None:
    assert unmet_negation("What does the warranty not cover?", [passage(AFFIRMS)])
    assert unmet_negation("Which cable isn't covered by the warranty?", [passage(AFFIRMS)])


def test_the_nearest_sentence_negates_too() -> None:
    assert not unmet_negation("What does the warranty not cover?", [passage(NEGATES)])
    excluded = "Cables are excluded from the warranty."
    assert not unmet_negation("What does the warranty not cover?", [passage(excluded)])


def test_a_negation_in_another_sentence_does_not_help() -> None:
    text = "The warranty covers the cable. Never open the battery door."
    assert unmet_negation("What does the warranty not cover?", [passage(text)])


def test_the_nearest_sentence_of_all_passages_decides() -> None:
    both = [passage("Cover the sensor."), passage(NEGATES)]
    assert not unmet_negation("What does the warranty not cover?", both)


@pytest.mark.parametrize(
    "question",
    [
        "What does the warranty cover?",
        "Is the cable covered if the sensor is not registered?",
        "I do not have the invoice, what does the warranty cover?",
        "Does the warranty cover notes?",  # `not` inside of a word
    ],
)
def test_no_negation_of_what_is_asked(question: str) -> None:
    assert not unmet_negation(question, [passage(AFFIRMS)])


def test_nothing_in_common_says_nothing() -> None:
    assert not unmet_negation("Which animal is not allowed?", [passage(AFFIRMS)])
    assert not unmet_negation("What does the warranty not cover?", [])


@pytest.mark.parametrize(
    ("claim", "text", "wrong"),
    [
        ("You may smoke in the yard.", "You may not smoke in the yard.", True),
        ("You may not smoke in the yard.", "You may smoke in the yard.", True),
        ("You may not smoke in the yard.", "Smoking in the yard is prohibited: you may smoke at the gate.", False),
        ("You may not smoke in the yard.", "You may not smoke in the yard.", False),
        ("Overtime is paid.", "Overtime is paid, not taken as leave.", False),
    ],
)
def test_a_claim_that_denies_what_its_source_affirms(claim: str, text: str, wrong: bool) -> None:
    assert contradicts(claim, "What is the rule?", [text]) is wrong


def test_not_only_denies_nothing() -> None:
    assert not unmet_negation("What is covered not only in Leeds?", [passage(AFFIRMS)])
