"""Text to speech with a Piper voice (VITS in ONNX).

espeak-ng turns words into phonemes. It runs as a program of its own, because it is GPL-3; nothing of it is loaded here.

Array legend: `t` audio samples, `p` phoneme ids.
"""

from __future__ import annotations

import json
import re
import subprocess
import textwrap
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ragvoice.datatypes import AudioChunk
from ragvoice.errors import ModelError, SpeechError
from ragvoice.sentences import split_sentences

PAUSE_S = 0.2
"""Silence after a sentence: a reader's breath."""
_TIMEOUT_S = 20.0
_MAX_CLAUSE = 250
"""Characters. VITS needs memory with the square of its input, and a model may forget its full stops."""
_MAX_PHONEMES = 600
_PAD, _BEGIN, _END = "_", "^", "$"
# A full stop within a sentence belongs to an abbreviation, a comma or colon within a number to the number.
_CLAUSE = re.compile(r"(?P<words>(?:[^,;:.!?…]|[,:](?=\w)|\.(?!\W*$))+)(?P<mark>[,;:.!?…]*)")
# espeak-ng marks words that it reads as another language: (fr)...(en)
_LANGUAGE_FLAG = re.compile(r"\([a-z]{2,3}(?:-[a-z0-9-]+)?\)")


class PiperTextToSpeech:
    """One voice.

    :param voice_path: folder with voice.onnx and voice.onnx.json, or an .onnx file with its .json beside it.
    :param speed: 1.0 as recorded, 1.2 a fifth faster; 0.5 to 2.
    :param threads: of one synthesis; 0 leaves it to onnxruntime.
    :raises ModelError: the voice is missing or damaged.
    """

    def __init__(self, voice_path: Path, *, speed: float = 1.0, threads: int = 0, speaker: int = 0) -> None:
        import onnxruntime

        if not 0.5 <= speed <= 2:
            raise ModelError(f"speed is {speed:g}; it must be between 0.5 and 2.")
        model = voice_path / "voice.onnx" if voice_path.is_dir() else voice_path
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        try:
            settings: dict[str, Any] = json.loads(Path(f"{model}.json").read_text(encoding="utf-8"))
            self._session: Any = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
            self.sample_rate_hz: int = int(settings["audio"]["sample_rate"])
            self._ids: dict[str, list[int]] = settings["phoneme_id_map"]
            self._espeak_voice: str = settings["espeak"]["voice"]
            scales = settings["inference"]
            self._scales = np.asarray(
                [scales["noise_scale"], scales["length_scale"] / speed, scales["noise_w"]], np.float32
            )
            several = int(settings.get("num_speakers", 1)) > 1
        except (OSError, ValueError, KeyError) as error:
            raise ModelError(f"{voice_path.name} is no readable Piper voice: {error}; pull it again.") from error
        except Exception as error:  # onnxruntime's own exceptions share no root but this one
            raise ModelError(f"{model.name} cannot be loaded by onnxruntime: {error}; pull it again.") from error
        self._speaker = {"sid": np.asarray([speaker], np.int64)} if several else {}

    def synthesise(self, text: str) -> AudioChunk:
        """Speak one sentence. Written forms are spoken best after `speakable`.

        :return: peak 0.95, closed by 0.2 s of silence; no samples when there is nothing to say.
        :raises SpeechError: espeak-ng is missing or failed, or onnxruntime failed.
        """
        parts = [self._sound(ids_p) for ids_p in self._id_groups(text)]
        if not parts:
            return AudioChunk(np.zeros(0, np.float32), self.sample_rate_hz)
        speech_t = np.concatenate(parts)
        speech_t *= 0.95 / max(0.01, float(np.abs(speech_t).max()))
        pause_t = np.zeros(int(PAUSE_S * self.sample_rate_hz), np.float32)
        return AudioChunk(np.concatenate([speech_t, pause_t]), self.sample_rate_hz)

    def phonemes(self, text: str) -> list[str]:
        """One string a clause, its punctuation at the end: the voice's intonation and pauses hang on it."""
        clauses = list(_clauses(text))
        # One run for all of them; where espeak-ng breaks a line of its own accord, one run each.
        spoken = self._espeak("\n\n".join(words for words, _ in clauses)) if clauses else []
        if len(spoken) != len(clauses):
            spoken = [" ".join(self._espeak(words)) for words, _ in clauses]
        return [f"{phonemes}{mark}" for phonemes, (_, mark) in zip(spoken, clauses, strict=True) if phonemes]

    def _id_groups(self, text: str) -> Iterator[list[int]]:
        """Ids of as many clauses as the voice takes at once: ^ _ a _ b _ ... $, as Piper's voices are trained."""
        group: list[int] = []
        for clause in self.phonemes(text):
            ids = [number for sign in unicodedata.normalize("NFD", clause + " ") for number in self._padded(sign)]
            if group and len(group) + len(ids) > 2 * _MAX_PHONEMES:
                yield self._closed(group)
                group = []
            group += ids
        if group:
            yield self._closed(group)

    def _padded(self, sign: str) -> list[int]:
        found = self._ids.get(sign)  # a sign that the voice never learnt is left out
        return [] if found is None else [*found, *self._ids[_PAD]]

    def _closed(self, ids: list[int]) -> list[int]:
        return [*self._ids[_BEGIN], *self._ids[_PAD], *ids, *self._ids[_END]]

    def _sound(self, ids_p: list[int]) -> NDArray[np.float32]:
        inputs = {
            "input": np.asarray([ids_p], np.int64),
            "input_lengths": np.asarray([len(ids_p)], np.int64),
            "scales": self._scales,
            **self._speaker,
        }
        try:
            return np.asarray(self._session.run(None, inputs)[0], np.float32).reshape(-1)
        except Exception as error:  # onnxruntime's own exceptions share no root but this one
            raise SpeechError(f"the voice failed on {len(ids_p)} phoneme ids: {error}") from error

    def _espeak(self, text: str) -> list[str]:
        command = ["espeak-ng", "-q", "--ipa", "-v", self._espeak_voice, "--stdin"]
        try:
            result = subprocess.run(command, input=text.encode(), capture_output=True, timeout=_TIMEOUT_S, check=True)
        except FileNotFoundError as error:
            raise SpeechError(
                "espeak-ng is not installed; `apt-get install espeak-ng`, or `brew install espeak-ng`."
            ) from error
        except subprocess.TimeoutExpired as error:
            raise SpeechError(
                f"espeak-ng did not answer within {_TIMEOUT_S:.0f} s on {len(text)} characters."
            ) from error
        except (subprocess.CalledProcessError, OSError) as error:
            raise SpeechError(f"espeak-ng failed with the voice {self._espeak_voice!r}: {error}") from error
        lines = _LANGUAGE_FLAG.sub("", result.stdout.decode(errors="replace")).splitlines()
        return [line.strip() for line in lines if line.strip()]


def _clauses(text: str) -> Iterator[tuple[str, str]]:
    """(words, mark): `Yes, at 10:30.` -> ("Yes", ","), ("at 10:30", "."); no clause too long for the voice."""
    # A control character would end espeak-ng's input early; SSML and its own [[phonemes]] are not for documents to use.
    text = "".join(" " if unicodedata.category(sign)[0] == "C" or sign in "[]<>" else sign for sign in text)
    for start, end in split_sentences(text):
        for match in _CLAUSE.finditer(text[start:end]):
            words = match["words"].strip()
            if any(sign.isalnum() for sign in words):
                *heads, last = textwrap.wrap(words, _MAX_CLAUSE)
                yield from ((head, "") for head in heads)
                yield last, match["mark"][-1:].replace("…", ".")
