"""A local causal LM in int8 on torch: writes twice as fast as CTranslate2 on a CPU (docs/decisions/0002-runtime.md)."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

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
from ragvoice.generation.prompt_lookup import continuation
from ragvoice.generation.token_text import TokenText, chunks


class TorchChatModel(BaseChatModel):
    """Greedy. `response_metadata["logprobs"]` lists the log probability of each token.

    For any thread. Nothing is computed before the stream is read on, so dropping it ends the work. `prepare` reads the
    front of a prompt ahead of its question. The prompt is read in the same two pieces whether its front was kept or
    not, so that the answer is the same.
    """

    model_path: Path
    """Folder of a conversion to `torch-int8`."""
    max_new_tokens: int = 96
    context_tokens: int = 4096
    """Longer prompts are refused: time to first token would be far from a conversation."""
    cpu_threads: int = 0
    """Of torch in the whole process; 0 leaves the choice to it."""
    kept_tokens: int = 20_000
    """Of the fronts that were read; 25 kB each with the default model. The oldest go first."""
    guessed_tokens: int = 6
    """That are tried at once where the prompt says how the answer may go on; 0 tries none."""

    _template: ChatTemplate = PrivateAttr()
    _decoder: Int8Decoder = PrivateAttr()
    _ends: frozenset[int] = PrivateAttr()
    _kept: OrderedDict[tuple[int, ...], Cache] = PrivateAttr(default_factory=OrderedDict)
    _reading: threading.Lock = PrivateAttr(default_factory=threading.Lock)
    _at_work: set[int] = PrivateAttr(default_factory=set)

    def model_post_init(self, context: Any) -> None:
        import torch

        super().model_post_init(context)
        if self.cpu_threads:
            torch.set_num_threads(self.cpu_threads)
        self._template = ChatTemplate(self.model_path)
        self._decoder = Int8Decoder(self.model_path, self.context_tokens + self.guessed_tokens)
        self._ends = frozenset(self._ids(self._template.end_tokens))

    @property
    def _llm_type(self) -> str:
        return "torch"

    def get_num_tokens(self, text: str) -> int:
        return self._template.count_tokens(text)

    def avoiding(self, words: str) -> Runnable[LanguageModelInput, AIMessage]:
        """Itself, never beginning with the first token of `words`."""
        return self.bind(avoid=words)

    def prepare(self, messages: list[BaseMessage]) -> bool:
        """Read what stands before the question, and keep it; returns whether it is kept. Takes as long as reading it.

        Declines while an answer is being written, so that this one goes on.

        :raises GenerationError: when the model fails.
        """
        front = tuple(self._ids(self._template.split_prompt(messages)[0]))
        if not front or len(front) > min(self.kept_tokens, self.context_tokens - self.max_new_tokens):
            return False
        if front not in self._kept:
            if self._at_work:
                return False
            try:
                self._begun(front, len(front))
            except (RuntimeError, MemoryError) as error:
                raise GenerationError(f"The language model failed: {error}") from error
        return True

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
        front, rest = (self._ids(tokens) for tokens in self._template.split_prompt(messages))
        if len(front) + len(rest) + self.max_new_tokens > self.context_tokens:
            raise GenerationError(
                f"The prompt has {len(front) + len(rest)} tokens; the limit is "
                f"{self.context_tokens - self.max_new_tokens}. Ask a shorter question."
            )
        avoided = self._template.tokenizer.encode(avoid, add_special_tokens=False).ids[0] if avoid else None
        text = TokenText(self._template.tokenizer, stop or ())
        steps = self._written(front, rest, avoided)
        try:
            yield from chunks(steps, text, run_manager)
        except (RuntimeError, MemoryError) as error:
            raise GenerationError(f"The language model failed: {error}") from error
        finally:
            steps.close()

    def _written(
        self, front: list[int], rest: list[int], avoided: int | None
    ) -> Generator[tuple[int, float], None, None]:
        """Each token with its log probability."""
        work = id(rest)
        self._at_work.add(work)
        try:
            ids = [*front, *rest]
            most = len(ids) + self.max_new_tokens
            cache = self._begun(tuple(front), most + self.guessed_tokens)
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

    def _begun(self, front: tuple[int, ...], capacity: int) -> Cache:
        """A cache that holds the front; what had to be read for it is kept for the next prompt that begins so."""
        kept = self._kept.get(front)
        cache = self._decoder.cache(capacity, kept)
        if front and kept is None:
            self._likeliest(list(front), cache, 1)
            self._keep(front, cache.kept())
        return cache

    def _keep(self, front: tuple[int, ...], cache: Cache) -> None:
        with self._reading:
            self._kept[front] = cache
            while sum(map(len, self._kept)) > self.kept_tokens:
                self._kept.popitem(last=False)

    def _likeliest(
        self, ids: list[int], cache: Cache, last: int, avoided: int | None = None
    ) -> list[tuple[int, float]]:
        """After each of the `last` of these tokens: the likeliest next one, and its log probability."""
        import torch

        with self._reading, torch.inference_mode():  # two at a time would each take twice as long
            logits_lv = self._decoder.read(ids, cache, last)
            if avoided is not None:
                logits_lv[:, avoided] = -torch.inf
            logits_l, tokens_l = logits_lv.max(-1)
            return list(zip(tokens_l.tolist(), (logits_l - logits_lv.logsumexp(-1)).tolist(), strict=True))

    def _ids(self, tokens: list[str]) -> list[int]:
        found = map(self._template.tokenizer.token_to_id, tokens)
        return [id_ for id_ in found if id_ is not None]
