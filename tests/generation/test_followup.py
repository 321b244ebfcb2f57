"""Follow-ups bring along what they point at; questions that stand alone stay as they are."""

from __future__ import annotations

import pytest

from ragvoice.datatypes import Message
from ragvoice.generation.followup import leans_on_history, standalone_question

ALONE = "How many days of parental leave does a birth parent get in Poland?"
HISTORY = (Message("user", ALONE), Message("agent", "20 weeks."))


@pytest.mark.parametrize("question", ["And in Leeds?", "What about the other parent there?", "Who pays it?", "Why?"])
def test_a_follow_up_brings_the_question_before_it(question: str) -> None:
    assert leans_on_history(question)
    assert standalone_question(question, HISTORY) == f"{ALONE} {question}"


def test_a_question_that_stands_alone_is_not_changed() -> None:
    question = "Which printer on the second floor of the Leeds office prints labels?"
    assert standalone_question(f"  {question}\n", HISTORY) == question


def test_without_history_nothing_is_added() -> None:
    assert standalone_question("And in Leeds?", ()) == "And in Leeds?"
    assert standalone_question("And in Leeds?", (Message("agent", "Hello."), Message("user", "  "))) == "And in Leeds?"


def test_a_chain_goes_back_to_the_question_that_stood_alone() -> None:
    history = (Message("user", "Older and not needed at all, said the visitor of the house."), *HISTORY)
    history = (*history, Message("user", "And in Leeds?"), Message("agent", "52 weeks."))
    assert standalone_question("Who pays it?", history) == f"{ALONE} And in Leeds? Who pays it?"


def test_the_answers_are_never_searched_for() -> None:
    assert "20 weeks" not in standalone_question("And in Leeds?", HISTORY)
