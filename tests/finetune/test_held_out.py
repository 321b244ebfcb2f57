"""The split by document: which groups there are, that they stay whole, and when there is no split."""

from __future__ import annotations

import pytest

from finetune.held_out import documents_of, held_out
from ragvoice.errors import UsageError
from ragvoice.evaluation.datasets import Question


def question(id_: str, *golds: str) -> Question:
    return Question(id_, f"Question {id_}?", ("yes",), golds, True)


MANY = [question(f"{document}{number}", f"{document}.md") for document in "abcdefgh" for number in range(5)]


def test_whole_documents_until_the_share_is_there() -> None:
    held = held_out(MANY, 0.3)
    assert len(held) == 15  # three documents of five: two would be .25
    by_document = [{q.id for q in MANY if q.gold_ids == (gold,)} for gold in documents_of(MANY)]
    assert all(ids <= held or ids.isdisjoint(held) for ids in by_document)


def test_another_seed_draws_other_documents() -> None:
    assert held_out(MANY, 0.3, seed=1) != held_out(MANY, 0.3, seed=2)
    assert held_out(MANY, 0.3, seed=1) == held_out(list(reversed(MANY)), 0.3, seed=1)


def test_documents_that_one_question_names_stay_together() -> None:
    chain = [question("1", "a", "b"), question("2", "b", "c"), question("3", "c"), question("4", "d")]
    assert held_out(chain, 0.1) in ({"1", "2", "3"}, {"4"})


def test_without_a_document_a_question_stands_alone() -> None:
    loose = [question("1"), question("2"), question("3", "a")]
    assert len(held_out(loose, 0.3)) == 1


def test_one_group_cannot_be_split() -> None:
    with pytest.raises(UsageError, match="1 separate groups"):
        held_out([question("1", "a", "b"), question("2", "b")], 0.3)
