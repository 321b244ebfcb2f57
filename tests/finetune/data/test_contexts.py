"""What stands in a prompt of the training: the gold passage, distractors, and nothing that makes the answer wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from asking import candidate, finding, found, passage
from hypothesis import given, settings
from hypothesis import strategies as st

from finetune.data.candidates import Candidate
from finetune.data.contexts import Dropped, Found, contexts, retrieved
from finetune.data.examples import Example
from ragvoice.datatypes import Message, Passage
from ragvoice.generation.answering import ABSTENTION

LEAVE = passage("leave", "Employees get 25 days of annual leave.")
PAY = passage("pay", "Salaries are paid on the 26th of the month.")
BUS = passage("bus", "The bus leaves the works at noon.")
CAR = passage("car", "Visitors park in lot four.")
DAYS = candidate("1", "How many days of leave?", "25 days", "leave")
SAID = (Message("user", "How many days of annual leave do employees get?"), Message("agent", "25 days."))


def made(found_: Sequence[Found], sizes: Sequence[int] = (3,), **changes: Any) -> tuple[list[Example], Counter[str]]:
    dropped = Dropped()
    values: dict[str, Any] = {
        "no_gold": 0.0, "hidden": (), "most_answer_tokens": 20, "seed": 1,
        "count_tokens": lambda text: len(text.split()), **changes,
    }  # fmt: skip
    return contexts(found_, sizes, dropped=dropped, **values), dropped.reasons


def test_what_is_not_found_is_counted() -> None:
    dropped = Dropped()
    kept = retrieved([DAYS, candidate("2", "Who pays?", "26th", "leave")], finding(PAY, LEAVE), dropped)
    assert [(one.candidate.id, one.gold, one.passages) for one in kept] == [("1", LEAVE, (PAY, LEAVE))]
    assert dropped.reasons == {"set: its passage was not found": 1}


def test_a_short_answer_must_stand_in_the_gold_passage_as_words() -> None:
    whole = passage("leave", "There are 125 days in it.")
    assert found(DAYS, whole, LEAVE).gold == LEAVE
    dropped = Dropped()
    assert retrieved([DAYS], finding(whole), dropped) == []


def test_a_spoken_answer_takes_the_best_passage_of_its_document() -> None:
    other = passage("leave", "Nothing of it.")
    said = candidate("1", "How many days of leave?", "They get 25 days.", "leave", style="spoken")
    assert found(said, PAY, other, LEAVE).gold == other
    exact = candidate("1", "How many days?", "Employees get 25 days of annual leave.", "leave", style="spoken")
    assert found(exact, PAY, other, LEAVE).gold == LEAVE


def test_the_gold_text_says_which_passage_of_a_document_it_is() -> None:
    other = passage("leave", "After 25 days of illness a doctor writes.")
    assert found(DAYS, other, LEAVE).gold == other
    known = candidate("1", "How many days of leave?", "25 days", "leave", gold_text=LEAVE.text)
    assert found(known, other, LEAVE).gold == LEAVE
    twin = candidate("1~name", "How many days of leave in Oslo?", "", "leave", gold_text=LEAVE.text, absent="Oslo")
    assert found(twin, other, LEAVE).gold == LEAVE


def test_a_refusal_without_a_document_has_the_nearest_passage() -> None:
    nowhere = candidate("1", "Who won the cup?")
    assert found(nowhere, PAY, LEAVE).gold == PAY
    assert retrieved([nowhere], finding(), Dropped()) == []


def test_a_follow_up_is_asked_with_its_history_and_others_without() -> None:
    asked: list[tuple[str, tuple[str, ...]]] = []
    paid = candidate("1", "Is it 25 days?", "25 days", "leave", history=SAID, groups=("hr",))

    def search(query: str, groups: Iterable[str]) -> Sequence[Passage]:
        asked.append((query, tuple(groups)))
        return [replace(LEAVE, similarity=0.6 if SAID[0].text in query else 0.5)]

    [one] = retrieved([paid], search, Dropped())
    assert one.history == SAID
    assert (f"{SAID[0].text} Is it 25 days?", ("hr",)) in asked
    alone = "When are the salaries of all employees paid in Leeds?"
    assert found(candidate("2", alone, "26th", "pay", history=SAID), PAY).history == ()


def test_each_question_is_asked_once_over_each_size_with_its_passage() -> None:
    [one, three], _ = made([found(DAYS, PAY, LEAVE, BUS, CAR)], sizes=(1, 3))
    assert one.passages == (LEAVE,)
    assert sorted(p.doc_id for p in three.passages) == ["bus", "leave", "pay"]  # car is the farthest
    assert (three.id, three.answer, three.accepted, three.document) == ("set/1/3", "25 days", ("25 days",), "leave")
    assert not three.refuses


def test_questions_about_near_passages_share_a_context() -> None:
    questions = [found(DAYS, LEAVE, PAY), found(candidate("2", "When are we paid?", "26th", "pay"), PAY, LEAVE)]
    examples, _ = made(questions, sizes=(2,))
    assert len({example.passages for example in examples}) == 1


DOCUMENTS = [passage(f"d{n}", f"The answer is number{n} indeed.") for n in range(6)]


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_whatever_is_asked(data: st.DataObject) -> None:
    """Gold among the shown; once a size; nothing hidden; no more passages than the size, none twice."""
    questions = []
    for n in range(data.draw(st.integers(1, 8))):
        gold = data.draw(st.integers(0, 3))
        answer = f"number{gold}" if data.draw(st.booleans()) else ""
        order = data.draw(st.permutations(DOCUMENTS))
        questions.append(found(candidate(f"{n}", f"Question {n}?", answer, f"d{gold}"), *order))
    hidden = data.draw(st.sets(st.sampled_from(["d4", "d5"])))
    sizes = data.draw(st.lists(st.integers(1, 6), min_size=1, max_size=3, unique=True))
    examples, dropped = made(questions, sizes, hidden=hidden, no_gold=0.5, seed=data.draw(st.integers(0, 9)))
    assert not dropped
    with_gold = [example for example in examples if not example.id.endswith("/none")]
    assert Counter(e.id for e in with_gold) == {f"set/{one.candidate.id}/{n}": 1 for one in questions for n in sizes}
    for example in examples:
        shown = [p.doc_id for p in example.passages]
        assert len(set(shown)) == len(shown)
        assert not hidden & set(shown)
        assert (example.document in shown) != example.id.endswith("/none")
        if not example.refuses:
            assert any(example.answer in p.text for p in example.passages)
        if example.id.endswith("/none"):
            assert example.refuses
            assert not any(f"number{example.document[1:]}" in p.text for p in example.passages)
        else:
            assert len(shown) == min(int(example.id.rsplit("/", 1)[1]), 6 - len(hidden))


def nothing_shown(one: Candidate, *others: Any, hidden: Collection[str] = ()) -> list[Example]:
    examples, _ = made([found(one, LEAVE, *others)], no_gold=1.0, hidden=hidden)
    return [example for example in examples if example.id.endswith("/none")]


def test_without_its_passage_the_answer_is_the_refusal() -> None:
    [refused] = nothing_shown(DAYS, PAY, BUS)
    assert (refused.answer, refused.refuses, refused.accepted) == (ABSTENTION, True, ())
    assert refused.passages == (PAY, BUS)


@pytest.mark.parametrize(
    "other",
    [
        passage("rules", "In England it is 25 days, too."),
        passage("rules", "See the table.", section="25 days of leave"),
        passage("rules", "| Leeds | yes |", table_header="| Place | 25 days |"),
    ],
)
def test_unless_what_is_left_says_the_answer(other: Any) -> None:
    assert nothing_shown(DAYS, PAY, other) == []
    assert len(nothing_shown(DAYS, PAY, other, hidden=["rules"])) == 1


def test_or_a_sentence_that_answers_rests_on_it() -> None:
    said = candidate("1", "How much leave is there?", "All employees get 25 days of leave.", "leave", style="spoken")
    other = passage("rules", "All of our employees get 25 days of paid leave.")
    assert nothing_shown(said, PAY, other) == []
    assert len(nothing_shown(said, PAY)) == 1


def test_nor_with_nothing_else_to_show() -> None:
    assert nothing_shown(DAYS) == []
    assert nothing_shown(DAYS, passage("leave", "More of the same document.")) == []


def test_a_twin_that_a_distractor_answers_is_dropped_there_only() -> None:
    twin = candidate("1~name", "How many days of leave in Oslo?", "", "leave", gold_text=LEAVE.text, absent="Oslo")
    oslo = passage("oslo", "Employees in Oslo get 30 days.")
    examples, dropped = made([found(twin, LEAVE, oslo)], sizes=(1, 2))
    assert [(example.id, example.refuses) for example in examples] == [("set/1~name/1", True)]
    assert dropped == {"set: a passage beside its own answers it": 1}


def test_the_answer_to_copy_is_the_accepted_one_that_stands_there() -> None:
    both = Candidate("1", "How many?", ("twenty-five", "25 days"), True, ("leave",), style="short", source="set")
    [example], _ = made([found(both, LEAVE)], sizes=(1,))
    assert (example.answer, example.accepted) == ("25 days", ("twenty-five", "25 days"))


def test_what_would_not_be_said_is_left_out_of_an_answer() -> None:
    whole = "Employees get 25 days of annual leave. Employees of Oslo get 30 days of leave."
    said = candidate("1", "How much leave is there?", whole, "leave", style="spoken")
    [example], _ = made([found(said, LEAVE)], sizes=(1,))
    assert example.answer == "Employees get 25 days of annual leave."


def test_two_sentences_are_said_and_no_more_tokens_than_allowed() -> None:
    text = "Leave is 25 days. It starts in April. It ends in March."
    said = candidate("1", "What are the rules?", text, "leave", style="spoken")
    one = found(said, passage("leave", text))
    assert made([one])[0][0].answer == "Leave is 25 days. It starts in April."
    assert made([one], most_answer_tokens=7)[0][0].answer == "Leave is 25 days."
    assert made([one], most_answer_tokens=3) == ([], {"set: its answer is not in its passage, or is too long": 1})


def test_the_share_without_gold_is_drawn() -> None:
    many = [found(candidate(f"{n}", f"Question {n}?", "25 days", "leave"), LEAVE, PAY) for n in range(400)]
    none = [example for example in made(many, no_gold=0.25)[0] if example.id.endswith("/none")]
    assert 70 < len(none) < 130
    assert made(many, no_gold=0.25)[0] == made(many, no_gold=0.25)[0]
    assert made(many, no_gold=0.25, seed=2)[0] != made(many, no_gold=0.25)[0]
