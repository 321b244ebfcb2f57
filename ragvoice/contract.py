"""The JSON that other programs read: what every `--json` prints, and what a line of `--input` may hold."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ragvoice.datatypes import Answer, Citation, Message, Passage, Place, Transcription
from ragvoice.errors import RagVoiceError, UsageError
from ragvoice.turns.records import Turn


@dataclass(frozen=True)
class Request:
    """One line of an `--input` file."""

    id: str
    question: str | None
    audio: Path | None
    history: tuple[Message, ...]


@dataclass(frozen=True)
class BadRequest:
    """A line that cannot be used, in its place, so that the others go on."""

    id: str | None
    error: UsageError


def read_requests(file: Path) -> Iterator[Request | BadRequest]:
    """:raises UsageError: when the file itself cannot be read."""
    try:
        lines = file.read_text(encoding="utf-8-sig").split("\n")  # splitlines() would also cut at U+2028 in a string
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{file} cannot be read: {error}. It takes one JSON object a line, in UTF-8.") from error
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        row: Any = None
        try:
            row = json.loads(line)
            yield _request(row, number, file.parent)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            id_ = str(row["id"]) if isinstance(row, dict) and row.get("id") is not None else None
            yield BadRequest(
                id_, UsageError(f'Line {number} is not an object with "id" and "question" or "audio": {error}')
            )


def _request(row: dict[str, Any], number: int, folder: Path) -> Request:
    history = tuple(
        Message(_speaker(line["speaker"]), printable(str(line["text"]))) for line in row.get("history") or ()
    )
    question, audio = row.get("question"), row.get("audio")
    if question is None and audio is None:
        raise ValueError('neither "question" nor "audio" is given')
    id_ = row.get("id")
    return Request(
        str(number if id_ is None else id_),
        None if question is None else printable(str(question)),
        None if audio is None else folder / str(audio),
        history,
    )


def printable(text: str) -> str:
    """Without lone surrogates (bytes of a terminal that are not UTF-8, halves of a JSON escape): models refuse them."""
    return text.encode("utf-8", errors="replace").decode("utf-8")


def _speaker(value: Any) -> Any:
    if value not in ("user", "agent"):
        raise ValueError(f"the speaker is user or agent, not {value!r}")
    return value


def answer_json(answer: Answer, id_: str | None) -> dict[str, Any]:
    return {
        "id": id_,
        "turn_id": answer.turn_id,
        "question": answer.question,
        "standalone_question": answer.standalone_question,
        "transcription": _heard(answer.transcription),
        "outcome": answer.outcome,
        "abstained": answer.abstained,
        "answer": answer.answer,
        "confidence": answer.confidence,
        "citations": [_citation(citation) for citation in answer.citations],
        "passages": [_passage(passage) for passage in answer.passages],
        "index_generation": answer.index_generation,
        "models": asdict(answer.models),
        "timings_s": asdict(answer.timings),
    }


def search_json(query: str, hits: Sequence[Passage], id_: str | None) -> dict[str, Any]:
    return {"id": id_, "query": query, "hits": [_hit(hit) for hit in hits]}


def transcription_json(file: str, heard: Transcription) -> dict[str, Any]:
    segments = [
        {"start_s": round(segment.start_s, 3), "end_s": round(segment.end_s, 3), "text": segment.text}
        for segment in heard.segments
    ]
    return {
        "file": file,
        "text": heard.text,
        "language": heard.language,
        "duration_s": round(heard.duration_s, 3),
        "segments": segments,
    }


def error_json(id_: str | None, error: RagVoiceError) -> dict[str, Any]:
    return {"id": id_, "error": {"code": error.code, "message": str(error)}}


def place_json(place: Place | None) -> dict[str, Any] | None:
    return asdict(place) if place else None


def place_words(place: dict[str, Any] | None) -> str:
    """`page 6`, `slide 3`, `sheet Leeds`, `12:30` in a recording; nothing for a line, which nobody looks up."""
    if place is None or place["kind"] == "line":
        return ""
    if place["kind"] == "time_s":
        minutes, seconds = divmod(int(place["value"]), 60)
        return f"{minutes}:{seconds:02}"
    return f"{place['kind']} {place['value']}"


def turn_json(turn: Turn) -> dict[str, Any]:
    """A turn of an exported conversation."""
    return {
        "turn_id": turn.turn_id,
        "asked_at": turn.asked_at,
        "question": turn.question,
        "outcome": turn.outcome,
        "answer": turn.answer,
        "citations": [_citation(citation) for citation in turn.citations],
    }


def _heard(heard: Transcription | None) -> dict[str, Any] | None:
    if heard is None:
        return None
    return {"text": heard.text, "language": heard.language, "duration_s": round(heard.duration_s, 3)}


def _citation(citation: Citation) -> dict[str, Any]:
    return asdict(citation)


def _passage(passage: Passage) -> dict[str, Any]:
    hit = _hit(passage)
    return {key: hit[key] for key in ("doc_id", "source", "section", "page", "score", "text", "start_index")}


def _hit(passage: Passage) -> dict[str, Any]:
    return {
        "doc_id": passage.doc_id,
        "source": passage.source,
        "title": passage.title,
        "section": passage.section,
        "page": passage.page,
        "place": place_json(passage.place),
        "score": round(passage.score, 6),
        "text": passage.text,
        "start_index": passage.start_index,
    }
