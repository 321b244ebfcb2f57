"""The text of a reply, token by token."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class TokenText:
    def __init__(self, tokenizer: Any, stop: Sequence[str] = ()):
        """:param tokenizer: `tokenizers.Tokenizer`.
        :param stop: The text ends before the first of these marks.
        """
        self._tokenizer = tokenizer
        self._stop = stop
        self._ids: list[int] = []
        self._written = ""
        self.ended = False
        """Whether a mark was reached."""

    def add(self, token_id: int) -> str:
        """What the token adds to the text; nothing while a character lacks its other tokens."""
        self._ids.append(token_id)
        # Decoding all ids again is what keeps multi-token characters and spaces right.
        text = self._tokenizer.decode(self._ids)
        piece: str = "" if text.endswith("�") else text[len(self._written) :]
        ends = [found for mark in self._stop if (found := (self._written + piece).find(mark)) >= 0]
        if ends:
            piece = piece[: max(0, min(ends) - len(self._written))]
            self.ended = True
        self._written += piece
        return piece
