"""Clips -> what Whisper is trained on. The tokens are those of serving, which asks for times.

    <|startoftranscript|> <|en|> <|transcribe|> <|0.00|> words <|2.40|> <|endoftext|>

The prompt is given, not learned; nor is the end, which nobody measured to 0.02 s: both labels are -100.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from finetune.recogniser.manifest import Clip
from ragvoice.errors import UsageError
from ragvoice.speech.audio import SAMPLE_RATE_HZ, decode

WINDOW_S = 30.0
"""What Whisper hears at once."""
IGNORED = -100
_STEP_S = 0.02


class Examples:
    """For a transformers Trainer: collates clips into tensors.

    :param processor: `WhisperProcessor` of the model.
    :param model: `WhisperForConditionalGeneration`; its generation settings name the special tokens.
    :param language: ISO 639-1 code of the clips.
    :raises UsageError: a language that the model does not know.
    """

    def __init__(self, processor: Any, model: Any, language: str) -> None:
        settings = model.generation_config
        known = getattr(settings, "lang_to_id", {})
        if f"<|{language}|>" not in known:
            raise UsageError(f"This Whisper does not know the language {language!r}; give a code such as 'en'.")
        self._extract = processor.feature_extractor
        self._tokenizer = processor.tokenizer
        self._prompt = [
            int(settings.decoder_start_token_id),
            int(known[f"<|{language}|>"]),
            int(settings.task_to_id["transcribe"]),
        ]
        self._end = int(settings.eos_token_id)
        self._first_time = int(settings.no_timestamps_token_id) + 1
        self._longest = int(model.config.max_target_positions)

    def tokens(self, text: str, duration_s: float) -> tuple[list[int], list[int]]:
        """What the decoder reads, and what it is to write after each; of equal length.

        :raises UsageError: a text longer than the decoder, or a recording longer than 30 s.
        """
        if duration_s > WINDOW_S:
            raise UsageError(f"A recording of {duration_s:.0f} s is longer than the 30 s that Whisper hears at once.")
        words = self._tokenizer.encode(f" {text}", add_special_tokens=False)
        last = self._first_time + round(duration_s / _STEP_S)
        ids = [*self._prompt, self._first_time, *words, last, self._end]
        if len(ids) > self._longest:
            raise UsageError(f"{text[:40]!r}... has {len(ids)} tokens; this Whisper writes {self._longest} at most.")
        labels = [IGNORED] * (len(self._prompt) - 1) + ids[len(self._prompt) :]
        labels[-2] = IGNORED
        return ids[:-1], labels

    def __call__(self, clips: Sequence[Clip]) -> dict[str, Any]:
        """`input_features` (b, mel, frames), `decoder_input_ids` and `labels` (b, longest)."""
        import torch

        sounds = [decode(Path(clip.file)) for clip in clips]
        pairs = [self.tokens(clip.text, sound.duration_s) for clip, sound in zip(clips, sounds, strict=True)]
        longest = max(len(labels) for _, labels in pairs)
        features = self._extract(
            [sound.samples_t for sound in sounds], sampling_rate=SAMPLE_RATE_HZ, return_tensors="pt"
        )
        return {
            "input_features": features.input_features,
            "decoder_input_ids": torch.tensor([_padded(read, longest, self._end) for read, _ in pairs]),
            "labels": torch.tensor([_padded(labels, longest, IGNORED) for _, labels in pairs]),
        }


def _padded(row: list[int], length: int, value: int) -> list[int]:
    return row + [value] * (length - len(row))
