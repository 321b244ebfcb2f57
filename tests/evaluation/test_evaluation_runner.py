"""A run over questions, from answers that the test wrote: figures, journal, failures on the way."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from scripted import REFUSAL, ScriptedSystem, answered, passage

from ragvoice.datatypes import Message
from ragvoice.errors import GenerationError
from ragvoice.evaluation.datasets import Dataset, Question
from ragvoice.evaluation.runner import evaluate, without_history

RIGHT = Question("1", "right", ("25 days",), ("a",), True)
WRONG = Question("2", "wrong", ("25 days",), ("a",), True)
REFUSED = Question("3", "refused", ("25 days",), ("a",), True)
OFF_TOPIC = Question(
    "4", "off topic", ("Camping World",), (), False, kind="unanswerable", world_answers=("Camping World",)
)
FOLLOW_UP = Question(
    "5", "And in Poland?", ("26",), ("a",), True, (Message("user", "Leave?"),), standalone="Leave in Poland?"
)


def dataset(*questions: Question) -> Dataset:
    return Dataset("set", Path(), questions, len(questions))


def system() -> ScriptedSystem:
    return ScriptedSystem(
        {
            "right": answered("25 days", "a", "b", evidence={"margin": 0.0}),
            "wrong": answered("26 weeks", "b", quote="Some get 26 weeks."),
            "refused": replace(REFUSAL, draft="25 days", passages=(passage("a"),)),
            "off topic": answered("At Camping World.", "b"),
            "And in Poland?": answered("26", "a", standalone_question="Leave? And in Poland?"),
        },
        [passage("b"), passage("a")],
    )


def test_the_figures_of_each_question() -> None:
    right, wrong, refused = evaluate(dataset(RIGHT, WRONG, REFUSED), system())
    assert (right.exact_match, right.f1, right.contains, right.rouge_l, right.right) == (1, 1, 1, 1, True)
    assert (right.cites_gold, right.citation_recall, right.quotes_found, right.grounded) == (0.5, 1, 1, 1)
    assert [citation.gold for citation in right.citations] == [True, False]
    assert (wrong.f1, wrong.right, wrong.failure) == (0, False, "retrieval miss")  # only b was retrieved
    assert (refused.f1, refused.right, refused.right_draft, refused.failure) == (0, False, True, "wrong refusal")
    assert refused.grounded is None
    assert right.retrieval is not None
    assert (right.retrieval["hit@1"], right.retrieval["hit@3"], right.retrieval["mrr"]) == (0, 1, 0.5)


def test_an_off_topic_question_has_no_gold_and_can_leak() -> None:
    [found] = evaluate(dataset(OFF_TOPIC), system())
    assert (found.f1, found.right, found.right_draft, found.retrieval) == (None, None, False, None)
    assert (found.leaked, found.failure) == (True, "leak")


def test_a_question_without_gold_answers_is_one_of_retrieval_only() -> None:
    [found] = evaluate(dataset(replace(RIGHT, answers=())), system())
    assert (found.f1, found.right, found.failure) == (None, None, None)
    assert found.retrieval is not None


def test_a_follow_up_is_searched_for_in_three_ways() -> None:
    asked = system()
    [found] = evaluate(dataset(FOLLOW_UP), asked)
    assert asked.searched == ["Leave? And in Poland?", "And in Poland?", "Leave in Poland?"]
    assert found.retrieval == found.retrieval_without_history == found.retrieval_of_standalone
    [other] = evaluate(dataset(RIGHT), asked)
    assert other.retrieval_without_history is None


def test_follow_ups_without_their_history() -> None:
    both = dataset(RIGHT, FOLLOW_UP)
    [alone] = without_history(both).questions
    assert (alone.id, alone.text, alone.history) == ("5", "And in Poland?", ())
    assert [question.text for question in without_history(both, rewritten=True).questions] == ["Leave in Poland?"]


def test_a_run_goes_on_where_it_was(tmp_path: Path) -> None:
    journal = tmp_path / "sub" / "answers.jsonl"
    first, second = system(), system()
    before = evaluate(dataset(RIGHT), first, "short", journal)
    with journal.open("a") as out:
        out.write('{"key": "2/short/')  # killed while it wrote the next one
    after = evaluate(dataset(RIGHT, WRONG), second, "short", journal)
    assert after[0] == before[0]
    assert [question for question, _ in second.asked] == ["wrong"]
    third = system()
    assert evaluate(dataset(RIGHT, WRONG), third, "short", journal) == after
    assert third.asked == []


def test_what_is_asked_in_another_way_is_asked_again(tmp_path: Path) -> None:
    journal = tmp_path / "answers.jsonl"
    evaluate(dataset(RIGHT), system(), "short", journal)
    changed = system()
    changed.answers["worded otherwise"] = changed.answers["right"]
    evaluate(dataset(RIGHT), changed, "spoken", journal)
    evaluate(dataset(replace(RIGHT, text="worded otherwise")), changed, "short", journal)
    evaluate(dataset(replace(RIGHT, groups=("hr",))), changed, "short", journal)
    evaluate(dataset(replace(RIGHT, gold_ids=("b",))), changed, "short", journal)
    evaluate(dataset(replace(RIGHT, answers=("30",))), changed, "short", journal)  # only scored anew
    assert len(changed.asked) == 4


def test_one_failing_question_does_not_end_the_run_and_is_asked_again(tmp_path: Path) -> None:
    journal = tmp_path / "answers.jsonl"
    broken = system()
    broken.answers["right"] = GenerationError("no answer from http://host/v1/x, see /home/someone/logs/model.log")
    first, second = evaluate(dataset(RIGHT, WRONG), broken, "short", journal)
    assert (first.outcome, first.failure, first.f1, first.right, first.refused) == ("failed", "error", 0, False, False)
    assert first.error == "GenerationError: no answer from http://host/v1/x, see model.log"
    assert second.outcome == "answered"
    mended = system()
    assert evaluate(dataset(RIGHT, WRONG), mended, "short", journal)[0].right
    assert [question for question, _ in mended.asked] == ["right"]


def test_ctrl_c_ends_the_run() -> None:
    class Impatient(ScriptedSystem):
        def ask(self, *_: object, **__: object):  # type: ignore[no-untyped-def]
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate(dataset(RIGHT), Impatient({}))


def test_progress_is_told() -> None:
    told: list[tuple[int, int]] = []
    evaluate(dataset(RIGHT, WRONG), system(), progress=lambda done, total: told.append((done, total)))
    assert told == [(0, 2), (1, 2), (2, 2)]
