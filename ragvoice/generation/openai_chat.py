"""Any OpenAI-compatible endpoint: vLLM, Ollama, llama.cpp's server, Gemini's, OpenAI's."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from langchain_core.language_models import LanguageModelInput
from langchain_core.messages import BaseMessage
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langchain_openai import ChatOpenAI

from ragvoice.errors import GenerationError, ModelError
from ragvoice.generation.control_tokens import break_common

_CHARACTERS_PER_TOKEN = 3.5
"""For counting without the server's tokenizer; English text has about four, so this errs on the safe side."""
_SHOWN_CHARACTERS = 200
"""Of an error that may repeat a whole page."""
_CONNECT_TIMEOUT_S = 10.0
"""A machine that is switched off answers nothing; everybody in the queue waits for it."""


class ServedChatModel(ChatOpenAI):
    """`ChatOpenAI` that counts tokens without a download and says in one sentence what is wrong with the server."""

    def get_num_tokens(self, text: str) -> int:
        return int(len(text) / _CHARACTERS_PER_TOKEN) + 1

    def _get_request_payload(self, input_: LanguageModelInput, **kwargs: Any) -> dict[str, Any]:
        """Servers turn a marker of their chat template into a control token wherever it stands."""
        messages = self._convert_input(input_).to_messages()
        as_text = [message.model_copy(update={"content": break_common(message.text)}) for message in messages]
        return super()._get_request_payload(as_text, **kwargs)

    def _stream(self, *args: Any, **kwargs: Any) -> Iterator[ChatGenerationChunk]:
        silent = True
        try:
            for chunk in super()._stream(*args, **kwargs):
                silent = False
                yield chunk
        except Exception as error:
            raise self._translated(error) from error
        if silent:  # as of a page or a proxy, which answers everything
            raise self._translated(ValueError("not one piece of an answer"))

    def _generate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        try:
            return super()._generate(messages, *args, **kwargs)
        except Exception as error:
            raise self._translated(error) from error

    def _translated(self, error: Exception) -> Exception:
        import httpx
        import openai

        where = f"The language model server at {self.openai_api_base}"
        if isinstance(error, openai.APITimeoutError):
            return GenerationError(f"{where} did not answer in time. Check that it runs, and its load.")
        if isinstance(error, openai.APIConnectionError):
            return GenerationError(f"{where} cannot be reached. Start it, or correct llm_url.")
        if isinstance(error, openai.AuthenticationError):
            return GenerationError(f"{where} refuses the key. Set the environment variable OPENAI_API_KEY.")
        if isinstance(error, openai.NotFoundError):
            return GenerationError(
                f"{where} does not know the model {self.model_name!r}, or has nothing at this address. Correct the "
                "setting llm, adapter or llm_url."
            )
        if isinstance(error, openai.APIError):
            return GenerationError(f"{where} answered with an error: {error.message}")
        if isinstance(error, httpx.HTTPError):  # in the middle of a stream, where openai passes them on
            return GenerationError(f"{where} broke off its answer ({error}). Look at its log.")
        if isinstance(error, ValueError | TypeError | KeyError):  # of who reads what is no such reply
            return GenerationError(
                f"{where} does not answer as an OpenAI-compatible server ({_shown(error)}). Correct llm_url: it ends "
                "in the API's version, such as /v1."
            )
        return error


def open_served_chat(url: str, model: str, *, max_new_tokens: int, timeout_s: float = 60.0) -> ServedChatModel:
    """:param url: Base URL that ends in the API's version, such as `http://localhost:8000/v1`.
    :param timeout_s: For the first piece of an answer, and for each further one.

    The key comes from the environment variable OPENAI_API_KEY; servers without keys take any.

    :raises ModelError: when the environment names a proxy of a kind that is not supported.
    """
    import httpx

    try:
        return ServedChatModel(
            base_url=url,
            model=model,
            api_key=lambda: os.environ.get("OPENAI_API_KEY", "").strip() or "none",
            temperature=0,
            max_completion_tokens=max_new_tokens,
            timeout=httpx.Timeout(timeout_s, connect=_CONNECT_TIMEOUT_S),
            max_retries=1,
        )
    except (ImportError, ValueError) as error:
        raise ModelError(f"No connection to the server at {url} can be made: {_shown(error)}") from error


def _shown(error: Exception) -> str:
    return " ".join(str(error).split())[:_SHOWN_CHARACTERS]
