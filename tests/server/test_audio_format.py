from __future__ import annotations

import base64
import io

import numpy as np
import pytest
import soundfile
from fake_loop import TURN

from ragvoice.errors import UsageError
from ragvoice.server.audio_format import PCM16, AudioFormat
from ragvoice.server.client_events import binary
from ragvoice.server.server_events import ServerEvents
from ragvoice.server.session import Session

TONE = 0.9 * np.sin(np.arange(8_000, dtype=np.float32) / 7) * np.geomspace(1e-3, 1, 8_000).astype(np.float32)


@pytest.mark.parametrize(
    ("type_", "sample", "level"),
    # G.711, tables 1a and 2a: the loudest and the softest positive value, of 8159 and of 4096.
    [
        ("audio/pcmu", 0x80, 8031 / 8192),
        ("audio/pcmu", 0xFE, 2 / 8192),
        ("audio/pcma", 0xAA, 4032 / 4096),
        ("audio/pcma", 0xD5, 1 / 4096),
    ],
)
def test_bytes_of_a_telephone_mean_what_the_standard_says(type_: str, sample: int, level: float) -> None:
    telephone = AudioFormat(type_, 8_000)

    assert telephone.decoded(bytes([sample])).samples_t == pytest.approx([level])
    assert telephone.encoded(np.array([level], np.float32)) == bytes([sample])
    assert telephone.encoded(np.array([7.0], np.float32)) == bytes([0x80 if type_ == "audio/pcmu" else 0xAA])
    assert telephone.decoded(bytes([sample ^ 0x80])).samples_t == pytest.approx([-level])


@pytest.mark.parametrize(("type_", "subtype"), [("audio/pcmu", "ULAW"), ("audio/pcma", "ALAW")])
def test_another_telephone_hears_the_same(type_: str, subtype: str) -> None:
    data = AudioFormat(type_, 8_000).encoded(TONE)
    raw = {"format": "RAW", "subtype": subtype, "samplerate": 8_000, "channels": 1}
    heard_t, _ = soundfile.read(io.BytesIO(data), **raw)

    assert np.abs(heard_t - TONE).max() < 0.02  # half a step of the loudest
    assert 10 * np.log10(np.mean(TONE**2) / np.mean((heard_t - TONE) ** 2)) > 36
    assert AudioFormat(type_, 8_000).decoded(data).samples_t == pytest.approx(heard_t)


def test_a_telephone_talks_and_listens():
    telephone = {"format": {"type": "audio/pcmu"}}
    session = Session("s").updated({"audio": {"input": telephone, "output": telephone}})
    events = ServerEvents(session, "c")
    told = [one for event in TURN for one in events.translate(event)]

    described = session.described()["audio"]
    assert described["input"]["format"] == described["output"]["format"] == {"type": "audio/pcmu", "rate": 8_000}
    heard = binary(b"\xff" * 160, session.input_format)
    assert (heard.duration_s, np.abs(heard.samples_t).max()) == (0.02, 0)
    sound = [base64.b64decode(event["delta"]) for event in told if event["type"] == "response.output_audio.delta"]
    assert sum(map(len, sound)) == 8_000  # two sentences of half a second


def test_half_a_sample_is_refused():
    with pytest.raises(UsageError, match="half a sample"):
        PCM16.decoded(b"abc")
