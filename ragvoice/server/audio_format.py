"""How sound is written in messages: 16-bit PCM, or one of the two laws of G.711, as telephones have it.

Array legend: `t` samples.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ragvoice.datatypes import AudioChunk
from ragvoice.errors import UsageError

TELEPHONE_HZ = 8_000
MAX_RATE_HZ = 192_000
"""Of a microphone that a browser does not resample."""
DEFAULT_RATE_HZ = 24_000
_LAWS = {"audio/pcmu": "ULAW", "audio/pcma": "ALAW"}
"""As libsndfile calls them."""


@dataclass(frozen=True)
class AudioFormat:
    """Mono, without a header. PCM is little-endian; G.711 is µ-law (`audio/pcmu`) or A-law (`audio/pcma`) at 8 kHz."""

    type: str = "audio/pcm"
    rate_hz: int = DEFAULT_RATE_HZ

    @classmethod
    def wanted(cls, shape: dict[str, Any], name: str) -> AudioFormat:
        """:param name: Of the field in the client's message. :raises UsageError: with what would be right."""
        kind = shape.get("type", "audio/pcm")
        if kind not in ("audio/pcm", *_LAWS):
            raise UsageError(f"{name}.type is audio/pcm, audio/pcmu or audio/pcma, not {kind!r:.40}.")
        rate = shape.get("rate", DEFAULT_RATE_HZ if kind == "audio/pcm" else TELEPHONE_HZ)
        if kind != "audio/pcm" and rate != TELEPHONE_HZ:
            raise UsageError(f"{name}.rate of G.711 is {TELEPHONE_HZ}; leave it out.")
        if isinstance(rate, bool) or not isinstance(rate, int) or not TELEPHONE_HZ <= rate <= MAX_RATE_HZ:
            raise UsageError(f"{name}.rate is from {TELEPHONE_HZ} to {MAX_RATE_HZ} Hz, not {rate!r:.40}.")
        return cls(kind, rate)

    def described(self) -> dict[str, Any]:
        return {"type": self.type, "rate": self.rate_hz}

    def decoded(self, data: bytes) -> AudioChunk:
        """:raises UsageError: half a sample."""
        if self.type in _LAWS:
            return AudioChunk(_levels(self.type)[np.frombuffer(data, np.uint8)], self.rate_hz)
        if len(data) % 2:
            raise UsageError(f"PCM16 has two bytes a sample; {len(data)} bytes are half a sample too many.")
        return AudioChunk(np.frombuffer(data, "<i2").astype(np.float32) / np.float32(32768), self.rate_hz)

    def encoded(self, samples_t: NDArray[np.float32]) -> bytes:
        """:param samples_t: at the rate of this format."""
        if self.type in _LAWS:
            levels = _levels(self.type)
            byte_of = np.argsort(levels).astype(np.uint8)
            between = (levels[byte_of][1:] + levels[byte_of][:-1]) / 2
            return byte_of[np.searchsorted(between, samples_t)].tobytes()
        return (np.clip(samples_t, -1.0, 1.0) * 32767).astype("<i2").tobytes()


PCM16 = AudioFormat()


@cache
def _levels(law: str) -> NDArray[np.float32]:
    """What each of the 256 bytes stands for."""
    import soundfile

    raw = {"format": "RAW", "subtype": _LAWS[law], "channels": 1, "samplerate": TELEPHONE_HZ}
    levels, _ = soundfile.read(io.BytesIO(bytes(range(256))), dtype="float32", **raw)
    return np.asarray(levels, np.float32)
