"""A causal LM in int8 on torch: writes twice as fast as CTranslate2 on a CPU (docs/decisions/0008-torch-int8.md)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any, ClassVar

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import LanguageModelInput
from langchain_core.language_models.chat_models import BaseChatModel, generate_from_stream
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable
from pydantic import PrivateAttr

from ragvoice.errors import GenerationError
from ragvoice.generation.chat_template import ChatTemplate
from ragvoice.generation.int8_decoder import Cache, Int8Decoder
from ragvoice.generation.kept_pieces import KeptPieces
from ragvoice.generation.prompt_lookup import continuation
from ragvoice.generation.prompts import check_length
from ragvoice.generation.token_text import TokenText, chunks


class TorchChatModel(BaseChatModel):
    """Greedy. `response_metadata["logprobs"]` lists the log probability of each token.

    For any thread. Nothing is computed before the stream is read on, so dropping it ends the work. `prepare` reads the
    front of a prompt ahead of its question.
    """

    gives_up: ClassVar[bool] = True

    model_path: Path
    """Folder of a conversion to `torch-int8`."""
    max_new_tokens: int = 96
    context_tokens: int = 4096
    """Longer prompts are refused: time to first token would be far from a conversation."""
    cpu_threads: int = 0
    """Of torch in the whole process; 0 leaves the choice to it."""
    kept_tokens: int = 40_000
    """Of the passages that were read; 12 kB each with the default model. What was not used for longest goes first."""
    passages_apart: bool = False
    """No passage sees another one, so that each is read once, whatever stands beside it (`apart`)."""
    guessed_tokens: int = 6
    """That are tried at once where the prompt says how the answer may go on; 0 tries none."""

    _template: ChatTemplate = PrivateAttr()
    _decoder: Int8Decoder = PrivateAttr()
    _ends: frozenset[int] = PrivateAttr()
    _passes: threading.Lock = PrivateAttr(default_factory=threading.Lock)
    _kept: KeptPieces = PrivateAttr()
    _at_work: set[int] = PrivateAttr(default_factory=set)

    def model_post_init(self, context: Any) -> None:
        import torch

        super().model_post_init(context)
        if self.cpu_threads:
            torch.set_num_threads(self.cpu_threads)
        self._template = ChatTemplate(self.model_path)
        self._decoder = Int8Decoder(self.model_path, self.context_tokens + self.guessed_tokens)
        self._kept = KeptPieces(self._decoder, self._passes, self.kept_tokens, apart=self.passages_apart)
        self._ends = frozenset(self._template.ids(self._template.end_tokens))

    @property
    def _llm_type(self) -> str:
        return "torch"

    def get_num_tokens(self, text: str) -> int:
        return self._template.count_tokens(text)

    def avoiding(self, words: str) -> Runnable[LanguageModelInput, AIMessage]:
        """Itself, never beginning with the first token of `words`."""
        return self.bind(avoid=words)

    def prepare(self, messages: list[BaseMessage], wanted: Callable[[], bool] = lambda: True) -> bool:
        """Read what stands before the question, and keep it; returns whether all of it is kept. Takes as long as that.

        Gives up as soon as an answer is to be written, which may go on where this ends.

        :raises GenerationError: when the model fails.
        """
        *front, _ = self._pieces(messages)
        tokens = sum(map(len, front))
        if not tokens or tokens > min(self.kept_tokens, self.context_tokens - self.max_new_tokens):
            return False
        try:
            return self._kept.read(front, tokens, lambda: wanted() and not self._at_work) is not None
        except (RuntimeError, MemoryError) as error:
            raise GenerationError(f"The language model failed: {error}") from error

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return generate_from_stream(self._stream(messages, stop, run_manager, **kwargs))

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        avoid: str | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        pieces = self._pieces(messages)
        check_length(sum(map(len, pieces)), self.context_tokens - self.max_new_tokens)
        avoided = self._template.tokenizer.encode(avoid, add_special_tokens=False).ids[0] if avoid else None
        text = TokenText(self._template.tokenizer, stop or ())
        steps = self._written(pieces, avoided)
        try:
            yield from chunks(steps, text, run_manager)
        except (RuntimeError, MemoryError) as error:
            raise GenerationError(f"The language model failed: {error}") from error
        finally:
            steps.close()

    def _written(self, pieces: list[list[int]], avoided: int | None) -> Generator[tuple[int, float], None, None]:
        """Each token with its log probability."""
        *front, rest = pieces
        work = id(pieces)
        self._at_work.add(work)
        try:
            ids = [id_ for piece in pieces for id_ in piece]
            most = len(ids) + self.max_new_tokens
            cache = self._kept.read(front, most + self.guessed_tokens)
            assert cache is not None  # it is wanted
            guessed: list[int] = []
            found = self._likeliest(rest, cache, 1, avoided)
            while True:
                for place, (token, logprob) in enumerate(found):
                    if token in self._ends or len(ids) == most:
                        return
                    ids.append(token)
                    yield token, logprob
                    if place == len(guessed) or guessed[place] != token:
                        break
                cache.length = len(ids) - 1  # of what was guessed, only what was written counts as read
                guessed = continuation(ids, self.guessed_tokens)
                found = self._likeliest([ids[-1], *guessed], cache, 1 + len(guessed))
        finally:
            self._at_work.discard(work)

    def _likeliest(
        self, ids: list[int], cache: Cache, last: int, avoided: int | None = None
    ) -> list[tuple[int, float]]:
        """After each of the `last` of these tokens: the likeliest next one, and its log probability."""
        import torch

        with self._passes, torch.inference_mode():
            logits_lv = self._decoder.read(ids, cache, last)
            if avoided is not None:
                logits_lv[:, avoided] = -torch.inf
            logits_l, tokens_l = logits_lv.max(-1)
            return list(zip(tokens_l.tolist(), (logits_l - logits_lv.logsumexp(-1)).tolist(), strict=True))

    def _pieces(self, messages: list[BaseMessage]) -> list[list[int]]:
        return [self._template.ids(tokens) for tokens in self._template.prompt_pieces(messages)]
