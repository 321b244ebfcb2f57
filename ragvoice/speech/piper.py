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
from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ragvoice.datatypes import AudioChunk
from ragvoice.errors import ModelError, SpeechError, UsageError
from ragvoice.sentences import split_sentences
from ragvoice.speech.loudness import PAUSE_S, amplified, gain_for
from ragvoice.speech.pieces import joined
from ragvoice.speech.pronunciations import parts
from ragvoice.speech.protocols import SoundInPieces
from ragvoice.speech.speakable import without_commands
from ragvoice.speech.vits import SPEAKER, Inputs, VitsNetwork

_TIMEOUT_S = 20.0
_MAX_CLAUSE = 250
"""Characters. VITS needs memory with the square of its input, and a model may forget its full stops."""
_MAX_PHONEMES = 600
_PAD, _BEGIN, _END = "_", "^", "$"
# A full stop within a sentence belongs to an abbreviation, a comma or colon within a number to the number.
_CLAUSE = re.compile(r"(?P<words>(?:[^,;:.!?…]|[,:](?=\w)|\.(?!\W*$))+)(?P<mark>[,;:.!?…]*)")
# espeak-ng marks words that it reads as another language: (fr)...(en)
_LANGUAGE_FLAG = re.compile(r"\([a-z]{2,3}(?:-[a-z0-9-]+)?\)")
_SAMPLE = "mˈama lˈano tˈala, sˈiso nˈemo. "
"""IPA of sounds that most languages have, spoken at load to hear how loud the voice is."""


