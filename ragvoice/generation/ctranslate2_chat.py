"""A local causal LM on CTranslate2: the fastest first token on a CPU (docs/decisions/0002-runtime.md)."""

from __future__ import annotations

import atexit
import math
import weakref
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models.chat_models import BaseChatModel, generate_from_stream
from langchain_core.messages import AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from pydantic import PrivateAttr

from ragvoice.errors import GenerationError, ModelError
from ragvoice.generation.chat_template import ChatTemplate


class _Loaded:
    """A generator that ends before the interpreter does.

    CTranslate2's thread lets go of a stream's Python callback shortly after the last token. When the interpreter is
    shutting down by then, the process aborts (exit code 134) although everything was answered.
    """

    def __init__(self, generator: Any):
        self._generator = generator
        self._streams: weakref.WeakSet[Any] = weakref.WeakSet()
        _open.add(self)

    def steps(self, prompt: list[str], **options: Any) -> Any:
        steps = self._generator.generate_tokens(prompt, **options)
        self._streams.add(steps)
        return steps

    def close(self) -> None:
        for steps in list(self._streams):
            with suppress(ValueError):  # a daemon thread is reading it this moment
                steps.close()
        self._generator = None  # waits for its threads


_open: weakref.WeakSet[_Loaded] = weakref.WeakSet()


@atexit.register
def _close_all() -> None:
    for loaded in list(_open):
        loaded.close()


class CTranslate2ChatModel(BaseChatModel):
    """Greedy. `response_metadata["logprobs"]` lists the log probability of each token.

    Dropping the stream's iterator stops the generation. The system message is read once and kept.
    """

    model_path: Path
    """Folder with CTranslate2's `model.bin`, tokenizer and chat template."""
    max_new_tokens: int = 96
    context_tokens: int = 4096
    """Longer prompts are refused: time to first token would be far from a conversation."""
    cpu_threads: int = 0
    """0 leaves the choice to CTranslate2."""
    compute_type: str = "int8"

    _loaded: _Loaded = PrivateAttr()
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
        self._loaded = _Loaded(generator)

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
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        front, rest = self._template.split_prompt(messages)
        if len(front) + len(rest) + self.max_new_tokens > self.context_tokens:
            raise GenerationError(
                f"The prompt has {len(front) + len(rest)} tokens; the limit is "
                f"{self.context_tokens - self.max_new_tokens}. Ask a shorter question."
            )
        steps = self._loaded.steps(
            rest,
            max_length=self.max_new_tokens,
            sampling_topk=1,
            end_token=self._template.end_tokens,
            static_prompt=front or None,
            return_log_prob=True,
        )
        ids: list[int] = []
        written = ""
        try:
            for step in steps:
                ids.append(step.token_id)
                # Decoding all ids again is what keeps multi-token characters and spaces right.
                text = self._template.tokenizer.decode(ids)
                piece = "" if text.endswith("�") else text[len(written) :]
                end = min((found for mark in stop or [] if (found := (written + piece).find(mark)) >= 0), default=None)
                if end is not None:
                    piece = piece[: max(0, end - len(written))]
                written += piece
                log_prob = float(step.log_prob) if step.log_prob is not None else math.nan
                chunk = ChatGenerationChunk(
                    message=AIMessageChunk(content=piece, response_metadata={"logprobs": [log_prob]})
                )
                if run_manager:
                    run_manager.on_llm_new_token(piece, chunk=chunk)
                yield chunk
                if end is not None:
                    return
            if not ids:  # LangChain takes a stream without a chunk for an error; a model may end at once
                yield ChatGenerationChunk(message=AIMessageChunk(content=""))
        except (RuntimeError, ValueError) as error:
            raise GenerationError(f"The language model failed: {error}") from error
        finally:
            steps.close()  # ends the work after the token in progress
