"""The text of a reply, token by token."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.messages import AIMessageChunk
from langchain_core.outputs import ChatGenerationChunk


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


def chunks(
    steps: Iterable[tuple[int, float]], text: TokenText, run_manager: CallbackManagerForLLMRun | None
) -> Iterator[ChatGenerationChunk]:
    """One for each token, with its log probability, until the text has ended.

    :param steps: Token ids with their log probabilities.
    """
    silent = True
    for token_id, logprob in steps:
        silent = False
        piece = text.add(token_id)
        chunk = ChatGenerationChunk(message=AIMessageChunk(content=piece, response_metadata={"logprobs": [logprob]}))
        if run_manager:
            run_manager.on_llm_new_token(piece, chunk=chunk)
        yield chunk
        if text.ended:
            return
    if silent:  # LangChain takes a stream without a chunk for an error; a model may end at once
        yield ChatGenerationChunk(message=AIMessageChunk(content=""))
