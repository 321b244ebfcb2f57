"""Question sets -> questions that can train or prove a retriever."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ragvoice.errors import UsageError
from ragvoice.evaluation.datasets import Question, read_dataset


def read_questions(sets: Sequence[Path]) -> list[Question]:
    """All questions of folders with a `questions.jsonl`, or of files of questions; each once.

    The id of each begins with the name of its set.

    :raises UsageError: when one is no dataset, or an id stands for two questions.
    """
    read: dict[str, Question] = {}
    for path in sets:
        dataset = read_dataset(path.parent, questions_file=path) if path.is_file() else read_dataset(path)
        for question in dataset.questions:
            named = replace(question, id=f"{dataset.name}/{question.id}")
            if read.setdefault(named.id, named) != named:
                raise UsageError(f"Two questions have the id {named.id!r}. Give the folders of the sets other names.")
    return list(read.values())


def with_gold(questions: Sequence[Question], indexed: frozenset[str]) -> list[Question]:
    """Those that documents of the index answer, each wording once.

    :param indexed: doc_ids of the index.
    """
    kept: dict[tuple[str, ...], Question] = {}
    for question in questions:
        if question.answerable and question.gold_ids and indexed.issuperset(question.gold_ids):
            kept.setdefault((question.text, *(line.text for line in question.history)), question)
    return list(kept.values())