class PiperTextToSpeech:
    """One voice.

    :param voice_path: an .onnx file with its .onnx.json beside it, or a folder with one such pair.
    :param speed: 1.0 as recorded, 1.2 a fifth faster; 0.5 to 2.
    :param threads: of one synthesis; 0 leaves it to onnxruntime.
    :param speaker: of a voice with several.
    :param ipa: words in lower case -> their phonemes, see `Pronunciations`.
    :raises ModelError: the voice is missing or damaged, or has not so many speakers.
    :raises SpeechError: onnxruntime failed.
    :raises UsageError: a sign of `ipa` is none of the voice's phonemes.
    """

    def __init__(
        self,
        voice_path: Path,
        *,
        speed: float = 1.0,
        threads: int = 0,
        speaker: int = 0,
        ipa: Mapping[str, str] | None = None,
    ) -> None:
        if not 0.5 <= speed <= 2:
            raise ModelError(f"speed is {speed:g}; it must be between 0.5 and 2.")
        model = _onnx_file(voice_path) if voice_path.is_dir() else voice_path
        try:
            settings: dict[str, Any] = json.loads(Path(f"{model}.json").read_text(encoding="utf-8"))
            self._network = VitsNetwork(model, threads)
            self.sample_rate_hz: int = int(settings["audio"]["sample_rate"])
            self._ids: dict[str, list[int]] = settings["phoneme_id_map"]
            self._espeak_voice: str = settings["espeak"]["voice"]
            scales = settings["inference"]
            self._scales = np.asarray(
                [scales["noise_scale"], scales["length_scale"] / speed, scales["noise_w"]], np.float32
            )
            speakers = int(settings.get("num_speakers", 1))
        except (OSError, ValueError, KeyError) as error:
            raise ModelError(f"{voice_path.name} is no readable Piper voice: {error}; pull it again.") from error
        except Exception as error:  # those of onnx and onnxruntime share no root but this one
            raise ModelError(f"{model.name} cannot be loaded by onnxruntime: {error}; pull it again.") from error
        if not 0 <= speaker < max(1, speakers):
            raise ModelError(f"{model.name} has {speakers} speakers, from 0; there is none of number {speaker}.")
        self._speaker = {SPEAKER: np.asarray([speaker], np.int64)} if speakers > 1 else {}
        self._ipa = dict(ipa or {})
        for word, phonemes in self._ipa.items():
            if unknown := sorted(set(unicodedata.normalize("NFD", phonemes)) - set(self._ids)):
                raise UsageError(
                    f"The pronunciation /{phonemes}/ of {word!r} has signs that this voice does not know: "
                    f"{' '.join(unknown)}. Use IPA, or respell the word."
                )
        without_noise = self._scales * np.asarray([0, 1, 0], np.float32)  # the same loudness at each start
        _, sample = self._network.begin(self._inputs(self._closed(self._clause_ids(_SAMPLE)), without_noise))
        self._gain = gain_for(np.concatenate(list(sample)))

    def synthesise(self, text: str) -> AudioChunk:
        """Speak one sentence. Written forms are spoken best after `speakable`.

        :return: closed by 0.2 s of silence; no samples when there is nothing to say. See `amplified` for its loudness.
        :raises SpeechError: espeak-ng is missing or failed, or onnxruntime failed.
        """
        return joined(self.begin(text))

    def begin(self, text: str) -> SoundInPieces:
        """`synthesise` in pieces: the first half second is there after the encoder's part of the time."""
        begun = [self._network.begin(self._inputs(ids_p, self._scales)) for ids_p in self._id_groups(text)]
        pause_t = np.zeros(int(PAUSE_S * self.sample_rate_hz) if begun else 0, np.float32)
        pieces = chain(*(pieces for _, pieces in begun), [pause_t])
        return SoundInPieces(
            (AudioChunk(amplified(piece_t, self._gain), self.sample_rate_hz) for piece_t in pieces),
            sum(samples for samples, _ in begun) + len(pause_t),
            self.sample_rate_hz,
        )

    def phonemes(self, text: str) -> list[str]:
        """One string a clause, its punctuation at the end: the voice's intonation and pauses hang on it."""
        clauses = [(list(parts(words, self._ipa)), mark) for words, mark in _clauses(text)]
        read = [words for pieces, _ in clauses for words, ipa in pieces if ipa is None and _has_words(words)]
        # One run for all of them; where espeak-ng breaks a line of its own accord, one run each.
        lines = self._espeak("\n\n".join(read)) if read else []
        if len(lines) != len(read):
            lines = [" ".join(self._espeak(words)) for words in read]
        spoken = iter(lines)
        said = [
            (" ".join(ipa or next(spoken) for words, ipa in pieces if ipa or _has_words(words)), mark)
            for pieces, mark in clauses
        ]
        return [f"{phonemes}{mark}" for phonemes, mark in said if phonemes]

    def _id_groups(self, text: str) -> Iterator[list[int]]:
        """Ids of as many clauses as the voice takes at once: ^ _ a _ b _ ... $, as Piper's voices are trained."""
        group: list[int] = []
        for clause in self.phonemes(text):
            ids = self._clause_ids(clause + " ")
            if group and len(group) + len(ids) > 2 * _MAX_PHONEMES:
                yield self._closed(group)
                group = []
            group += ids
        if group:
            yield self._closed(group)

    def _clause_ids(self, phonemes: str) -> list[int]:
        return [number for sign in unicodedata.normalize("NFD", phonemes) for number in self._padded(sign)]

    def _padded(self, sign: str) -> list[int]:
        found = self._ids.get(sign)  # a sign that the voice never learnt is left out
        return [] if found is None else [*found, *self._ids[_PAD]]

    def _closed(self, ids: list[int]) -> list[int]:
        return [*self._ids[_BEGIN], *self._ids[_PAD], *ids, *self._ids[_END]]

    def _inputs(self, ids_p: list[int], scales: NDArray[np.float32]) -> Inputs:
        return {
            "input": np.asarray([ids_p], np.int64),
            "input_lengths": np.asarray([len(ids_p)], np.int64),
            "scales": scales,
            **self._speaker,
        }

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


def _onnx_file(folder: Path) -> Path:
    """:raises ModelError: there is none, or several."""
    found = sorted(folder.glob("*.onnx"))
    if len(found) != 1:
        raise ModelError(
            f"{folder.name} is no readable Piper voice: it holds {len(found)} .onnx files, not one and its .json. "
            "Pull it again, or name the file."
        )
    return found[0]


def _has_words(text: str) -> bool:
    return any(sign.isalnum() for sign in text)


def _clauses(text: str) -> Iterator[tuple[str, str]]:
    """(words, mark): `Yes, at 10:30.` -> ("Yes", ","), ("at 10:30", "."); no clause too long for the voice."""
    text = without_commands(text)
    for start, end in split_sentences(text):
        for match in _CLAUSE.finditer(text[start:end]):
            words = match["words"].strip()
            if _has_words(words):
                *heads, last = textwrap.wrap(words, _MAX_CLAUSE)
                yield from ((head, "") for head in heads)
                yield last, match["mark"][-1:].replace("…", ".")
