from __future__ import annotations

import io
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from ragvoice.build import build_text_to_speech
from ragvoice.errors import ModelError, SpeechError, UsageError
from ragvoice.settings import Settings
from ragvoice.speech.faster_whisper import FasterWhisperSpeechToText
from ragvoice.speech.loudness import read_wav
from ragvoice.speech.openai_voice import OpenAITextToSpeech
from ragvoice.speech.piper import PiperTextToSpeech
from ragvoice.speech.system_voice import SystemTextToSpeech


class Server(HTTPServer):
    status = 200
    body = b""
    asked: dict[str, Any]
    path = ""
    key: str | None = None


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        self.server.path = self.path
        self.server.key = self.headers["Authorization"]
        self.server.asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(self.server.status)
        self.end_headers()
        self.wfile.write(self.server.body)

    def log_message(self, format: str, *arguments: Any) -> None: ...


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def url(server: Server) -> str:
    return f"http://127.0.0.1:{server.server_port}/v1"


def wav(seconds: float, rate: int) -> bytes:
    data = io.BytesIO()
    times_t = np.arange(int(seconds * rate)) / rate
    soundfile.write(data, 0.1 * np.sin(2 * np.pi * 440 * times_t), rate, format="WAV")
    return data.getvalue()


def test_a_served_voice_is_asked_as_openai_defines_it(server: Server) -> None:
    server.body = wav(0.5, 16_000)

    audio = OpenAITextToSpeech(url(server), "kokoro", "bella", key="secret", speed=1.5).synthesise("Hello.")

    assert (server.path, server.key) == ("/v1/audio/speech", "Bearer secret")
    assert server.asked == {
        "model": "kokoro", "voice": "bella", "speed": 1.5, "response_format": "wav", "input": "Hello."
    }  # fmt: skip
    assert audio.sample_rate_hz == 24_000
    assert audio.duration_s == pytest.approx(0.7, abs=0.01)
    assert np.abs(audio.samples_t).max() == pytest.approx(0.95, abs=0.01)


def test_a_server_that_refuses_is_quoted(server: Server) -> None:
    server.status, server.body = 404, b'{"error": {"message": "no voice bella"}}'
    voice = OpenAITextToSpeech(url(server), "kokoro", "bella")

    with pytest.raises(SpeechError, match="404: no voice bella"):
        voice.synthesise("Hello.")
    server.status, server.body = 500, b"broken"
    with pytest.raises(SpeechError, match="500: broken"):
        voice.synthesise("Hello.")
    server.status = 200
    with pytest.raises(SpeechError, match="6 bytes that are no WAV"):
        voice.synthesise("Hello.")
    assert server.key is None


def test_a_server_that_is_not_there_is_named(server: Server) -> None:
    away = url(server)
    server.server_close()

    with pytest.raises(SpeechError, match=r"127\.0\.0\.1.*does not answer.*tts_url"):
        OpenAITextToSpeech(away, "kokoro").synthesise("Hello.")


def test_the_system_voice_is_understood(recogniser: FasterWhisperSpeechToText) -> None:
    audio = SystemTextToSpeech().synthesise("The office is closed on Monday.")

    assert audio.sample_rate_hz == 22_050
    said = recogniser.transcribe(audio).text.lower()
    assert said.startswith("the office is")
    assert "on monday" in said


def test_the_system_voice_may_speak_faster() -> None:
    slow, fast = (SystemTextToSpeech(speed=speed).synthesise("Good morning to all of you.") for speed in (1, 2))

    assert fast.duration_s < 0.75 * slow.duration_s


def test_a_voice_that_the_system_does_not_have_is_an_error() -> None:
    with pytest.raises(SpeechError, match="tts_voice"):
        SystemTextToSpeech("zzz").synthesise("Hello.")
    with pytest.raises(ModelError, match="between"):
        SystemTextToSpeech(speed=3)


def test_a_document_does_not_command_the_voice_of_the_system() -> None:
    voice = SystemTextToSpeech()
    plain = voice.synthesise("Closed  h@l'oU  on Monday, at five.")
    for text in ("Closed [[h@l'oU]] on Monday, at five.", "Closed  h@l'oU  on Monday,\0at five."):
        assert np.array_equal(voice.synthesise(text).samples_t, plain.samples_t)


@pytest.mark.parametrize("text", ["", "  ", "...!"])
def test_nothing_to_say_asks_nobody(text: str) -> None:
    assert not len(SystemTextToSpeech("zzz").synthesise(text).samples_t)
    assert not len(OpenAITextToSpeech("http://127.0.0.1:9/v1", "m").synthesise(text).samples_t)


def test_a_wav_from_a_pipe_has_no_length() -> None:
    data = bytearray(wav(0.5, 16_000))
    data[4:8] = data[40:44] = b"\xff\xff\xff\xff"

    assert read_wav(bytes(data), "it").duration_s == pytest.approx(0.5, abs=0.01)


def test_a_piper_voice_may_be_any_folder_or_file(tmp_path: Path, voice_folder: Path) -> None:
    for suffix in (".onnx", ".onnx.json"):
        (tmp_path / f"en_GB-any-medium{suffix}").symlink_to(voice_folder / f"voice{suffix}")

    assert PiperTextToSpeech(tmp_path).sample_rate_hz == 22_050
    assert PiperTextToSpeech(tmp_path / "en_GB-any-medium.onnx").sample_rate_hz == 22_050
    with pytest.raises(ModelError, match="1 speakers, from 0; there is none of number 3"):
        PiperTextToSpeech(tmp_path, speaker=3)
    (tmp_path / "other.onnx").touch()
    with pytest.raises(ModelError, match=r"2 \.onnx files"):
        PiperTextToSpeech(tmp_path)


def test_the_runtime_is_a_setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(build_text_to_speech(Settings(tts_runtime="system")), SystemTextToSpeech)
    served = Settings(tts_runtime="openai", tts_url="http://127.0.0.1:9/v1")
    assert isinstance(build_text_to_speech(served), OpenAITextToSpeech)
    with pytest.raises(UsageError, match="needs tts_url"):
        build_text_to_speech(Settings(tts_runtime="openai"))
    with pytest.raises(UsageError, match="a speaker's number"):
        build_text_to_speech(Settings(tts_voice="alba"))
    monkeypatch.setenv("RAGVOICE_HOME", str(tmp_path))
    (tmp_path / "pronunciations.toml").write_text('Nguyen = "/wɪn/"', encoding="utf-8")
    with pytest.raises(UsageError, match=r"IPA need the tts_runtime piper.*nguyen"):
        build_text_to_speech(Settings(tts_runtime="system"))
