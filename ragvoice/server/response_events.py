"""One answer as events of OpenAI's Realtime API: from `response.created` to `response.done`.

Array legend: `t` samples.
"""

from __future__ import annotations

import base64
import uuid
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any, Literal

from ragvoice.datatypes import AudioChunk
from ragvoice.server.audio_format import AudioFormat
from ragvoice.server.session import Session
from ragvoice.speech.audio import Resampler
from ragvoice.voicebot import Said

Json = dict[str, Any]
Status = Literal["in_progress", "completed", "cancelled", "failed"]
DELTA_S = 0.2
"""Sound in one `response.output_audio.delta`."""


def server_event(type_: str, **content: Any) -> Json:
    return {"type": type_, "event_id": new_id("event"), **content}


def new_id(kind: str) -> str:
    return f"{kind}_{uuid.uuid4().hex[:24]}"


def message_item(id_: str, role: Literal["user", "assistant"], status: str, content: list[Json]) -> Json:
    """An item of the conversation."""
    return {"id": id_, "object": "realtime.item", "type": "message", "role": role, "status": status, "content": content}


class ResponseEvents:
    """The session is taken as it was when the answer began."""

    def __init__(self, session: Session, conversation_id: str, previous_item_id: str | None):
        self.item_id = new_id("item")
        self.id = new_id("resp")
        self._session = session
        self._conversation_id = conversation_id
        self._previous_item_id = previous_item_id
        self._texts: list[str] = []
        self._audio_ms = 0.0
        self._resampler: Resampler | None = None

    def begun(self) -> Iterator[Json]:
        item = message_item(self.item_id, "assistant", "in_progress", [])
        yield server_event("response.created", response=self._described("in_progress", [], {}, None))
        yield server_event("response.output_item.added", response_id=self.id, output_index=0, item=item)
        yield server_event("conversation.item.added", previous_item_id=self._previous_item_id, item=item)
        yield server_event("response.content_part.added", **self._place(), part=self._part(""))

    def said(self, said: Said) -> Iterator[Json]:
        delta = f" {said.text}" if self._texts else said.text
        self._texts.append(said.text)
        start_ms = self._audio_ms
        if said.audio is not None:
            self._audio_ms += 1000 * (said.audio.duration_s + said.rest_s)
        kind = "output_text" if self._written else "output_audio_transcript"
        yield server_event(f"response.{kind}.delta", **self._place(), delta=delta)
        yield server_event(
            "ragvoice.sentence",
            response_id=self.id,
            text=said.text,
            citation=asdict(said.citation) if said.citation else None,
            audio_start_ms=round(start_ms),
            audio_end_ms=round(self._audio_ms),
        )
        if said.audio is not None:
            self._resampler = Resampler(said.audio.sample_rate_hz, self._session.output_format.rate_hz)
            yield from self.sound(said.audio, last=said.last)

    def sound(self, audio: AudioChunk, *, last: bool) -> Iterator[Json]:
        """:param last: It is the end of its sentence."""
        if self._written or self._resampler is None:
            return
        for piece in _pieces(self._resampler.resample(audio, last=last), self._session.output_format):
            yield server_event("response.output_audio.delta", **self._place(), delta=piece)

    def finished(self, status: Status, metadata: dict[str, str], details: Json | None = None) -> Iterator[Json]:
        text = " ".join(self._texts)
        if self._written:
            yield server_event("response.output_text.done", **self._place(), text=text)
        else:
            yield server_event("response.output_audio.done", **self._place())
            yield server_event("response.output_audio_transcript.done", **self._place(), transcript=text)
        yield server_event("response.content_part.done", **self._place(), part=self._part(text))
        content = (
            {"type": "output_text", "text": text} if self._written else {"type": "output_audio", "transcript": text}
        )
        item = message_item(
            self.item_id, "assistant", "completed" if status == "completed" else "incomplete", [content]
        )
        yield server_event("response.output_item.done", response_id=self.id, output_index=0, item=item)
        yield server_event("conversation.item.done", previous_item_id=self._previous_item_id, item=item)
        yield server_event("response.done", response=self._described(status, [item], metadata, details))

    @property
    def _written(self) -> bool:
        return self._session.modality == "text"

    def _place(self) -> Json:
        return {"response_id": self.id, "item_id": self.item_id, "output_index": 0, "content_index": 0}

    def _part(self, text: str) -> Json:
        return {"type": "text", "text": text} if self._written else {"type": "audio", "transcript": text}

    def _described(self, status: Status, output: list[Json], metadata: dict[str, str], details: Json | None) -> Json:
        return {
            "object": "realtime.response",
            "id": self.id,
            "conversation_id": self._conversation_id,
            "status": status,
            "status_details": details,
            "output_modalities": [self._session.modality],
            "output": output,
            "metadata": metadata,
            "usage": None,
        }


def _pieces(audio: AudioChunk, format_: AudioFormat) -> Iterator[str]:
    """In base64, a fraction of a second each; the sound has the rate of the format."""
    samples_t = audio.samples_t
    step = int(DELTA_S * format_.rate_hz)
    for start in range(0, len(samples_t), step):
        yield base64.b64encode(format_.encoded(samples_t[start : start + step])).decode()
