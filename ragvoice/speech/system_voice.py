"""Text to speech with what the system brings: `say` on macOS, espeak-ng elsewhere."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from ragvoice.datatypes import AudioChunk
from ragvoice.errors import ModelError, SpeechError
from ragvoice.speech.audio import resample
from ragvoice.speech.loudness import nothing, read_wav, sentence
from ragvoice.speech.speakable import without_commands

WORDS_A_MINUTE = 175
"""espeak-ng's own rate, and about that of `say`."""
_TIMEOUT_S = 30.0


class SystemTextToSpeech:
    """One voice.

    :param voice: as `espeak-ng --voices` or `say -v '?'` lists it; empty is American English, or the user's choice.
    :param speed: 1.0 is 175 words a minute; 0.5 to 2.
    :raises ModelError: the speed is out of range.
    """

    sample_rate_hz = 22_050

    def __init__(self, voice: str = "", *, speed: float = 1.0) -> None:
        if not 0.5 <= speed <= 2:
            raise ModelError(f"speed is {speed:g}; it must be between 0.5 and 2.")
        self.voice = voice
        self._rate = str(round(WORDS_A_MINUTE * speed))

    def synthesise(self, text: str) -> AudioChunk:
        """See `TextToSpeech`.

        :raises SpeechError: the program is missing, does not know the voice, or does not answer.
        """
        if not any(sign.isalnum() for sign in text):
            return nothing(self.sample_rate_hz)
        text = without_commands(text)
        made = self._say(text) if sys.platform == "darwin" else self._espeak(text)
        return sentence(resample(made, self.sample_rate_hz).samples_t, self.sample_rate_hz)

    def _espeak(self, text: str) -> AudioChunk:
        command = ["espeak-ng", "-v", self.voice or "en-us", "-s", self._rate, "--stdin", "--stdout"]
        return read_wav(_run(command, text), "espeak-ng")

    def _say(self, text: str) -> AudioChunk:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "said.wav"
            voice = ["-v", self.voice] if self.voice else []
            _run(["say", *voice, "-r", self._rate, "--data-format=LEI16@22050", "-o", str(file), "-f", "-"], text)
            return read_wav(file.read_bytes(), "say")


def _run(command: list[str], text: str) -> bytes:
    program = command[0]
    try:
        done = subprocess.run(command, input=text.encode(), capture_output=True, timeout=_TIMEOUT_S, check=True)
    except FileNotFoundError as error:
        raise SpeechError(f"{program} is not installed; `apt-get install espeak-ng`, or set tts_runtime.") from error
    except subprocess.TimeoutExpired as error:
        raise SpeechError(f"{program} did not answer within {_TIMEOUT_S:.0f} s on {len(text)} characters.") from error
    except subprocess.CalledProcessError as error:
        message = error.stderr.decode(errors="replace").strip() or f"exit status {error.returncode}"
        raise SpeechError(f"{program} failed: {message}. Does it know the voice in the setting tts_voice?") from error
    return done.stdout
