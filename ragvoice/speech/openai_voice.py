"""Text to speech through a server with OpenAI's route /v1/audio/speech, such as LocalAI or Kokoro-FastAPI."""

from __future__ import annotations

import json

import httpx

from ragvoice.datatypes import AudioChunk
from ragvoice.errors import SpeechError
from ragvoice.speech.audio import resample
from ragvoice.speech.loudness import nothing, read_wav, sentence

_TIMEOUT_S = 30.0


class OpenAITextToSpeech:
    """One voice of a server.

    :param url: base URL, `http://host:port/v1`.
    :param model: as the server names it.
    :param voice: likewise.
    :param key: sent as bearer token; empty sends none.
    :param speed: 0.25 to 4.
    """

    sample_rate_hz = 24_000

    def __init__(self, url: str, model: str, voice: str = "alloy", *, key: str = "", speed: float = 1.0) -> None:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._client = httpx.Client(base_url=url.rstrip("/") + "/", headers=headers, timeout=_TIMEOUT_S)
        self._asked = {"model": model, "voice": voice, "speed": speed, "response_format": "wav"}

    def synthesise(self, text: str) -> AudioChunk:
        """See `TextToSpeech`.

        :raises SpeechError: the server cannot be reached, refuses, or answers with something that is no sound.
        """
        if not any(sign.isalnum() for sign in text):
            return nothing(self.sample_rate_hz)
        try:
            answer = self._client.post("audio/speech", json={**self._asked, "input": text})
        except httpx.HTTPError as error:
            raise SpeechError(
                f"The voice's server {self._client.base_url} does not answer: {error}. Check tts_url."
            ) from error
        if answer.is_error:
            raise SpeechError(f"The voice's server says {answer.status_code}: {_reason(answer)}")
        made = read_wav(answer.content, "The voice's server")
        return sentence(resample(made, self.sample_rate_hz).samples_t, self.sample_rate_hz)


def _reason(answer: httpx.Response) -> str:
    """The message of OpenAI's error object, else the beginning of the text."""
    try:
        return str(answer.json()["error"]["message"])
    except (json.JSONDecodeError, KeyError, TypeError):
        return answer.text[:200]
