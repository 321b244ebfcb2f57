"""The JSON that other programs read, key by key, and the lines that they may send."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ragvoice.contract import (
    BadRequest,
    Request,
    answer_json,
    error_json,
    place_json,
    read_requests,
    search_json,
    transcription_json,
)
from ragvoice.datatypes import (
    Answer,
    Citation,
    Message,
    ModelNames,
    Passage,
    Place,
    Segment,
    Timings,
    Transcription,
)
from ragvoice.errors import AudioError, UsageError

PASSAGE = Passage(
    "a.pdf", "a.pdf", "Handbook", "Leave > Sick", 2, Place("page", 2), "text", 7, 0.123456789, 0.5, "hash"
)
HEARD = Transcription("Hello?", "en", 1.23456, (Segment(0.0, 1.23456, "Hello?"),), 0.9)


def test_an_answer() -> None:
    citation = Citation("a.pdf", "a.pdf", "Handbook", "Leave > Sick", 2, Place("page", 2), "ext", 8)
    models = ModelNames("e", "l", None, "s", None)
    answer = Answer(
        "turn", "q", "standalone", "answered", "It is so.", 0.9, (citation,), (PASSAGE,), HEARD, "g1", models,
        Timings(0.1, 0.2, 0.3, None, 0.5),
    )  # fmt: skip
    assert json.loads(json.dumps(answer_json(answer, "7"))) == {
        "id": "7",
        "turn_id": "turn",
        "question": "q",
        "standalone_question": "standalone",
        "transcription": {"text": "Hello?", "language": "en", "duration_s": 1.235},
        "outcome": "answered",
        "abstained": False,
        "answer": "It is so.",
        "confidence": 0.9,
        "citations": [
            {
                "doc_id": "a.pdf",
                "source": "a.pdf",
                "title": "Handbook",
                "section": "Leave > Sick",
                "page": 2,
                "place": {"kind": "page", "value": 2},
                "quote": "ext",
                "start_index": 8,
            }
        ],
        "passages": [
            {
                "doc_id": "a.pdf",
                "source": "a.pdf",
                "section": "Leave > Sick",
                "page": 2,
                "score": 0.123457,
                "text": "text",
                "start_index": 7,
            }
        ],
        "index_generation": "g1",
        "models": {"embedder": "e", "llm": "l", "adapter": None, "stt": "s", "tts": None},
        "timings_s": {"transcribe": 0.1, "retrieve": 0.2, "first_token": 0.3, "first_audio": None, "total": 0.5},
    }


@pytest.mark.parametrize("outcome", ["abstained", "clarify", "no_speech"])
def test_abstained_is_every_outcome_but_answered(outcome: str) -> None:
    made = answer_json(Answer("t", "q", "q", outcome, "Sorry.", 0.1), None)  # type: ignore[arg-type]
    assert (made["id"], made["abstained"], made["citations"], made["transcription"]) == (None, True, [], None)


def test_a_search() -> None:
    assert search_json("leave", [PASSAGE], "1") == {
        "id": "1",
        "query": "leave",
        "hits": [
            {
                "doc_id": "a.pdf",
                "source": "a.pdf",
                "title": "Handbook",
                "section": "Leave > Sick",
                "page": 2,
                "place": {"kind": "page", "value": 2},
                "score": 0.123457,
                "text": "text",
                "start_index": 7,
            }
        ],
    }
    assert search_json("x", [], None) == {"id": None, "query": "x", "hits": []}


def test_a_transcription_an_error_and_a_place() -> None:
    assert transcription_json("q.wav", HEARD) == {
        "file": "q.wav",
        "text": "Hello?",
        "language": "en",
        "duration_s": 1.235,
        "segments": [{"start_s": 0.0, "end_s": 1.235, "text": "Hello?"}],
    }
    assert error_json("1", AudioError("It is silent.")) == {
        "id": "1",
        "error": {"code": "audio", "message": "It is silent."},
    }
    assert place_json(None) is None


def requests(tmp_path: Path, *lines: str) -> list[Request | BadRequest]:
    file = tmp_path / "in.jsonl"
    file.write_text("\n".join(lines), encoding="utf-8")
    return list(read_requests(file))


def test_lines_that_ask(tmp_path: Path) -> None:
    history = [{"speaker": "user", "text": "Hi"}, {"speaker": "agent", "text": "Yes?"}]
    found = requests(
        tmp_path,
        "\ufeff" + json.dumps({"id": "a", "question": "Who?", "history": history}),
        "",
        json.dumps({"id": 7, "audio": "sound/q.wav"}),
        '{"question": "one\u2028two \\ud800"}',
        '{"id": null, "question": "x", "history": null}',
    )
    assert found == [
        Request("a", "Who?", None, (Message("user", "Hi"), Message("agent", "Yes?"))),
        Request("7", None, tmp_path / "sound/q.wav", ()),
        Request("4", "one\u2028two ?", None, ()),
        Request("5", "x", None, ()),
    ]


@pytest.mark.parametrize(
    ("line", "id_"),
    [
        ("not json", None),
        ("[1]", None),
        ('"text"', None),
        ('{"id": "a"}', "a"),
        ('{"id": "a", "question": null}', "a"),
        ('{"id": "a", "question": "x", "history": [{"speaker": "robot", "text": "y"}]}', "a"),
        ('{"id": "a", "question": "x", "history": "y"}', "a"),
        ('{"id": null, "history": 5}', None),
    ],
)
def test_a_bad_line_is_an_error_in_its_place_and_the_rest_goes_on(tmp_path: Path, line: str, id_: str | None) -> None:
    good = '{"id": "b", "question": "Who?"}'
    first, bad, last = requests(tmp_path, good, line, good)
    assert isinstance(bad, BadRequest)
    assert bad.id == id_
    assert str(bad.error).startswith("Line 2 ")
    assert first == last == Request("b", "Who?", None, ())


def test_a_file_that_cannot_be_read_is_wrong_use(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        list(read_requests(tmp_path / "nothing.jsonl"))
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match="UTF-8"):
        list(read_requests(tmp_path / "bytes"))
