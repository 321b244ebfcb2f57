"""The threshold of a run's adapter: when there are too few questions for one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from proof_runs import trained

from finetune.data.examples import Example
from finetune.proof.calibration import calibrate_run, validation_questions
from finetune.proof.measuring import chosen_questions
from finetune.run import QuestionSet
from ragvoice.errors import UsageError


def question_set(folder: Path, count: int) -> QuestionSet:
    (folder / "documents").mkdir(parents=True)
    rows = [
        {"id": str(n), "question": f"Question {n}?", "answers": ["a"], "gold_ids": ["d.md"], "answerable": True}
        for n in range(count)
    ]
    (folder / "questions.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return QuestionSet.model_validate({"folder": folder})


def test_too_few_validation_questions_are_told_before_any_is_asked(clean_environment: Path) -> None:
    validation = [Example(str(n), f"Question {n}?", (), "a", "short", source="company") for n in range(29)]
    questions = validation_questions([question_set(clean_environment / "company", 40)], validation, 80)
    assert [len(dataset.questions) for _, dataset in questions] == [29]
    with pytest.raises(UsageError, match=r"the run few give 58 answers; a threshold takes 60\. Raise `validation`"):
        calibrate_run(trained("few"), questions, 0.1, lambda *step: pytest.fail("asked"))


def test_off_topic_questions_of_the_threshold_are_not_those_of_the_proof(clean_environment: Path) -> None:
    company = question_set(clean_environment / "company", 4)
    offtopic = clean_environment / "offtopic"
    offtopic.mkdir()
    rows = [
        {"id": str(n), "question": f"Who won in {n}?", "answers": [], "gold_ids": [], "answerable": False}
        for n in range(9)
    ]
    (offtopic / "questions.jsonl").write_text("\n".join(map(json.dumps, rows)))
    other = QuestionSet.model_validate({"folder": offtopic})
    validation = [Example("0", "Question 0?", (), "a", "short", source="company")]

    *_, (set_, fitted) = validation_questions([company], validation, 80, other)
    proof = chosen_questions([company, other], [], [], ["short"], None, None)
    (measured,) = [one.dataset for one in proof.sets if one.dataset.name == "offtopic"]

    assert set_.index is not None
    assert set_.index.name == "company"
    texts = {row["question"] for row in rows}
    assert {question.text for question in fitted.questions} | {
        question.text for question in measured.questions
    } == texts
    assert len(fitted.questions) + len(measured.questions) == len(texts)
