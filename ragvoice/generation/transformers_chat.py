"""Any causal LM that transformers can load, with or without a PEFT adapter, quantised where the hardware allows."""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Sequence
from pathlib import Path
from threading import Event, Thread
from typing import Any, Literal

import numpy as np
from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import LanguageModelInput
from langchain_core.language_models.chat_models import BaseChatModel, generate_from_stream
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable
from pydantic import PrivateAttr
from safetensors import SafetensorError

from ragvoice.errors import GenerationError, ModelError
from ragvoice.generation.apart import pieces_of, positions, visible
from ragvoice.generation.chat_template import ChatTemplate
from ragvoice.generation.control_tokens import breaker
from ragvoice.generation.prompts import check_length
from ragvoice.generation.shared_base import SharedBase

Quantisation = Literal["none", "int8", "4bit"]
_UNREADABLE = (OSError, ValueError, RuntimeError, KeyError, TypeError, SafetensorError)
"""What transformers and peft raise for files that are missing, damaged or of something else."""
_ROLES = {"system": "system", "human": "user", "ai": "assistant"}


class TransformersChatModel(BaseChatModel):
    """Greedy. `response_metadata["logprobs"]` lists the log probability of each token.

    Dropping the stream's iterator stops the generation after the token in work.
    """

    model_path: Path
    """Folder of a model with a chat template."""
    adapter_path: Path | None = None
    """Folder of a PEFT adapter trained on this model."""
    passages_apart: bool = False
    """Of use for an adapter that was trained to read them so (`apart`)."""
    quantisation: Quantisation = "none"
    """Through bitsandbytes: `int8` is LLM.int8 (arXiv 2208.07339), `4bit` is NF4 (arXiv 2305.14314)."""
    device: str = "auto"
    """`auto` is the first GPU, else the CPU."""
    max_new_tokens: int = 96
    context_tokens: int = 4096

    _base: SharedBase = PrivateAttr()
    _adapter: str | None = PrivateAttr(default=None)
    """Name of the adapter on the base."""
    _tokenizer: Any = PrivateAttr()
    _template: ChatTemplate | None = PrivateAttr(default=None)

    def model_post_init(self, context: Any) -> None:
        super().model_post_init(context)
        try:
            import torch
            from transformers import AutoModelForCausalLM, AutoTokenizer

            device = self.device if self.device != "auto" else "cuda" if torch.cuda.is_available() else "cpu"
            self._tokenizer = AutoTokenizer.from_pretrained(self.model_path)
            model = AutoModelForCausalLM.from_pretrained(
                self.model_path,
                dtype="auto" if device != "cpu" else torch.float32,
                device_map=device,
                quantization_config=_quantisation_config(self.quantisation),
            )
            self._base = SharedBase(model.eval())
        except ImportError as error:
            raise ModelError(
                f"{error.name or error} is missing. Install it with: pip install 'ragvoice[quantised]'"
            ) from error
        except _UNREADABLE as error:
            raise ModelError(f"{self.model_path.name} cannot be loaded by transformers ({error}).") from error
        if not self._tokenizer.chat_template:
            raise ModelError(f"{self.model_path.name} has no chat template; use an instruction-tuned model.")
        self._put_on(self.adapter_path)

    def with_adapter(self, adapter_path: Path | None, *, passages_apart: bool = False) -> TransformersChatModel:
        """The same base model in memory with another adapter, or bare; this one stays as it is.

        :raises ModelError: when the adapter does not fit.
        """
        other = self.model_copy(update={"adapter_path": adapter_path, "passages_apart": passages_apart})
        other._put_on(adapter_path)
        return other

    def avoiding(self, words: str) -> Runnable[LanguageModelInput, AIMessage]:
        """Itself, never beginning an answer with the first token of `words`."""
        return self.bind(avoid=words)

    def _put_on(self, adapter_path: Path | None) -> None:
        self._adapter = None
        if adapter_path is None:
            return
        try:
            self._adapter = self._base.add(adapter_path)
        except _UNREADABLE as error:
            raise ModelError(f"{adapter_path.name} cannot be loaded by transformers ({error}).") from error
        weakref.finalize(self, self._base.give_up, self._adapter).atexit = False

    @property
    def _model(self) -> Any:
        return self._base.model

    @property
    def _llm_type(self) -> str:
        return "transformers"

    def get_num_tokens(self, text: str) -> int:
        return len(self._tokenizer.encode(text, add_special_tokens=False))

    def _pieces(self, messages: list[BaseMessage]) -> list[list[int]]:
        """Where passages are read apart, the ids of the prompt's pieces."""
        if not self.passages_apart:
            return []
        template = self._template = self._template or ChatTemplate(self.model_path)
        return [template.ids(piece) for piece in template.prompt_pieces(messages)]

    def _inputs(self, pieces: list[list[int]], messages: list[BaseMessage]) -> Any:
        import torch
        from jinja2 import TemplateError
        from transformers import BatchEncoding

        if pieces:
            ids = torch.tensor([[id_ for piece in pieces for id_ in piece]])
            return BatchEncoding({"input_ids": ids, "attention_mask": torch.ones_like(ids)}).to(self._model.device)
        as_text = breaker((token.content, token.special) for token in self._tokenizer.added_tokens_decoder.values())
        rows = [
            {"role": _ROLES.get(message.type, message.type), "content": as_text(message.text)} for message in messages
        ]
        try:
            found = self._tokenizer.apply_chat_template(
                rows, add_generation_prompt=True, return_tensors="pt", return_dict=True
            )
        except TemplateError as error:
            raise ModelError(f"The model's chat template cannot take this conversation ({error}).") from error
        return found.to(self._model.device)

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
        from transformers import StoppingCriteriaList, TextIteratorStreamer

        pieces = self._pieces(messages)
        inputs = self._inputs(pieces, messages)
        tokens = inputs["input_ids"].shape[1]
        context = min(self.context_tokens, getattr(self._model.config, "max_position_embeddings", self.context_tokens))
        check_length(tokens, context - self.max_new_tokens)
        avoided = self._tokenizer.encode(avoid, add_special_tokens=False)[:1] if avoid else None
        cancelled, logprobs, failure = Event(), list[float](), list[BaseException]()
        streamer = TextIteratorStreamer(self._tokenizer, skip_prompt=True, skip_special_tokens=True)

        def generate() -> None:
            try:
                with self._base.use(self._adapter) as model:
                    model.generate(
                        **inputs,
                        cache=_read_apart(model, pieces, inputs["input_ids"]) if len(pieces) > 1 else None,
                        max_new_tokens=self.max_new_tokens,
                        do_sample=False,
                        temperature=None,
                        top_p=None,
                        top_k=None,
                        repetition_penalty=1.0,  # Qwen2.5's own is above: against the words of the passages, too
                        streamer=streamer,
                        begin_suppress_tokens=avoided,
                        logits_processor=[_record(logprobs)],
                        stopping_criteria=StoppingCriteriaList([lambda ids, scores, **_: cancelled.is_set()]),
                        stop_strings=stop,
                        tokenizer=self._tokenizer if stop else None,
                    )
            except BaseException as error:
                failure.append(error)
                streamer.end()

        worker = Thread(target=generate, daemon=True)
        worker.start()
        reported = 0
        try:
            for piece in streamer:
                fresh = logprobs[reported:]  # the worker may append meanwhile: count what was taken
                reported += len(fresh)
                chunk = ChatGenerationChunk(
                    message=AIMessageChunk(content=piece, response_metadata={"logprobs": fresh})
                )
                if run_manager:
                    run_manager.on_llm_new_token(piece, chunk=chunk)
                yield chunk
        finally:
            cancelled.set()
            worker.join()
        if failure:
            raise GenerationError(f"The language model failed: {failure[0]}") from failure[0]


def _read_apart(model: Any, pieces: Sequence[Sequence[int]], ids: Any) -> Any:
    """Keys and values of all but the last token."""
    import torch

    numbers = pieces_of(pieces)[:-1]
    seen = np.tril(visible(np.array(numbers)))
    with torch.inference_mode():
        return model(
            input_ids=ids[:, :-1],
            attention_mask=torch.from_numpy(seen)[None, None].to(ids.device),
            position_ids=torch.tensor([positions(numbers)], device=ids.device),
            use_cache=True,
        ).cache


def _record(logprobs: list[float]) -> Any:
    """A logits processor that changes nothing and notes the log probability of the greedy choice."""

    def note(ids: Any, scores: Any) -> Any:
        logprobs.append(float(scores[0].float().log_softmax(dim=-1).max()))
        return scores

    return note


def _quantisation_config(quantisation: Quantisation) -> Any:
    if quantisation == "none":
        return None
    import torch
    from transformers import BitsAndBytesConfig

    if quantisation == "int8":
        return BitsAndBytesConfig(load_in_8bit=True)
    return BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=torch.bfloat16)
