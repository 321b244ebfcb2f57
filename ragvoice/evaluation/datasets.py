"""A dataset: a folder with documents (or a `corpus.jsonl`) and a `questions.jsonl`."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import Any, Literal, cast, get_args

from ragvoice.datatypes import Message, Passage
from ragvoice.errors import UsageError

_PAGE = re.compile(r"(.+)#p(\d+)$")
"""FinanceBench names a page of a file and counts from 0."""

_NO_DOCUMENTS = ("questions*.jsonl", "manifest.jsonl", "SOURCE.txt", "access.toml", ".*")
"""What stands in a dataset's folder beside its documents; the ingest leaves it out, too."""

Kind = Literal["answerable", "partial", "unanswerable", "underspecified"]
"""`partial`: the documents answer a part; `underspecified`: the right reply asks what was meant. The names are those of
`answerability` in MTRAG (Katsis et al. 2025, arXiv 2501.03468)."""


@dataclass(frozen=True)
class Question:
    id: str
    text: str
    answers: tuple[str, ...]
    """Acceptable gold answers; of a question that is not answerable the reply that the set would give."""
    gold_ids: tuple[str, ...]
    """doc_ids, or `FILE#pN`."""
    answerable: bool
    """From the documents, in whole or in part."""
    history: tuple[Message, ...] = ()
    groups: tuple[str, ...] = ()
    kind: Kind = "answerable"
    standalone: str | None = None
    """A follow-up as somebody would ask it without the history; None where the set does not say."""
    world_answers: tuple[str, ...] = ()
    """Of a question that is not answerable: what the world knows and the documents do not say."""


@dataclass(frozen=True)
class Dataset:
    name: str
    documents: Path | None
    """What is ingested: the subfolder `documents` where there is one, so that no answer key is indexed; None when the
    folder holds questions only."""
    questions: tuple[Question, ...]
    available: int = 0
    """Questions in the file; `questions` may be a sample of them."""
    digest: str = ""
    """SHA-256 of the file of questions."""


def read_dataset(folder: Path, limit: int | None = None, questions_file: Path | None = None) -> Dataset:
    """:param limit: Take this many questions, spread evenly over the file, so that every kind is there.
    :param questions_file: Instead of the folder's `questions.jsonl`.
    :raises UsageError: when the folder is not a dataset, or two questions have the same id.
    """
    file = questions_file or folder / "questions.jsonl"
    if not folder.is_dir():
        raise UsageError(f"{folder} is not a dataset: it is not a folder with documents and questions.jsonl.")
    if not file.is_file():
        raise UsageError(f"{folder} is not a dataset: it has no {file.name}.")
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
    if not questions:
        raise UsageError(f"{file.name} holds no question.")
    repeated = next((name for name, count in Counter(question.id for question in questions).items() if count > 1), None)
    if repeated is not None:
        raise UsageError(f"{file.name} has two questions with the id {repeated!r}.")
    digest = sha256("\n".join(lines).encode()).hexdigest()
    dataset = Dataset(folder.resolve().name, _documents(folder), tuple(questions), len(questions), digest)
    return dataset if limit is None else sample(dataset, limit)


def sample(dataset: Dataset, limit: int) -> Dataset:
    """At most `limit` of its questions, spread evenly, so that every kind is there."""
    count = len(dataset.questions)
    if limit >= count:
        return dataset
    return replace(dataset, questions=tuple(dataset.questions[i * count // limit] for i in range(limit)))


def halves(dataset: Dataset) -> tuple[Dataset, Dataset]:
    """Its questions in turns: one half to fit on, the other to measure on."""
    return replace(dataset, questions=dataset.questions[::2]), replace(dataset, questions=dataset.questions[1::2])


def _documents(folder: Path) -> Path | None:
    inner = folder / "documents"
    if inner.is_dir():
        return inner
    others = (entry.name for entry in folder.iterdir())
    return folder if any(not any(fnmatch(name, p) for p in _NO_DOCUMENTS) for name in others) else None


def is_gold(passage: Passage, gold_id: str) -> bool:
    """Whether the passage comes from the gold document, or from the gold page where one is named."""
    if passage.doc_id == gold_id:
        return True
    match = _PAGE.match(gold_id)
    if match is None:
        return False
    return PurePosixPath(passage.doc_id).stem == match[1] and passage.page == int(match[2]) + 1


def _question(row: dict[str, Any]) -> Question:
    answers = _texts(row["answers"], "answers")
    if not isinstance(row["answerable"], bool):
        raise ValueError(f"answerable is true or false, not {row['answerable']!r}")
    off_topic = not row["answerable"] and not row.get("answerability")  # else `answers` are replies that refuse
    history = tuple(Message(line["speaker"], str(line["text"])) for line in row.get("history") or ())
    return Question(
        str(row["id"]),
        str(row["question"]),
        answers,
        _texts(row["gold_ids"], "gold_ids"),
        row["answerable"],
        history,
        _texts(row.get("groups") or [], "groups"),
        _kind(row),
        str(row["standalone"]) if row.get("standalone") else None,
        answers if off_topic else (),
    )


def _texts(values: Any, name: str) -> tuple[str, ...]:
    """:raises ValueError: for a bare text, which would be taken letter by letter."""
    if not isinstance(values, list):
        raise ValueError(f"{name} is a list, not {values!r}")
    return tuple(map(str, values))


def _kind(row: dict[str, Any]) -> Kind:
    """:raises ValueError: for an `answerability` that is not known, or contradicts `answerable`."""
    stated = str(row.get("answerability") or ("answerable" if row["answerable"] else "unanswerable")).lower()
    if stated not in get_args(Kind):
        raise ValueError(f"answerability is one of {', '.join(get_args(Kind))}, not {stated!r}")
    if row["answerable"] != (stated in ("answerable", "partial")):
        raise ValueError(f"answerable is {row['answerable']}, but answerability is {stated}")
    return cast(Kind, stated)
