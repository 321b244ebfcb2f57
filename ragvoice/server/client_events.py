"""What a client sends: OpenAI's Realtime API (its names since general availability), and binary frames of sound."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from typing import Any

from ragvoice.datatypes import AudioChunk
from ragvoice.errors import UsageError
from ragvoice.server.audio_format import AudioFormat

MAX_MESSAGE_BYTES = 4 * 1024 * 1024
"""A minute of 24 kHz in base64; a client sends a fraction of a second."""
MAX_TEXT = 20_000

KNOWN = (
    "session.update",
    "input_audio_buffer.append",
    "input_audio_buffer.commit",
    "input_audio_buffer.clear",
    "conversation.item.create",
    "conversation.item.truncate",
    "response.create",
    "response.cancel",
    "output_audio_buffer.clear",
    "ragvoice.playback",
)


class ClientEventError(UsageError):
    """A message that cannot be used; names the client's `event_id` where there is one."""

    def __init__(self, message: str, event_id: str | None = None):
        super().__init__(message)
        self.event_id = event_id


@dataclass(frozen=True)
class ClientEvent:
    type: str
    event_id: str | None
    content: dict[str, Any]

    def number(self, name: str) -> float:
        """:raises ClientEventError: when it is missing, no number, or negative."""
        value = self.content.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < float("inf"):
            raise ClientEventError(f"{self.type} needs {name}: a number that is not negative.", self.event_id)
        return float(value)

    def audio(self, format_: AudioFormat) -> AudioChunk:
        """Of `input_audio_buffer.append`. :raises ClientEventError: no base64, or half a sample."""
        encoded = self.content.get("audio")
        if not isinstance(encoded, str):
            raise ClientEventError(f"{self.type} needs audio: sound in base64.", self.event_id)
        try:
            return format_.decoded(base64.b64decode(encoded, validate=True))
        except binascii.Error as error:
            raise ClientEventError(f"audio is not base64: {error}.", self.event_id) from error
        except UsageError as error:
            raise ClientEventError(str(error), self.event_id) from error

    def text(self) -> str:
        """Of `conversation.item.create`: the words of a user's message. :raises ClientEventError: for other items."""
        item = self.content.get("item")
        parts = item.get("content") if isinstance(item, dict) else None
        if (
            not isinstance(item, dict)
            or item.get("type") != "message"
            or item.get("role") != "user"
            or not isinstance(parts, list)
            or not all(isinstance(part, dict) and part.get("type") == "input_text" for part in parts)
        ):
            raise ClientEventError(
                'An item is {"type": "message", "role": "user", "content": [{"type": "input_text", "text": ...}]}. '
                "Sound goes into input_audio_buffer.append; there are no tools.",
                self.event_id,
            )
        text = " ".join(str(part.get("text") or "") for part in parts).strip()
        if not text or len(text) > MAX_TEXT:
            raise ClientEventError(f"The text has 1 to {MAX_TEXT} characters, not {len(text)}.", self.event_id)
        return text.encode("utf-8", errors="replace").decode("utf-8")


def parse(message: str) -> ClientEvent:
    """:raises ClientEventError: too long, not JSON, no object, or of an unknown type."""
    if len(message) > MAX_MESSAGE_BYTES:
        raise ClientEventError(too_large(len(message)))
    try:
        content = json.loads(message)
    except (ValueError, RecursionError) as error:
        raise ClientEventError(f"A text message is one JSON object: {error}.") from error
    if not isinstance(content, dict):
        raise ClientEventError("A text message is one JSON object with a type.")
    event_id = content.get("event_id")
    event_id = event_id if isinstance(event_id, str) else None
    if content.get("type") not in KNOWN:
        raise ClientEventError(f"The type {content.get('type')!r:.80} is unknown. Known: {', '.join(KNOWN)}.", event_id)
    return ClientEvent(content["type"], event_id, content)


def binary(data: bytes, format_: AudioFormat) -> AudioChunk:
    """:raises UsageError: half a sample, or too much at once."""
    if len(data) > MAX_MESSAGE_BYTES:
        raise ClientEventError(too_large(len(data)))
    return format_.decoded(data)


def too_large(size: int) -> str:
    return f"A message has at most {MAX_MESSAGE_BYTES} bytes, not {size}. Send sound in pieces of a second or less."
