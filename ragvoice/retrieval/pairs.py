"""A question and the window of a passage as one input of a BERT encoder.

Legend: `l` tokens.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ragvoice.errors import ModelError


@dataclass(frozen=True)
class Pair:
    """`[CLS] question [SEP] title: window [SEP]`."""

    token_ids_l: list[int]
    type_ids_l: list[int]
    """0 for the question, 1 for the passage."""
    offsets_l: list[tuple[int, int]]
    """Characters of the passage's text that a token stands for; (0, 0) for every token outside of it."""

    def tokens_of(self, start: int, end: int) -> tuple[int, int] | None:
        """First and last token of text[start:end]; None where it was cut off."""
        inside = [i for i, (a, b) in enumerate(self.offsets_l) if a < end and b > start]
        return (inside[0], inside[-1]) if inside else None


class PairEncoder:
    def __init__(self, tokenizer_file: Path, *, window_tokens: int, max_tokens: int) -> None:
        """
        :param window_tokens: Of the passage's sentences, counted alone.
        :param max_tokens: Of the whole input; the passage is cut to fit.
        :raises ModelError: when the file is not a tokenizer.
        """
        from tokenizers import Tokenizer

        try:
            self._words = Tokenizer.from_file(str(tokenizer_file))
            self._pairs = Tokenizer.from_file(str(tokenizer_file))
        except Exception as error:  # tokenizers raises bare Exception
            raise ModelError(f"{tokenizer_file} is not a tokenizer ({error}). Run: ragvoice models verify") from error
        for tokenizer in (self._words, self._pairs):
            tokenizer.no_padding()
        self._words.no_truncation()
        self._pairs.enable_truncation(max_tokens, strategy="only_second")
        self.window_tokens = window_tokens
        self._question_tokens = max_tokens // 2

    def count(self, text: str) -> int:
        return len(self._words.encode(text, add_special_tokens=False).ids)

    def encode(self, question: str, title: str, text: str, window: tuple[int, int]) -> Pair:
        """:param window: Offsets in `text`, from `best_window`."""
        start, end = window
        ahead = f"{title}: " if title else ""
        tokens = self._pairs.encode(self._cut(question), ahead + text[start:end])
        shift = start - len(ahead)
        offsets_l = [
            (a + shift, b + shift) if kind == 1 and b > a and a >= len(ahead) else (0, 0)
            for (a, b), kind in zip(tokens.offsets, tokens.type_ids, strict=True)
        ]
        return Pair(tokens.ids, tokens.type_ids, offsets_l)

    def _cut(self, question: str) -> str:
        """A question that leaves no room for the passage loses its end."""
        offsets = self._words.encode(question, add_special_tokens=False).offsets
        return question[: offsets[self._question_tokens - 1][1]] if len(offsets) > self._question_tokens else question
