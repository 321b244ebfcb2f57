"""Question sets -> examples: a question with a window of one passage, and whether that passage answers it."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ragvoice.errors import UsageError
from ragvoice.retrieval.pairs import PairEncoder
from ragvoice.retrieval.window import best_window

NEAREST = 4
"""A wrong passage is drawn from so many of the best by BM25."""


@dataclass(frozen=True)
class Example:
    """Legend: `l` tokens."""

    id: str
    source: str
    group: str
    """What a fold keeps together: the article or document."""
    token_ids_l: list[int]
    type_ids_l: list[int]
    span: tuple[int, int] | None
    """First and last token of the answer; None when it is not in the window or there is none."""
    offsets_l: list[tuple[int, int]]
    """Characters of `text` of each token; (0, 0) outside of it."""
    text: str
    golds: tuple[str, ...]
    answers: bool
    relevant: bool
    drawn: bool
    """A wrong passage, drawn for training; never in a figure."""
    missed: bool
    """The window left the answer out: a fair question to be measured with, a wrong one to learn from."""


def read_examples(folders: Sequence[Path], encoder: PairEncoder, wrong_share: float, seed: int) -> list[Example]:
    """Every question with its gold passage, and a share of them once more with a wrong one.

    The passage of an unanswerable question is the one it was written against; questions without one are left out.

    :raises UsageError: when a folder has no corpus.jsonl and questions.
    """
    return [example for folder in folders for example in _read_set(folder, encoder, wrong_share, seed)]


def data_hash(folders: Sequence[Path]) -> str:
    """SHA-256 over the files that were read, in order."""
    digest = hashlib.sha256()
    for folder in folders:
        for file in (folder / "corpus.jsonl", _questions(folder)):
            digest.update(file.read_bytes())
    return digest.hexdigest()


def _read_set(folder: Path, encoder: PairEncoder, wrong_share: float, seed: int) -> list[Example]:
    if not (folder / "corpus.jsonl").is_file() or not _questions(folder).is_file():
        raise UsageError(f"{folder} needs corpus.jsonl and questions.jsonl (or questions_full.jsonl).")
    passages = {str(row["id"]): row for row in _rows(folder / "corpus.jsonl")}
    chance = random.Random(seed)
    nearest = _nearest(list(passages.values())) if wrong_share else None
    examples = []
    for row in _rows(_questions(folder)):
        gold = next((passages[str(i)] for i in row["gold_ids"] if str(i) in passages), None)
        if gold is None or row.get("history"):
            continue
        examples.append(_example(folder.name, row, gold, gold, encoder))
        if nearest is not None and chance.random() < wrong_share:
            others = [other for other in nearest(row["question"]) if str(other["id"]) not in row["gold_ids"]]
            if others:
                examples.append(_example(folder.name, row, gold, chance.choice(others[:NEAREST]), encoder))
    return examples


def _example(
    source: str, row: dict[str, Any], gold: dict[str, Any], passage: dict[str, Any], encoder: PairEncoder
) -> Example:
    text, question = str(passage["text"]), str(row["question"])
    relevant = passage is gold
    answers = relevant and bool(row["answerable"])
    golds = tuple(str(answer) for answer in row["answers"]) if answers else ()
    start, end = best_window(question, text, encoder.count, encoder.window_tokens)
    pair = encoder.encode(question, _title(passage), text, (start, end))
    found = sorted((answer for answer in golds if answer in text[start:end]), key=len)
    missed = not found and any(answer in text for answer in golds)
    span = None
    if found:
        first = text.index(found[len(found) // 2], start)
        span = pair.tokens_of(first, first + len(found[len(found) // 2]))
    return Example(
        id=str(row["id"]),
        source=source,
        group=str(gold["title"] or gold["id"]),
        token_ids_l=pair.token_ids_l,
        type_ids_l=pair.type_ids_l,
        span=span,
        offsets_l=pair.offsets_l,
        text=text,
        golds=golds,
        answers=answers,
        relevant=relevant,
        drawn=not relevant,
        missed=missed,
    )


def _title(passage: dict[str, Any]) -> str:
    return str(passage["title"]).replace("_", " ")


def _nearest(passages: list[dict[str, Any]]) -> Callable[[str], list[dict[str, Any]]]:
    """Question -> passages, best by BM25 first."""
    import bm25s
    import Stemmer

    stemmer = Stemmer.Stemmer("english")

    def tokens(texts: list[str]) -> Any:
        return bm25s.tokenize(texts, stopwords="en", stemmer=stemmer, show_progress=False)

    index = bm25s.BM25()
    index.index(tokens([f"{row['title']} {row['text']}" for row in passages]), show_progress=False)
    k = min(NEAREST + 1, len(passages))

    def nearest(question: str) -> list[dict[str, Any]]:
        rows, _ = index.retrieve(tokens([question]), k=k, show_progress=False)
        return [passages[row] for row in rows[0]]

    return nearest


def _questions(folder: Path) -> Path:
    full = folder / "questions_full.jsonl"
    return full if full.is_file() else folder / "questions.jsonl"


def _rows(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").split("\n") if line.strip()]
