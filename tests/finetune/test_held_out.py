"""The split by document: which groups there are, that they stay whole, and when there is no split."""

from __future__ import annotations

from dataclasses import replace

import pytest

from finetune.held_out import documents_of, held_out
from ragvoice.datatypes import Message
from ragvoice.errors import UsageError
from ragvoice.evaluation.datasets import Question


def question(id_: str, *golds: str) -> Question:
    return Question(id_, f"Question {id_}?", ("yes",), golds, True)


MANY = [question(f"{document}{number}", f"{document}.md") for document in "abcdefgh" for number in range(5)]


def test_whole_documents_until_the_share_is_there() -> None:
    held = held_out(MANY, 0.3)
    assert len(held) == 10  # two documents of five make .25; a third is more than twice the 2 that are wanted then
    by_document = [{q.id for q in MANY if q.gold_ids == (gold,)} for gold in documents_of(MANY)]
    assert all(ids <= held or ids.isdisjoint(held) for ids in by_document)


def test_another_seed_draws_other_documents() -> None:
    assert held_out(MANY, 0.3, seed=1) != held_out(MANY, 0.3, seed=2)
    assert held_out(MANY, 0.3, seed=1) == held_out(list(reversed(MANY)), 0.3, seed=1)


def test_documents_that_one_question_names_stay_together() -> None:
    chain = [question("1", "a", "b"), question("2", "b", "c"), question("3", "c"), question("4", "d")]
    assert held_out(chain, 0.7) in ({"1", "2", "3"}, {"4"})


def test_documents_of_one_title_and_questions_of_one_conversation_stay_together() -> None:
    titles = {f"{document}.md": "Leave" if document in "abc" else "" for document in "abcdefgh"}
    held = held_out(MANY, 0.4, titles=titles)
    assert {"a0", "b0", "c0"} <= held or held.isdisjoint({"a0", "b0", "c0"})
    talk = (Message("user", "How long is leave?"),)
    asked = [replace(question("1", "a"), history=talk), replace(question("2", "b"), history=talk), question("3", "c")]
    assert held_out(asked, 0.7) in ({"1", "2"}, {"3"})


def test_a_group_that_is_much_too_large_is_trained_on() -> None:
    large = [question(f"large{n}", "large.md") for n in range(70)]
    for seed in range(10):
        held = held_out([*large, *MANY[:30]], 0.3, seed)  # a share of .3 is 30, the large document has 70
        assert held.isdisjoint({q.id for q in large})
        assert 25 <= len(held) <= 30


def test_if_every_group_is_too_large_the_smallest_is_held_out() -> None:
    assert held_out([question("1", "a"), question("2", "a"), question("3", "b")], 0.1) == {"3"}


def test_without_a_document_a_question_stands_alone() -> None:
    loose = [question("1"), question("2"), question("3", "a")]
    assert len(held_out(loose, 0.3)) == 1


def test_one_group_cannot_be_split() -> None:
    with pytest.raises(UsageError, match="all hang together"):
        held_out([question("1", "a", "b"), question("2", "b")], 0.3)
