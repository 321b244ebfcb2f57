"""A dataset: a folder with documents (or a `corpus.jsonl`) and a `questions.jsonl`."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from ragvoice.datatypes import Message, Passage
from ragvoice.errors import UsageError

_PAGE = re.compile(r"(.+)#p(\d+)$")
"""FinanceBench names a page of a file and counts from 0."""


@dataclass(frozen=True)
class Question:
    id: str
    text: str
    answers: tuple[str, ...]
    """Acceptable gold answers; empty when the documents do not answer."""
    gold_ids: tuple[str, ...]
    """doc_ids, or `FILE#pN`."""
    answerable: bool
    history: tuple[Message, ...] = ()
    groups: tuple[str, ...] = ()


@dataclass(frozen=True)
class Dataset:
    name: str
    documents: Path
    """What is ingested: the subfolder `documents` where there is one, so that no answer key is indexed."""
    questions: tuple[Question, ...]


def read_dataset(folder: Path, limit: int | None = None) -> Dataset:
    """:param limit: Take this many questions, spread evenly over the file, so that every kind is there.
    :raises UsageError: when the folder is not a dataset.
    """
    file = folder / "questions.jsonl"
    if not file.is_file():
        raise UsageError(f"{folder} is not a dataset: it has no questions.jsonl.")
    try:
        lines = file.read_text(encoding="utf-8-sig").split("\n")  # splitlines() would also cut at U+2028 in a string
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{file} cannot be read: {error}. It takes one JSON object a line, in UTF-8.") from error
    questions = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            questions.append(_question(json.loads(line)))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise UsageError(f"{file.name}, line {number} is not a question: {error!r}") from error
    if limit is not None and limit < len(questions):
        questions = [questions[i * len(questions) // limit] for i in range(limit)]
    documents = folder / "documents"
    return Dataset(folder.resolve().name, documents if documents.is_dir() else folder, tuple(questions))


def is_gold(passage: Passage, gold_id: str) -> bool:
    """Whether the passage comes from the gold document, or from the gold page where one is named."""
    if passage.doc_id == gold_id:
        return True
    match = _PAGE.match(gold_id)
    if match is None:
        return False
    return PurePosixPath(passage.doc_id).stem == match[1] and passage.page == int(match[2]) + 1


def _question(row: dict[str, Any]) -> Question:
    history = tuple(Message(line["speaker"], str(line["text"])) for line in row.get("history") or ())
    return Question(
        str(row["id"]),
        str(row["question"]),
        tuple(str(answer) for answer in row["answers"]),
        tuple(str(gold) for gold in row["gold_ids"]),
        bool(row["answerable"]),
        history,
        tuple(row.get("groups") or ()),
    )
