"""A logged turn: what was asked and said, and all that the answer depended on. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from ragvoice.datatypes import Answer, Citation, Message, Outcome, Passage, Place, Style, Timings

Setting = bool | int | float | str | None


@dataclass(frozen=True)
class UsedPassage:
    """A retrieved passage. Its text is in the index; of the words, only what the answer cites is kept."""

    doc_id: str
    source: str
    section: str
    page: int | None
    place: Place | None
    start_index: int
    """In the document's text, in characters."""
    length: int
    """In characters."""
    text_hash: str
    """SHA-256 of the text."""
    content_hash: str
    """As the index has it: of the text with its headings."""
    score: float
    similarity: float


@dataclass(frozen=True)
class UsedModel:
    name: str
    """Of the catalogue or the hub; of a folder its last name only."""
    fingerprint: str | None
    """Of its files; None where they are not here: a model on a server."""
    is_folder: bool = False


@dataclass(frozen=True)
class Heard:
    """Of a spoken question; its words are the question. No audio is kept."""

    language: str
    duration_s: float
    confidence: float | None


@dataclass(frozen=True)
class Circumstances:
    """What answers depend on besides the question and the index."""

    models: dict[str, UsedModel]
    """By their part: embedder, llm, adapter, stt, tts, confidence."""
    settings: dict[str, Setting]
    version: str
    code_hash: str
    """Of the installed package's own files."""


@dataclass(frozen=True)
class Turn:
    turn_id: str
    conversation_id: str | None
    asked_at: str
    """ISO 8601, UTC."""
    person: str
    groups: tuple[str, ...]
    style: Style
    question: str
    standalone_question: str
    history: tuple[Message, ...]
    history_hash: str
    """Of the history at that time, which a deletion may have shortened since."""
    heard: Heard | None
    outcome: Outcome
    answer: str
    draft: str
    confidence: float
    evidence: dict[str, float]
    citations: tuple[Citation, ...]
    passages: tuple[UsedPassage, ...]
    index_generation: str
    index_id: str
    """Of the index's content, wherever it lies."""
    prompt_hash: str
    models: dict[str, UsedModel]
    settings: dict[str, Setting]
    version: str
    code_hash: str
    timings: Timings = field(default_factory=Timings)
    rating: int | None = None
    """1 or -1."""
    reason: str = ""


def turn_of(
    answer: Answer,
    circumstances: Circumstances,
    index_id: str,
    asked_at: datetime,
    *,
    person: str = "",
    groups: Iterable[str] = (),
    style: Style = "spoken",
    history: Sequence[Message] = (),
    conversation_id: str | None = None,
) -> Turn:
    """:param asked_at: With a time zone."""
    heard = answer.transcription
    used = {part for part in circumstances.models if part == "confidence" or getattr(answer.models, part) is not None}
    return Turn(
        turn_id=answer.turn_id,
        conversation_id=conversation_id,
        asked_at=timestamp(asked_at),
        person=person,
        groups=tuple(groups),
        style=style,
        question=answer.question,
        standalone_question=answer.standalone_question,
        history=tuple(history),
        history_hash=history_hash(history),
        heard=Heard(heard.language, round(heard.duration_s, 3), heard.confidence) if heard else None,
        outcome=answer.outcome,
        answer=answer.answer,
        draft=answer.draft,
        confidence=answer.confidence,
        evidence=answer.evidence,
        citations=answer.citations,
        passages=tuple(used_passage(passage) for passage in answer.passages),
        index_generation=answer.index_generation,
        index_id=index_id,
        prompt_hash=answer.prompt_hash,
        models={part: model for part, model in circumstances.models.items() if part in used},
        settings=circumstances.settings,
        version=circumstances.version,
        code_hash=circumstances.code_hash,
        timings=answer.timings,
    )


def used_passage(passage: Passage) -> UsedPassage:
    return UsedPassage(
        passage.doc_id, passage.source, passage.section, passage.page, passage.place, passage.start_index,
        len(passage.text), text_hash(passage.text), passage.content_hash, float(passage.score),
        float(passage.similarity),
    )  # fmt: skip


def question_json(turn: Turn) -> dict[str, Any]:
    """A line of a `questions.jsonl` (`ragvoice.evaluation.datasets`), with the rating and what was said beside it.

    Only what a person has called right has a gold answer. The others lack `answers`, `gold_ids` and `answerable`:
    somebody has to write them before the line can be used, and `read_dataset` refuses it until then.
    """
    row: dict[str, Any] = {
        "id": turn.turn_id,
        "question": turn.question,
        "history": [{"speaker": line.speaker, "text": line.text} for line in turn.history],
        "groups": list(turn.groups),
    }
    if turn.rating == 1:
        answered = turn.outcome == "answered"
        row["answers"] = [turn.answer] if answered else []
        row["gold_ids"] = list(dict.fromkeys(citation.doc_id for citation in turn.citations)) if answered else []
        row["answerable"] = answered
    row["turn"] = {
        "rating": turn.rating,
        "reason": turn.reason,
        "style": turn.style,
        "outcome": turn.outcome,
        "answer": turn.answer,
        "draft": turn.draft,
        "confidence": turn.confidence,
        "quotes": [{"doc_id": citation.doc_id, "quote": citation.quote} for citation in turn.citations],
        "retrieved": [passage.doc_id for passage in turn.passages],
        "prompt_hash": turn.prompt_hash,
        "index_id": turn.index_id,
    }
    return row


def timestamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def text_hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def history_hash(history: Sequence[Message]) -> str:
    """SHA-256; empty for no history."""
    return text_hash("\0".join(f"{line.speaker}\0{line.text}" for line in history)) if history else ""
