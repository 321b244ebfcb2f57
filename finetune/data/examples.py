"""One training example, and the files that hold them: `NAME.jsonl`, whose passages stand once in `passages.jsonl`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from langchain_core.messages import BaseMessage, HumanMessage
from pydantic import TypeAdapter, ValidationError

from ragvoice.datatypes import Message, Passage, Style
from ragvoice.errors import UsageError
from ragvoice.generation.prompts import build_prompt

PARTS = ("train", "validation", "test")
"""Validation is looked at while training; test only by the proof."""
PASSAGES = "passages.jsonl"

_PASSAGE = TypeAdapter(Passage)


@dataclass(frozen=True)
class Example:
    id: str
    question: str
    passages: tuple[Passage, ...]
    """What the prompt holds, in its order; read as data, as at serving. None: the question is about no document."""
    answer: str
    """What the model is to write; of a refusal the abstention's words."""
    style: Style
    history: tuple[Message, ...] = ()
    refuses: bool = False
    source: str = ""
    document: str = ""
    """What the split goes by: examples of one document are all in one part."""
    accepted: tuple[str, ...] = ()
    """Every answer that counts as right; empty of a refusal."""


def prompt_of(example: Example) -> list[BaseMessage]:
    """As it is served; without passages the bare question, since the application asks no model then."""
    if not example.passages:
        return [HumanMessage(example.question)]
    return build_prompt(example.question, example.passages, example.history, example.style)


def write_parts(folder: Path, parts: Mapping[str, Sequence[Example]]) -> None:
    """Into an existing folder; what it held of these files is replaced."""
    texts: dict[str, Passage] = {}
    for name, examples in parts.items():
        lines = [json.dumps(_row(example, texts), ensure_ascii=False) for example in examples]
        (folder / f"{name}.jsonl").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    rows = [{"key": key, **_PASSAGE.dump_python(passage, mode="json")} for key, passage in texts.items()]
    written = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (folder / PASSAGES).write_text(written, encoding="utf-8")


def read_part(folder: Path, name: str) -> list[Example]:
    """:raises UsageError: when a file is missing or a line is damaged; the message names both."""
    texts = dict(_keyed_passage(row) for row in _rows(folder / PASSAGES))
    examples = []
    for number, row in enumerate(_rows(folder / f"{name}.jsonl"), start=1):
        try:
            examples.append(
                Example(
                    **{
                        **row,
                        "passages": tuple(texts[key] for key in row["passages"]),
                        "history": tuple(Message(**line) for line in row["history"]),
                        "accepted": tuple(row["accepted"]),
                    }
                )
            )
        except (KeyError, TypeError) as error:
            raise UsageError(f"{name}.jsonl, example {number}, is damaged ({error!r}). Make the data again.") from error
    return examples


def data_hash(folder: Path) -> str:
    """SHA-256 of the files of examples and passages, in hexadecimal: equal for equal data."""
    digest = hashlib.sha256()
    for name in (*(f"{part}.jsonl" for part in PARTS), PASSAGES):
        file = folder / name
        digest.update(f"{name}\0{hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else ''}\0".encode())
    return digest.hexdigest()


def passage_key(passage: Passage) -> str:
    """Equal for the same words under the same headings."""
    shown = "\0".join((passage.doc_id, passage.title, passage.section, passage.table_header, passage.text))
    return hashlib.sha256(shown.encode()).hexdigest()[:16]


def _row(example: Example, texts: dict[str, Passage]) -> dict[str, Any]:
    keys = [passage_key(passage) for passage in example.passages]
    for key, passage in zip(keys, example.passages, strict=True):
        texts.setdefault(key, passage)
    history = [{"speaker": line.speaker, "text": line.text} for line in example.history]
    return {**vars(example), "passages": keys, "history": history, "accepted": list(example.accepted)}


def _rows(file: Path) -> Iterable[dict[str, Any]]:
    """:raises UsageError: for a file that is missing, or a line that is no JSON object."""
    if not file.is_file():
        raise UsageError(f"{file.parent} has no {file.name}. Make the data first: ragvoice finetune data RUN")
    for number, line in enumerate(file.read_text(encoding="utf-8").split("\n"), start=1):
        if line.strip():
            try:
                row = json.loads(line)
            except ValueError as error:
                raise UsageError(f"{file.name}, line {number}, is not JSON ({error}). Make the data again.") from error
            if not isinstance(row, dict):
                raise UsageError(f"{file.name}, line {number}, is no JSON object. Make the data again.")
            yield row


def _keyed_passage(row: dict[str, Any]) -> tuple[str, Passage]:
    try:
        return row["key"], _PASSAGE.validate_python({name: value for name, value in row.items() if name != "key"})
    except (KeyError, ValidationError) as error:
        raise UsageError(f"{PASSAGES} holds no passage but {row!r:.80}. Make the data again.") from error
