"""One change makes a question unanswerable, and only where it does."""

from __future__ import annotations

import pytest

from finetune.data.candidates import Candidate
from finetune.data.names import Names
from finetune.data.twins import says, unanswerable_twins

NAMES = Names(
    ["They rest in Gdansk. They rest in Bergen. They rest in Rotterdam."], lambda texts: [[1.0] for _ in texts]
)


def candidate(question: str, text: str, answer: str = "something") -> Candidate:
    return Candidate("1", question, (answer,), True, ("a",), text, style="short", source="set")


def twins(question: str, text: str, answer: str = "something") -> dict[str, tuple[str, str]]:
    made = unanswerable_twins(candidate(question, text, answer), NAMES)
    return {twin.id.split("~")[1]: (twin.question, twin.absent) for twin in made}


def test_a_twin_keeps_all_but_the_question_and_the_answer() -> None:
    (twin,) = unanswerable_twins(candidate("Who works in Gdansk?", "Ada works in Gdansk.", "Ada"), NAMES)
    assert (twin.id, twin.question, twin.absent) == ("1~name", "Who works in Bergen?", "Bergen")
    assert (twin.answers, twin.answerable, twin.source) == ((), False, "set, twin")
    assert (twin.gold_doc_ids, twin.gold_text, twin.style) == (("a",), "Ada works in Gdansk.", "short")


@pytest.mark.parametrize(
    ("question", "text", "expected"),
    [
        ("Who works in Gdansk?", "Ada works in Gdansk, Bo in Bergen.", "Who works in Rotterdam?"),  # Bergen is answered
        ("Who works in Gdansk?", "Ada works there.", None),  # the text does not say where
        ("Who likes in Gdansk trains?", "Ada likes Gdansk trains.", None),  # part of a longer phrase
        ("Who is Mayor of Gdansk?", "Ada is Mayor of Gdansk.", None),  # part of a longer name
    ],
)
def test_a_name_becomes_one_that_is_not_near(question: str, text: str, expected: str | None) -> None:
    assert twins(question, text).get("name", (None,))[0] == expected


@pytest.mark.parametrize(
    ("question", "text", "expected"),
    [
        ("Who won in 1985?", "Ada won in 1985.", "Who won in 1988?"),
        ("Who won in 1985?", "Ada won in 1985, Bo in 1988.", "Who won in 1981?"),
        ("What rose in the 1950s?", "Prices rose in the 1950s.", "What rose in the 1980s?"),
        ("Who won before 1985?", "Ada won in 1984, before 1985.", None),  # 1988 may be as right
        ("Who won in 1985?", "Ada won.", None),
        ("What do 12 people get?", "12 people get a room.", "What do 24 people get?"),
        ("What was World War 1?", "World War 1 was a war.", None),  # part of the name
        ("What does Article 9 forbid?", "Article 9 forbids noise.", "What does Article 18 forbid?"),
        ("What costs 1,250 pounds?", "A chair costs 1,250 pounds.", None),
    ],
)
def test_a_number_becomes_another_one(question: str, text: str, expected: str | None) -> None:
    assert twins(question, text).get("number", (None,))[0] == expected


@pytest.mark.parametrize(
    ("question", "text", "expected"),
    [
        ("What is the largest hall?", "The largest hall is Ure.", "What is the smallest hall?"),
        ("What is the largest hall?", "Ure is the largest hall, Nidd the smallest.", None),  # answered
        ("What is the largest hall?", "Ure is bigger than the others.", None),  # about neither
        ("Where did it end up?", "It did end up in Leeds.", None),  # a part of the verb
        ("What is the most common error?", "The most common error is a typo.", "What is the least common error?"),
        ("What do most people like?", "Most people like tea, most days.", None),
        ("Who is paid or unpaid?", "All are paid.", None),
        ("Who takes paid leave?", "All may take paid leave.", "Who takes unpaid leave?"),
        ("How much are actors paid?", "Actors are paid much.", None),
        ("Who is no longer there?", "Bo is no longer there.", None),
    ],
)
def test_a_word_becomes_its_opposite(question: str, text: str, expected: str | None) -> None:
    assert twins(question, text).get("antonym", (None,))[0] == expected


@pytest.mark.parametrize(
    ("question", "text", "expected"),
    [
        ("When can I work at home?", "You can work at home on Fridays.", "When can I not work at home?"),
        ("How can I work at home?", "You can work at home with the VPN.", None),  # nobody asks how not to
        ("What is covered?", "Glasses are covered.", "What is not covered?"),
        ("Which costs are refunded?", "Rail is refunded.", "Which costs are not refunded?"),
        ("Which costs are refunded?", "Rail is refunded, taxis are not.", None),  # answered
        ("What is the tool that is used?", "The tool that is used is Pebble.", None),  # another clause
    ],
)
def test_a_question_is_negated(question: str, text: str, expected: str | None) -> None:
    assert twins(question, text).get("negation", (None,))[0] == expected


def test_there_may_be_several_of_a_kind() -> None:
    made = unanswerable_twins(candidate("Who works in Gdansk?", "Ada works in Gdansk."), NAMES, most=5)
    assert [(twin.id, twin.absent) for twin in made] == [("1~name", "Bergen"), ("1~name1", "Rotterdam")]


def test_nothing_without_a_text_or_an_answer() -> None:
    assert twins("Who won in 1985?", "") == {}
    unanswerable = Candidate("1", "Who won in 1985?", (), False, ("a",), "Ada won in 1985.")
    assert unanswerable_twins(unanswerable, NAMES) == []


def test_a_text_says_a_word_in_any_form_and_a_stop_word_too() -> None:
    assert says("It was forbidden before noon.", "before")
    assert says("Exports grow.", "export")
    assert not says("It was forbidden after noon.", "before")
    assert not says("The Bank closed.", "Bank of England")
