"""A local causal LM on CTranslate2: int8 on any processor, and on NVIDIA GPUs (docs/decisions/0002-runtime.md)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import LanguageModelInput
from langchain_core.language_models.chat_models import BaseChatModel, generate_from_stream
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable
from pydantic import PrivateAttr

from ragvoice.errors import GenerationError, ModelError
from ragvoice.generation.chat_template import ChatTemplate
from ragvoice.generation.kept_prefixes import KeptPrefixes
from ragvoice.generation.prompts import check_length
from ragvoice.generation.token_text import TokenText, chunks


class CTranslate2ChatModel(BaseChatModel):
    """Greedy. `response_metadata["logprobs"]` lists the log probability of each token.

    Dropping the stream's iterator stops the generation. `prepare` reads the front of a prompt ahead of its question.
    """

    gives_up: ClassVar[bool] = False

    model_path: Path
    """Folder with CTranslate2's `model.bin`, tokenizer and chat template."""
    max_new_tokens: int = 96
    context_tokens: int = 4096
    """Longer prompts are refused: time to first token would be far from a conversation."""
    cpu_threads: int = 0
    """0 leaves the choice to CTranslate2."""
    compute_type: str = "int8"
    kept_tokens: int = 2000
    """That are read ahead and kept; 0.2 MiB each with the default model."""

    _loaded: KeptPrefixes = PrivateAttr()
    _template: ChatTemplate = PrivateAttr()

    def model_post_init(self, context: Any) -> None:
        import ctranslate2

        super().model_post_init(context)
        self._template = ChatTemplate(self.model_path)
        try:
            generator = ctranslate2.Generator(
                str(self.model_path), device="auto", compute_type=self.compute_type, intra_threads=self.cpu_threads
            )
        except (RuntimeError, ValueError) as error:
            raise ModelError(f"{self.model_path.name} cannot be loaded by CTranslate2 ({error}).") from error
        self._loaded = KeptPrefixes(generator, self.model_path, most_tokens=self.kept_tokens)

    @property
    def _llm_type(self) -> str:
        return "ctranslate2"

    def get_num_tokens(self, text: str) -> int:
        return self._template.count_tokens(text)

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
        front, rest = self._template.split_prompt(messages)
        check_length(len(front) + len(rest), self.context_tokens - self.max_new_tokens)
        text = TokenText(self._template.tokenizer, stop or ())
        options = {"max_length": self.max_new_tokens, "end_token": self._template.end_tokens, "return_log_prob": True}
        if avoid is not None:
            options["suppress_sequences"] = [
                self._template.tokenizer.encode(avoid, add_special_tokens=False).tokens[:1]
            ]
        try:
            with self._loaded.stream(front, rest, **options) as steps:
                found = ((step.token_id, math.nan if step.log_prob is None else float(step.log_prob)) for step in steps)
                yield from chunks(found, text, run_manager)
        except (RuntimeError, ValueError) as error:
            raise GenerationError(f"The language model failed: {error}") from error

    def avoiding(self, words: str) -> Runnable[LanguageModelInput, AIMessage]:
        """Itself, without the first token of `words`: a token that opens an answer hardly stands within one."""
        return self.bind(avoid=words)

    def prepare(self, messages: list[BaseMessage], wanted: Callable[[], bool] = lambda: True) -> bool:
        """Read what stands before the question, and keep it; returns whether it is kept. Takes as long as reading it.

        :param wanted: Asked at the beginning only: CTranslate2 does not stop while it reads.
        :raises GenerationError: when the model fails.
        """
        front, rest = self._template.split_prompt(messages)
        try:
            return wanted() and self._loaded.keep(front, rest[0])
        except (RuntimeError, ValueError) as error:
            raise GenerationError(f"The language model failed: {error}") from error
