"""Speech to text with OpenAI's own package: the reference that the other two adapters are compared with."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ragvoice.datatypes import AudioChunk, Segment, Transcription
from ragvoice.errors import ModelError, SpeechError
from ragvoice.speech.stretches import Heard, transcribe_stretches


class OpenAIWhisperSpeechToText:
    """Whisper in PyTorch, as published.

    :param model_path: a `.pt` file (`ModelStore.converted(name, "openai-whisper")`), the folder of one, or a name
        such as "base", which the package downloads.
    :param language: ISO 639-1 code; None detects it for each recording.
    :param device: torch's name: cpu, cuda.
    :raises ModelError: the package or the model is missing.
    """

    def __init__(
        self,
        model_path: Path | str,
        *,
        language: str | None = "en",
        beam_size: int = 1,
        device: str = "cpu",
        initial_prompt: str | None = None,
    ) -> None:
        try:
            import whisper
        except ImportError as error:
            raise ModelError('openai-whisper is not installed: pip install "ragvoice[whisper]"') from error
        if isinstance(model_path, Path):
            model_path = model_path / "model.pt" if model_path.is_dir() else model_path
            if not model_path.is_file():
                raise ModelError(f"there is no {model_path.name}; run `ragvoice models pull` and convert it.")
        try:
            self._model = whisper.load_model(str(model_path), device=device)
        except Exception as error:  # the package raises what torch, pickle, urllib and its own checks raise
            raise ModelError(f"{Path(model_path).name} cannot be loaded by openai-whisper: {error}") from error
        self.language = language
        self._options: dict[str, Any] = {
            "beam_size": beam_size if beam_size > 1 else None,
            "fp16": self._model.device.type == "cuda",
            "initial_prompt": initial_prompt,
        }

    def transcribe(self, audio: AudioChunk) -> Transcription:
        """See `SpeechToText`.

        :raises SpeechError: torch failed, for want of memory for instance.
        """
        return transcribe_stretches(audio, self._hear, language=self.language)

    def _hear(self, samples_t: NDArray[np.float32], language: str | None) -> list[Heard]:
        try:
            result = self._model.transcribe(
                np.ascontiguousarray(samples_t),
                language=language,
                temperature=0.0,
                condition_on_previous_text=False,
                no_speech_threshold=None,  # `Gate` decides, for all adapters alike
                verbose=None,
                **self._options,
            )
        except (RuntimeError, ValueError) as error:
            raise SpeechError(f"openai-whisper failed on {len(samples_t) / 16_000:.1f} s of speech: {error}") from error
        return [
            Heard(
                segments=tuple(Segment(float(s["start"]), float(s["end"]), s["text"].strip()) for s in window),
                language=result["language"],
                mean_logprob=float(window[0]["avg_logprob"]),
                no_speech_prob=float(window[0]["no_speech_prob"]),
            )
            for window in (list(group) for _, group in groupby(result["segments"], key=lambda s: s["seek"]))
        ]
