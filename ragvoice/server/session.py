"""What a client may choose for its connection: `session.update` of OpenAI's Realtime API, as far as it applies here."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

from ragvoice.errors import UsageError
from ragvoice.server.audio_format import PCM16, AudioFormat


@dataclass(frozen=True)
class Session:
    """`instructions`, `tools` and the like are accepted and do nothing: answers come from the documents alone."""

    id: str
    input_format: AudioFormat = PCM16
    output_format: AudioFormat = PCM16
    pause_s: float | None = None
    """Silence that ends a turn; None is the server's own setting."""
    by_hand: bool = False
    """The client ends turns itself: commit, then `response.create`."""
    responds: bool = True
    """A turn that is over is answered; else the client asks for each answer with `response.create`."""
    interrupts: bool = True
    """Speech stops the answer."""
    modality: Literal["audio", "text"] = "audio"

    def updated(self, patch: Any) -> Session:
        """:param patch: The `session` object of the event. :raises UsageError: with what would be right."""
        changes: dict[str, Any] = {}
        session = _object(patch, "session")
        if session.get("type", "realtime") != "realtime":
            raise UsageError("session.type is realtime; transcription alone is not offered here.")
        if "output_modalities" in session:
            if session["output_modalities"] not in (["audio"], ["text"]):
                raise UsageError('session.output_modalities is ["audio"] or ["text"].')
            changes["modality"] = session["output_modalities"][0]
        audio = _object(session.get("audio"), "session.audio")
        heard, spoken = _object(audio.get("input"), "session.audio.input"), _object(audio.get("output"), "audio.output")
        if heard.get("format"):
            changes["input_format"] = _format(heard["format"], "session.audio.input.format")
        if spoken.get("format"):
            changes["output_format"] = _format(spoken["format"], "session.audio.output.format")
        if "turn_detection" in heard:
            changes |= _turn_detection(heard["turn_detection"])
        return replace(self, **changes)

    def described(self) -> dict[str, Any]:
        """The `session` object of `session.created` and `session.updated`: what is in force, not what was asked for."""
        silence = {} if self.pause_s is None else {"silence_duration_ms": round(1000 * self.pause_s)}
        detection = {
            "type": "server_vad",
            "create_response": self.responds,
            "interrupt_response": self.interrupts,
            **silence,
        }
        return {
            "type": "realtime",
            "object": "realtime.session",
            "id": self.id,
            "model": "ragvoice",
            "output_modalities": [self.modality],
            "audio": {
                "input": {
                    "format": self.input_format.described(),
                    "turn_detection": None if self.by_hand else detection,
                },
                "output": {"format": self.output_format.described()},
            },
        }


def _turn_detection(wanted: Any) -> dict[str, Any]:
    if wanted is None:
        return {"by_hand": True, "responds": True}
    detection = _object(wanted, "turn_detection")
    silence = detection.get("silence_duration_ms")
    if silence is not None and not (_number(silence) and 100 <= silence <= 10_000):
        raise UsageError("turn_detection.silence_duration_ms is a number from 100 to 10000.")
    pause = {} if silence is None else {"pause_s": silence / 1000}
    responds, interrupts = (detection.get(f"{does}_response") is not False for does in ("create", "interrupt"))
    return {"by_hand": False, "responds": responds, "interrupts": interrupts, **pause}


def _format(wanted: Any, name: str) -> AudioFormat:
    return AudioFormat.wanted(_object(wanted, name), name)


def _object(value: Any, name: str) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise UsageError(f"{name} is an object, not {type(value).__name__}.")
    return value


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
