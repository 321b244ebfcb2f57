"""Speech to text with faster-whisper (CTranslate2): the default recogniser.

Whisper's encoder is trained on 30 s and costs the same for a question of three. Cut to a window well longer than the
speech it hears the same words in less than half the time; a tight window costs words (benchmarks/speech.py has the
figures).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ragvoice.datatypes import AudioChunk, Segment, Transcription
from ragvoice.errors import ModelError, SpeechError
from ragvoice.speech.stretches import Heard, transcribe_stretches

MIN_WINDOW_S = 10.0
WINDOW_MARGIN_S = 5.0
"""The encoder sees max(MIN_WINDOW_S, speech + WINDOW_MARGIN_S), and never more than Whisper's 30 s."""
MAX_VOCABULARY_TOKENS = 100
"""Whisper takes 224 tokens of text before; each is read once for every stretch of speech."""

_wanted: ContextVar[Callable[[], bool]] = ContextVar("_wanted", default=lambda: True)
"""Of the recognition in this thread: one model serves several."""


class _GivenUp(Exception):
    """Nobody wants the words any more."""


class FasterWhisperSpeechToText:
    """Whisper in CTranslate2's format.

    :param model_path: folder with model.bin, config.json, tokenizer.json and vocabulary.txt.
    :param language: ISO 639-1 code; None detects it for each recording.
    :param beam_size: 1 is greedy.
    :param cpu_threads: of one recognition; 0 leaves it to CTranslate2.
    :param compute_type: CTranslate2's name: int8, float32; float16 on a GPU.
    :param vocabulary: gives the company's own words, the most important first, when they are needed: for each
        recording, because an index changes. Whisper is told as many as `MAX_VOCABULARY_TOKENS` hold, and spells so.
    :param windowed: False lets the encoder see 30 s always.
    :raises ModelError: the folder is missing or holds no such model.
    """

    def __init__(
        self,
        model_path: Path,
        *,
        language: str | None = "en",
        beam_size: int = 1,
        cpu_threads: int = 0,
        compute_type: str = "int8",
        device: str = "auto",
        vocabulary: Callable[[], Sequence[str]] | None = None,
        windowed: bool = True,
    ) -> None:
        self.language = language
        self.beam_size = beam_size
        self._vocabulary = vocabulary
        self._told: tuple[Sequence[str], str] = ((), "")
        self._model = _load(model_path, windowed, device=device, cpu_threads=cpu_threads, compute_type=compute_type)
        if language is not None and language not in self._model.supported_languages:
            raise ModelError(
                f"this Whisper does not know the language {language!r}; give a code such as 'en', or None."
            )

    def transcribe(self, audio: AudioChunk) -> Transcription:
        """See `SpeechToText`.

        :raises SpeechError: CTranslate2 failed, for want of memory for instance.
        """
        return transcribe_stretches(audio, self._hear, language=self.language)

    def transcribe_while(self, audio: AudioChunk, wanted: Callable[[], bool]) -> Transcription | None:
        """See `GivesUp`. `wanted` is asked before and after the encoder, which takes .6 of the time of a question.

        :raises SpeechError: CTranslate2 failed.
        """
        token = _wanted.set(wanted)
        try:
            return self.transcribe(audio)
        except _GivenUp:
            return None
        finally:
            _wanted.reset(token)

    def _words(self) -> str:
        """`Tarnfeld, Skelder, turbidity.`: as many as fit."""
        words = self._vocabulary() if self._vocabulary else ()
        if words != self._told[0]:
            told = ""
            for word in words:
                longer = f"{told}, {word}" if told else word
                if len(self._model.hf_tokenizer.encode(longer, add_special_tokens=False).ids) > MAX_VOCABULARY_TOKENS:
                    break
                told = longer
            self._told = (words, f"{told}." if told else "")
        return self._told[1]

    def _hear(self, samples_t: NDArray[np.float32], language: str | None) -> list[Heard]:
        try:
            found, info = self._model.transcribe(
                samples_t,
                language=language,
                beam_size=self.beam_size,
                temperature=0.0,
                condition_on_previous_text=False,
                no_speech_threshold=None,  # `Gate` decides, for all adapters alike
                initial_prompt=self._words() or None,  # as `hotwords` they are the same tokens in the same place
            )
            segments = list(found)
        except (RuntimeError, ValueError) as error:
            raise SpeechError(f"faster-whisper failed on {len(samples_t) / 16_000:.1f} s of speech: {error}") from error
        return [
            Heard(
                segments=tuple(Segment(float(s.start), float(s.end), s.text.strip()) for s in window),
                language=info.language,
                mean_logprob=float(window[0].avg_logprob),
                no_speech_prob=float(window[0].no_speech_prob),
            )
            for window in (list(group) for _, group in groupby(segments, key=lambda s: s.seek))
        ]


def _give_up_unless_wanted() -> None:
    if not _wanted.get()():
        raise _GivenUp


def _load(model_path: Path, windowed: bool, **options: Any) -> Any:
    import faster_whisper

    if not (model_path / "model.bin").is_file():
        raise ModelError(f"{model_path.name} holds no CTranslate2 Whisper (model.bin); run `ragvoice models pull`.")

    class WindowedWhisperModel(faster_whisper.WhisperModel):  # type: ignore[misc]
        """Encodes no more padding than it pays to, and the same sound once."""

        _last: tuple[NDArray[np.float32], Any] | None = None

        def encode(self, features: NDArray[np.float32]) -> Any:
            heard = np.flatnonzero(features.any(axis=0))  # padding is exactly 0, a log-mel frame never
            frames = int(heard[-1]) + 1 if len(heard) else 0
            sound = features[:, :frames]
            # Language detection and decoding ask for the same sound one after the other; the first has a frame more.
            last = self._last
            if last is not None and 0 <= last[0].shape[1] - frames <= 1 and np.array_equal(last[0][:, :frames], sound):
                return last[1]
            # Whole seconds: oneDNN keeps what it compiles for each new length, 4 MiB of it a minute of recordings.
            wanted_s = math.ceil(max(MIN_WINDOW_S, frames / self.frames_per_second + WINDOW_MARGIN_S))
            window = features[:, : wanted_s * self.frames_per_second] if windowed else features
            _give_up_unless_wanted()
            encoded = super().encode(window)
            _give_up_unless_wanted()
            self._last = (sound.copy(), encoded)
            return encoded

    try:
        return WindowedWhisperModel(str(model_path), **options)
    except (RuntimeError, ValueError, OSError) as error:
        raise ModelError(f"{model_path.name} cannot be loaded as a CTranslate2 Whisper: {error}") from error
