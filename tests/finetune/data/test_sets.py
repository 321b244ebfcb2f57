"""Questions of a set in the form in which the model is to answer them."""

from __future__ import annotations

import pytest

from finetune.data.sets import candidates_of, detokenised
from ragvoice.datatypes import Message
from ragvoice.evaluation.datasets import Dataset, Kind, Question

LONG = "Employees of the works in Leeds get twenty-five days of annual leave every year."


def question(
    id_: str, *answers: str, answerable: bool = True, text: str = "How many?", kind: Kind = "answerable"
) -> Question:
    return Question(id_, text, answers, ("a.md",), answerable, kind=kind)


def asked(*questions: Question, sentences: dict[str, str] | None = None) -> dict[str, tuple[str, ...]]:
    return {one.id: one.answers for one in candidates_of(Dataset("set", None, questions), sentences)}


@pytest.mark.parametrize(
    ("tokenised", "read"),
    [
        ("( one ) , two .", "(one), two."),
        ("the `` Fit Note '' rule", 'the "Fit Note" rule'),
        ("5 % [ of all ] ; and", "5% [of all]; and"),
        ("between .5 and 1 , roughly", "between .5 and 1, roughly"),
        ("as  it\tis", "as it is"),
    ],
)
def test_marks_of_tokenised_corpora_go(tokenised: str, read: str) -> None:
    assert detokenised(tokenised) == read


def test_facts_are_asked_for_short_and_sentences_spoken() -> None:
    assert asked(question("1", "25 days", "25 days", LONG)) == {"1/short": ("25 days",)}
    assert asked(question("1", LONG)) == {"1/spoken": (LONG,)}


def test_whole_sentences_of_the_set_make_the_spoken_style() -> None:
    both = asked(question("1", "25"), question("2", "26"), sentences={"1": "It is 25 ."})
    assert both == {"1/short": ("25",), "1/spoken": ("It is 25.",), "2/short": ("26",)}


def test_twelve_words_are_short_and_thirteen_are_not() -> None:
    assert list(asked(question("1", "w " * 12))) == ["1/short"]
    assert list(asked(question("1", "w " * 13))) == ["1/spoken"]


def test_a_refusal_is_asked_in_each_style_of_the_set() -> None:
    refused = question("2", "Not in the world.", answerable=False)
    assert asked(question("1", "25"), refused, sentences={"1": "It is 25."}) == {
        "1/short": ("25",), "1/spoken": ("It is 25.",), "2/short": (), "2/spoken": (),
    }  # fmt: skip
    assert asked(refused) == {"2/short": ()}


def test_what_is_answered_in_part_or_asks_back_is_left_out() -> None:
    odd = question("1", "25", kind="partial"), question("2", "?", answerable=False, kind="underspecified")
    assert list(asked(*odd, question("3", "26"))) == ["3/short"]


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (' "What is it?" ', "What is it?"),
        ('What is it?"', "What is it?"),
        ('Which is the "other?"', 'Which is the "other?"'),
        ('"Works" or "plant"', '"Works" or "plant"'),
    ],
)
def test_quotation_marks_around_a_question_go(text: str, kept: str) -> None:
    assert candidates_of(Dataset("set", None, (question("1", "x", text=text),)))[0].question == kept


def test_the_rest_is_carried_over() -> None:
    said = (Message("user", "Leave?"),)
    [one] = candidates_of(Dataset("set", None, (Question("1", "How many?", ("25",), ("a.md",), True, said, ("hr",)),)))
    assert (one.source, one.gold_doc_ids, one.history, one.groups) == ("set", ("a.md",), said, ("hr",))
