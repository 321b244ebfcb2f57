"""Sentences that fit a template whole, and those that do not."""

from __future__ import annotations

import pytest

from finetune.data.statements import statements
from finetune.data.wording import Wording

WORDING = Wording(["all employees hand in claims; the close rate and a buddy for the working day; a manager"])


def found(text: str) -> list[tuple[str, str]]:
    return [(one.question, one.fact) for one in statements(text, WORDING)]


@pytest.mark.parametrize(
    ("sentence", "question", "fact"),
    [
        ("Working day means Monday to Friday.", "What does working day mean?", "Monday to Friday"),
        ("Harbour is our HR self-service.", "What is Harbour?", "our HR self-service"),
        ("A buddy is a colleague from another team.", "What is a buddy?", "a colleague from another team"),
        ("Close rate is the ratio of deals won.", "What is close rate?", "the ratio of deals won"),
        ("The Rankine cycle is the basis of engines.", "What is the Rankine cycle?", "the basis of engines"),
        ("Ada Lovelace is a writer of programs.", "Who is Ada Lovelace?", "a writer of programs"),
        ("The data protection officer is Ines Moreau.", "Who is the data protection officer?", "Ines Moreau"),
        ("Tarnfeld was founded in 1987 by two engineers.", "When was Tarnfeld founded?", "in 1987"),
        ("The hall was opened on 3 May 2021.", None, ""),  # which hall?
        ("A meal with customers may cost up to £60 per person.", "How much may a meal with customers cost?",
         "up to £60 per person"),
        ("The family package costs PLN 145 a month.", None, ""),
        ("The Oakmere package costs PLN 145 a month.", "How much does the Oakmere package cost?", "PLN 145 a month"),
        ("Claims must be handed in within 45 days after the trip.", "Within what time must claims be handed in?",
         "within 45 days after the trip"),
        ("The warranty of the logger is 36 months.", "What is the warranty of the logger?", "36 months"),
        ("Employees get 25 days of annual leave a year.", "How many days of annual leave do employees get?", "25"),
    ],
)  # fmt: skip
def test_a_template_gives_question_and_answer(sentence: str, question: str | None, fact: str) -> None:
    assert found(sentence) == ([(question, fact)] if question else [])


@pytest.mark.parametrize(
    "sentence",
    [
        "It is a colleague from another team.",  # what is?
        "This is a rule that everybody knows.",
        "The result is a cheaper machine than before.",  # one of many
        "Typical is a rise of fifty units an hour.",
        "The limit is 72 hours.",
        "Phagocytosis evolved as a means of acquiring food.",
        "Harbour is the same as last year and before.",
        "where is the mass of the body in motion.",
        "| Harbour is our HR self-service. |",
        "Harbour is our HR self-service",  # not finished
        "Harbour is our HR self-service: leave and sickness.",
        "Is Harbour our HR self-service?",
    ],
)
def test_what_is_not_sure_is_left(sentence: str) -> None:
    assert found(sentence) == []


def test_the_answer_is_without_marks_and_the_quote_with_them() -> None:
    text = "Some words. **Harbour** is our [HR](https://x.example) self-service."
    (one,) = statements(text, WORDING)
    assert one.answer == "Harbour is our HR self-service."
    assert one.quote == text[12:]
