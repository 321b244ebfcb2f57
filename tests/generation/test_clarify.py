"""Which questions are asked back, and what the reply stands for."""

from __future__ import annotations

import pytest

from ragvoice.datatypes import Message, Passage
from ragvoice.generation.clarify import did_you_mean, points_nowhere, resolved, which_one


def passage(title: str, score: float) -> Passage:
    return Passage(f"{title}.md", f"{title}.md", title, "", None, None, "Open from 9 to 17.", 0, score)


LIBRARIES = (passage("City Library", 0.9), passage("State Library", 0.88), passage("Car park", 0.5))
ASKED = Message("user", "What does this library offer?")


@pytest.mark.parametrize(
    "question",
    [
        "When does this library open?",
        "In which country is this language officially spoken?",
        "What is the purpose of that mission?",
        "When does it expire?",
        "Did he sign?",
    ],
)
def test_a_question_that_points_at_what_nobody_named(question: str) -> None:
    assert points_nowhere(question, ())


@pytest.mark.parametrize(
    "question",
    [
        "When does the library open?",
        "How many holidays do I get this year?",
        "How long does it take to get a visa?",
        "Is it allowed to smoke?",
        "If I lose my badge, who replaces it?",
        "Does this mean that I get less?",
        "Is it true that the canteen is closed?",
        "Where do they test the alarm?",
        "Which states have a law that allows this?",
    ],
)
def test_a_question_that_stands_alone(question: str) -> None:
    assert not points_nowhere(question, ())


def test_what_was_named_before_is_known() -> None:
    history = (Message("user", "Tell me about the City Library."), Message("agent", "It lends books."))
    assert not points_nowhere("When does this library open?", history)
    assert not points_nowhere("When does it open?", history)
    assert points_nowhere("When does this museum open?", history)


def test_the_question_back_names_the_documents_that_fit_equally_well() -> None:
    assert which_one(ASKED.text, (), LIBRARIES) == "Which one do you mean: City Library or State Library?"


def test_nothing_is_asked_when_one_document_fits_best() -> None:
    assert which_one(ASKED.text, (), (LIBRARIES[0], LIBRARIES[2])) is None
    assert which_one("When does the library open?", (), LIBRARIES) is None


@pytest.mark.parametrize(
    ("reply", "meant"),
    [
        ("the state library", "What does this library offer? State Library"),
        ("The second one.", "What does this library offer? State Library"),
        ("the first", "What does this library offer? City Library"),
        ("How do I get a fit note?", "How do I get a fit note?"),
    ],
)
def test_a_reply_chooses(reply: str, meant: str) -> None:
    history = (ASKED, Message("agent", "Which one do you mean: City Library or State Library?"))
    assert resolved(reply, history) == meant


def test_yes_stands_for_what_was_heard() -> None:
    history = (Message("user", "hauliday"), Message("agent", did_you_mean("How many holidays do I get?")))
    assert resolved("Yes, that's right.", history) == "How many holidays do I get?"
    assert resolved("No, how many chairs?", history) == "No, how many chairs?"
    assert resolved("Yes.", (Message("agent", "25 days."),)) == "Yes."
