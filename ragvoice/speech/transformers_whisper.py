"""Speech to text with transformers: any Whisper checkpoint or fine-tune of the hub, on a GPU where there is one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ragvoice.datatypes import AudioChunk, Segment, Transcription
from ragvoice.errors import ModelError, SpeechError
from ragvoice.speech.stretches import Heard, transcribe_stretches


class TransformersWhisperSpeechToText:
    """`WhisperForConditionalGeneration` with its processor.

    :param model_path: a folder (`ModelStore.converted(name, "transformers")`) or a hub id.
    :param language: ISO 639-1 code; None detects it for each recording.
    :param device: torch's name, or "auto": cuda where there is one.
    :param dtype: torch's name, or None: float16 on a GPU, float32 elsewhere.
    :raises ModelError: the model is missing or of another kind.
    """

    def __init__(
        self,
        model_path: Path | str,
        *,
        language: str | None = "en",
        beam_size: int = 1,
        device: str = "auto",
        dtype: str | None = None,
    ) -> None:
        import torch
        from transformers import WhisperForConditionalGeneration, WhisperProcessor
        from transformers.utils.logging import disable_progress_bar

        if isinstance(model_path, Path) and not (model_path / "config.json").is_file():
            raise ModelError(
                f"{model_path.name} holds no transformers model; run `ragvoice models pull` and convert it."
            )
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        dtype = dtype or ("float16" if device.startswith("cuda") else "float32")
        disable_progress_bar()
        try:
            self._processor: Any = WhisperProcessor.from_pretrained(str(model_path))
            self._model: Any = WhisperForConditionalGeneration.from_pretrained(
                str(model_path), dtype=getattr(torch, dtype)
            )
            self._model = self._model.to(device).eval()
        except (OSError, ValueError, RuntimeError, KeyError) as error:
            raise ModelError(f"{Path(model_path).name} cannot be loaded as a transformers Whisper: {error}") from error
        self.language = language
        self.beam_size = beam_size
        self._end = int(self._model.generation_config.eos_token_id)
        self._start = int(self._model.generation_config.decoder_start_token_id)
        self._languages: dict[str, int] = self._model.generation_config.lang_to_id
        self._first_time = int(self._model.generation_config.no_timestamps_token_id) + 1

    def transcribe(self, audio: AudioChunk) -> Transcription:
        """See `SpeechToText`.

        :raises SpeechError: torch failed, for want of memory for instance.
        """
        return transcribe_stretches(audio, self._hear, language=self.language)

    def _hear(self, samples_t: NDArray[np.float32], language: str | None) -> list[Heard]:
        import torch

        try:
            with torch.inference_mode():
                return [self._decode(samples_t, language)]
        except (RuntimeError, ValueError) as error:
            raise SpeechError(f"transformers failed on {len(samples_t) / 16_000:.1f} s of speech: {error}") from error

    def _decode(self, samples_t: NDArray[np.float32], language: str | None) -> Heard:
        features = self._processor.feature_extractor(
            samples_t, sampling_rate=16_000, return_tensors="pt", return_attention_mask=True
        )
        features_bml = features.input_features.to(self._model.device, self._model.dtype)
        # Encoded once, for the language, for the words and for the score.
        encoded = self._model.model.encoder(features_bml)
        first = self._logprobs(encoded, [self._start])[0]
        if language is None:
            token = max(self._languages, key=lambda name: float(first[self._languages[name]]))
            language = token[2:-2]
        # <|nospeech|> stands just before <|notimestamps|> in every Whisper vocabulary.
        no_speech_prob = float(first[self._first_time - 2].exp())
        sequence = self._model.generate(
            encoder_outputs=encoded,
            language=language,
            task="transcribe",
            return_timestamps=True,
            num_beams=self.beam_size,
            do_sample=False,
        )[0].tolist()
        tokens = self._words_and_times(sequence)
        prompt = [
            self._start,
            self._languages[f"<|{language}|>"],
            self._model.generation_config.task_to_id["transcribe"],
        ]
        scores = self._logprobs(encoded, [*prompt, *tokens])[len(prompt) - 1 :]
        scored = [float(scores[index][token]) for index, token in enumerate([*tokens, self._end])]
        return Heard(
            segments=self._segments(tokens, len(samples_t) / 16_000),
            language=language,
            mean_logprob=sum(scored) / len(scored),
            no_speech_prob=no_speech_prob,
        )

    def _logprobs(self, encoded: Any, tokens: list[int]) -> Any:
        """Shape (tokens, vocabulary)."""
        import torch

        ids_bl = torch.tensor([tokens[: self._model.config.max_target_positions]], device=self._model.device)
        logits = self._model(encoder_outputs=encoded, decoder_input_ids=ids_bl).logits[0]
        return torch.log_softmax(logits.float(), dim=-1)

    def _words_and_times(self, sequence: list[int]) -> list[int]:
        """Without the prompt, the end and what pads it: text tokens lie below the end, times from `_first_time` up."""
        return [token for token in sequence if token < self._end or token >= self._first_time]

    def _segments(self, tokens: list[int], duration_s: float) -> tuple[Segment, ...]:
        """Whisper writes <start> words <end> <start> words <end>, in steps of 0.02 s."""
        segments: list[Segment] = []
        words: list[int] = []
        start_s = 0.0
        for token in [*tokens, None]:
            if token is not None and token < self._first_time:
                words.append(token)
                continue
            time_s = duration_s if token is None else (token - self._first_time) * 0.02
            if words:
                text = self._processor.tokenizer.decode(words, skip_special_tokens=True).strip()
                segments.append(Segment(start_s, time_s, text))
                words = []
            start_s = time_s
        return tuple(segments)
