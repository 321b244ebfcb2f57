"""Which questions are asked, and how both models' answers are put side by side."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from proof_runs import answers

from finetune.data.examples import Example
from finetune.proof.gates import GENERAL, READING
from finetune.proof.measuring import Results, chosen_questions, compared, compared_by_source
from finetune.run import QuestionSet
from ragvoice.datatypes import Passage
from ragvoice.errors import UsageError

ROWS: list[dict[str, Any]] = [
    {"id": "1", "question": "Seen in these words?", "answers": ["a"], "gold_ids": ["new.md"], "answerable": True},
    {"id": "2", "question": "Seen document?", "answers": ["a"], "gold_ids": ["old.md"], "answerable": True},
    {"id": "3", "question": "Seen page?", "answers": ["a"], "gold_ids": ["old#p3"], "answerable": True},
    {"id": "4", "question": "New?", "answers": ["a"], "gold_ids": ["new.md"], "answerable": True},
    {"id": "5", "question": "Not answerable?", "answers": [], "gold_ids": [], "answerable": False},
    {"id": "6", "question": 'What is a "pass"', "answers": ["a"], "gold_ids": ["new.md"], "answerable": True},
]
TRAINED_ON = [
    Example("t1", "Seen in these words?", (), "a", "short"),
    Example("t2", "Other words?", (), "a", "short", document="old.md"),
    Example("t3", "Other words?", (), "a", "short", document="old.pdf"),
    Example("t4", 'What is a "pass"', (), "a", "short"),
]


def question_set(tmp_path: Path, name: str = "company") -> QuestionSet:
    (tmp_path / name / "documents").mkdir(parents=True)
    (tmp_path / name / "questions.jsonl").write_text("\n".join(map(json.dumps, ROWS)))
    return QuestionSet.model_validate({"folder": tmp_path / name})


def test_questions_that_the_training_saw_are_left_out_and_counted(tmp_path: Path) -> None:
    found = chosen_questions([question_set(tmp_path)], [], TRAINED_ON, ["short"], None, None)
    company, knowledge = (asked.dataset for asked in found.sets)
    assert [question.id for question in company.questions] == ["4", "5"]
    assert found.seen == {"company": 4}
    assert not any(question.answerable for question in knowledge.questions)
    assert all(question.world_answers and not question.answers for question in knowledge.questions)


def test_of_a_pretrained_model_every_passage_was_seen(tmp_path: Path) -> None:
    beside = Passage("new.md", "new.md", "", "", None, None, "text", 0, 1.0)
    trained_on = [*TRAINED_ON, Example("t5", "Other words?", (beside,), "a", "short", document="other.md")]
    sets = [question_set(tmp_path)]
    asked, unseen = (
        chosen_questions(sets, [], trained_on, ["short"], None, None, pretrained=pretrained).sets[0].dataset.questions
        for pretrained in (False, True)
    )
    assert [[question.id for question in questions] for questions in (asked, unseen)] == [["4", "5"], ["5"]]


def test_limits_spread_over_sets_and_examples(tmp_path: Path) -> None:
    test = [Example(str(n), "?", (), "", "short") for n in range(10)]
    found = chosen_questions([question_set(tmp_path)], test, [], ["short"], 2, 5)
    assert [question.id for question in found.sets[0].dataset.questions] == ["1", "4"]
    assert [example.id for example in found.examples] == ["0", "2", "4", "6", "8"]
    assert chosen_questions([], test, [], ["short"], 2, 50).sets == ()


def test_two_sets_need_two_names(tmp_path: Path) -> None:
    for names in (("a/company", "b/company"), ("c/reading",)):
        sets = [question_set(tmp_path, name) for name in names]
        with pytest.raises(UsageError, match="a name of its own"):
            chosen_questions(sets, [], [], ["short"], None, None)


def test_sources_of_the_reading_test_are_shown_apart() -> None:
    examples = [Example(str(n), "?", (), "", "short", source="log" if n < 4 else "set") for n in range(6)]
    base: Results = {(READING, "all"): answers(0, 6, 0, 0)}
    adapted: Results = {(READING, "all"): answers(4, 6, 0, 0)}
    log, rest = compared_by_source(examples, base, adapted)
    right = [next(d for d in one.differences if d.measure.name == "right") for one in (log, rest)]
    assert [(log.name, right[0].after), (rest.name, right[1].after)] == [("reading: log", 1.0), ("reading: set", 0.0)]
    assert compared_by_source([replace(example, source="set") for example in examples], base, adapted) == []


def test_a_model_that_is_asked_directly_has_no_confidence_to_compare() -> None:
    rows = answers(3, 6, 2, 4)
    results: Results = {(READING, "all"): rows, (GENERAL, "all"): rows, ("company", "short"): rows}
    groups = {one.name: {d.measure.group for d in one.differences} for one in compared(results, results)}
    assert "Confidence" in groups["company"]
    assert "Confidence" not in groups[READING] | groups[GENERAL]
