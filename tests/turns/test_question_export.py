"""Rated turns as questions: what was called right is ready, the rest waits for a person."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from sample_turns import answer_of, sample_turn

from ragvoice.datatypes import Message
from ragvoice.errors import UsageError
from ragvoice.evaluation.datasets import Question, read_dataset
from ragvoice.turns.records import Turn, question_json

HISTORY = (Message("user", "Hi"), Message("agent", "Yes?"))


def questions(folder: Path, *turns: Turn) -> tuple[Question, ...]:
    (folder / "questions.jsonl").write_text("\n".join(json.dumps(question_json(turn)) for turn in turns))
    return read_dataset(folder).questions


def test_what_was_called_right_can_be_evaluated_as_it_is(tmp_path: Path) -> None:
    answered = replace(sample_turn(answer_of(turn_id="a"), history=HISTORY), rating=1)
    refused = answer_of(turn_id="b", outcome="abstained", said="That is not in the documents.", citations=())
    assert questions(tmp_path, answered, replace(sample_turn(refused), rating=1)) == (
        Question("a", "How many days?", ("You get 25 days.",), ("a.pdf",), True, HISTORY, ("hr",)),
        Question("b", "How many days?", (), (), False, (), ("hr",), "unanswerable"),
    )


@pytest.mark.parametrize("rating", [-1, None])
def test_what_was_not_waits_for_a_person(tmp_path: Path, rating: int | None) -> None:
    with pytest.raises(UsageError, match="line 1 is not a question"):
        questions(tmp_path, replace(sample_turn(), rating=rating))


def test_no_name_goes_out() -> None:
    row = question_json(replace(sample_turn(person="ada"), rating=-1, reason="old policy"))
    assert "ada" not in json.dumps(row)
    assert (row["turn"]["rating"], row["turn"]["reason"]) == (-1, "old policy")
