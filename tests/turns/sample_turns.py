"""Turns with everything in them, for these tests and for the processes that they start."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from ragvoice.datatypes import Answer, Citation, Message, ModelNames, Passage, Place, Timings, Transcription
from ragvoice.turns.records import Circumstances, Turn, UsedModel, turn_of

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
TEXT = "Leave is generous. Employees get 25 days of annual leave a year."
PASSAGE = Passage("a.pdf", "a.pdf", "Handbook", "Leave", 3, Place("page", 3), TEXT, 500, 0.9, 0.8, "c0ffee")
QUOTE = Citation("a.pdf", "a.pdf", "Handbook", "Leave", 3, Place("page", 3), TEXT[19:], 519)
CIRCUMSTANCES = Circumstances(
    {"embedder": UsedModel("mini", "e1"), "llm": UsedModel("qwen", "q1"), "stt": UsedModel("whisper", "w1")},
    {"min_confidence": 0.2, "llm_runtime": "ctranslate2"},
    "0.1.0",
    "c0de",
)
_numbers = itertools.count()


def answer_of(question: str = "How many days?", said: str = "You get 25 days.", **changes: Any) -> Answer:
    values: dict[str, Any] = {
        "turn_id": f"{next(_numbers):06x}".ljust(32, "0"),
        "question": question,
        "standalone_question": question,
        "outcome": "answered",
        "answer": said,
        "confidence": 0.7,
        "citations": (QUOTE,),
        "passages": (PASSAGE,),
        "index_generation": "g1",
        "models": ModelNames("mini", "qwen"),
        "timings": Timings(retrieve=0.1, total=2.5),
        "draft": said + " Perhaps.",
        "evidence": {"similarity": 0.8},
        "prompt_hash": "abc",
    }
    return Answer(**{**values, **changes})


def spoken_answer(question: str = "How many days?") -> Answer:
    heard = Transcription(question, "en", 1.23456, (), 0.9)
    return answer_of(question, transcription=heard, models=ModelNames("mini", "qwen", None, "whisper"))


def sample_turn(
    answer: Answer | None = None,
    *,
    at: datetime = NOON,
    person: str = "",
    history: Sequence[Message] = (),
    conversation: str | None = None,
) -> Turn:
    return turn_of(
        answer or answer_of(),
        CIRCUMSTANCES,
        "1d",
        at,
        person=person,
        groups=("hr",),
        history=history,
        conversation_id=conversation,
    )
