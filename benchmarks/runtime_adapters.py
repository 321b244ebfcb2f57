"""The runtimes that `runtimes.py` compares, behind one interface. Each import is inside: none of them is required.

All get the same tokens of the same prompt, decode greedily, and stop at the model's own end tokens.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from runtime_files import LORA_SIZE, ModelFiles, gguf_for_openvino, write_adapter, write_gguf_adapter

from ragvoice.generation.chat_template import ChatTemplate

T = TypeVar("T")


@dataclass(frozen=True)
class Prompt:
    """Rendered text: `front` is what two questions over the same passages share."""

    front: str
    rest: str


class Runtime(Protocol):
    def stream(self, prompt: Prompt, max_new_tokens: int, *, reuse: bool) -> Iterator[str]:
        """One piece of text a token. `reuse` keeps the state after `front` and takes it up again. Closing cancels."""

    def load_adapter(self) -> str:
        """Make the switch of `use_adapter` possible; returns what that took, in words."""

    def use_adapter(self, on: bool) -> None: ...


class CTranslate2:
    def __init__(self, files: ModelFiles):
        import ctranslate2

        self._template = ChatTemplate(files.ctranslate2)
        self._open = lambda: ctranslate2.Generator(
            str(files.ctranslate2), compute_type="int8", intra_threads=files.threads
        )
        self._generator = self._open()

    def stream(self, prompt: Prompt, max_new_tokens: int, *, reuse: bool) -> Iterator[str]:
        front, rest = _tokens(self._template, prompt.front), _tokens(self._template, prompt.rest)
        steps = self._generator.generate_tokens(
            rest if reuse else front + rest,
            static_prompt=front if reuse else None,
            max_length=max_new_tokens,
            sampling_topk=1,
            end_token=self._template.end_tokens,
        )
        yield from _decoded(self._template, (step.token_id for step in steps))

    def load_adapter(self) -> str:
        return "no adapters: a merged, converted model is loaded; here the same one again, so no effect is right"

    def use_adapter(self, on: bool) -> None:
        self._generator = self._open()


class TorchInt8:
    """Ours, with the tokens that the prompt lets it guess."""

    def __init__(self, files: ModelFiles):
        from ragvoice.generation.torch_chat import TorchChatModel

        self._open = lambda: TorchChatModel(model_path=files.torch, cpu_threads=files.threads)
        self._template = ChatTemplate(files.torch)
        self._chat = self._open()

    def stream(self, prompt: Prompt, max_new_tokens: int, *, reuse: bool) -> Iterator[str]:
        front, rest = (
            [self._template.tokenizer.token_to_id(token) for token in _tokens(self._template, text)]
            for text in (prompt.front, prompt.rest)
        )
        chat = self._chat.model_copy(update={"max_new_tokens": max_new_tokens})
        steps = chat._written(front, rest, None) if reuse else chat._written([], [*front, *rest], None)
        yield from _decoded(self._template, (token for token, _ in steps))

    def load_adapter(self) -> str:
        return "no adapters: a merged, converted model is loaded; here the same one again, so no effect is right"

    def use_adapter(self, on: bool) -> None:
        self._chat = self._open()


class LlamaCpp:
    def __init__(self, files: ModelFiles):
        import xllamacpp

        self._files = files
        self._template = ChatTemplate(files.ctranslate2)
        params = xllamacpp.CommonParams()
        params.model.path = str(files.gguf)
        params.n_ctx, params.n_parallel, params.verbosity = 4096, 1, -1
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = files.threads
        params.cache_ram_mib = 0
        params.api_keys = ["benchmark"]
        self._params, self._start = params, xllamacpp.Server
        self._adapter_info = xllamacpp.CommonAdapterLoraInfo
        self._server = self._start(params)
        self._scale: float | None = None

    def stream(self, prompt: Prompt, max_new_tokens: int, *, reuse: bool) -> Iterator[str]:
        tokens = _tokens(self._template, prompt.front) + _tokens(self._template, prompt.rest)
        request: dict[str, Any] = {
            "prompt": [self._template.tokenizer.token_to_id(token) for token in tokens],
            "n_predict": max_new_tokens,
            "temperature": 0,
            "cache_prompt": reuse,
            "stream": True,
        }
        if self._scale is not None:
            request["lora"] = [{"id": 0, "scale": self._scale}]

        def run(put: Callable[[str], bool]) -> None:
            def callback(chunk: dict[str, Any]) -> bool:
                if "choices" not in chunk:
                    raise RuntimeError(str(chunk))
                choice = chunk["choices"][0]
                return put(choice["text"]) if choice["finish_reason"] is None else False

            self._server.handle_completions(request, callback)

        yield from _pump(run)

    def load_adapter(self) -> str:
        path = write_gguf_adapter(self._files)
        info = self._adapter_info()
        info.path, info.scale = str(path), 1.0
        self._params.lora_adapters = [info]
        self._params.lora_init_without_apply = True
        self._server = None
        self._server = self._start(self._params)
        return "a scale in each request; adapters are GGUF files named at the start"

    def use_adapter(self, on: bool) -> None:
        self._scale = float(on)


class OpenVino:
    def __init__(self, files: ModelFiles):
        import openvino_genai

        self._files, self._genai = files, openvino_genai
        self._template = ChatTemplate(files.ctranslate2)
        self._gguf = gguf_for_openvino(files)
        self._adapters: dict[str, Any] = {}
        self._pipeline = self._open()

    def _open(self, **adapters: Any) -> Any:
        scheduler = self._genai.SchedulerConfig()
        scheduler.enable_prefix_caching = True
        scheduler.cache_size = 1  # GiB
        return self._genai.LLMPipeline(
            str(self._gguf), "CPU", scheduler_config=scheduler, INFERENCE_NUM_THREADS=self._files.threads, **adapters
        )

    def stream(self, prompt: Prompt, max_new_tokens: int, *, reuse: bool) -> Iterator[str]:
        genai, config = self._genai, self._genai.GenerationConfig()
        config.max_new_tokens, config.do_sample, config.apply_chat_template = max_new_tokens, False, False
        config.stop_token_ids = {self._template.tokenizer.token_to_id(token) for token in self._template.end_tokens}

        def run(put: Callable[[int], bool]) -> None:
            class Streamer(genai.StreamerBase):  # type: ignore[name-defined, misc]
                def write(self, token: int | list[int]) -> Any:
                    ids = token if isinstance(token, list) else [token]
                    stopped = max((put(id_) for id_ in ids if id_ not in config.stop_token_ids), default=False)
                    return genai.StreamingStatus.CANCEL if stopped else genai.StreamingStatus.RUNNING

                def end(self) -> None: ...

            self._pipeline.generate(prompt.front + prompt.rest, config, Streamer(), **self._adapters)

        yield from _decoded(self._template, _pump(run))

    def load_adapter(self) -> str:
        adapter = self._genai.Adapter(str(write_adapter(self._files, LORA_SIZE) / "adapter_model.safetensors"))
        self._on, self._off = self._genai.AdapterConfig(adapter, 1.0), self._genai.AdapterConfig()
        self._pipeline = None
        self._pipeline = self._open(adapters=self._on)
        return "a parameter of each call; adapters are PEFT files named at the start"

    def use_adapter(self, on: bool) -> None:
        self._adapters = {"adapters": self._on if on else self._off}


class Transformers:
    def __init__(self, files: ModelFiles):
        import torch
        from transformers import AutoModelForCausalLM
        from transformers.utils.logging import disable_progress_bar

        torch.set_num_threads(files.threads)
        disable_progress_bar()
        self._files, self._torch = files, torch
        self._template = ChatTemplate(files.transformers)
        self._model = AutoModelForCausalLM.from_pretrained(files.transformers, dtype=torch.float32).eval()
        self._kept: tuple[str, Any] = ("", None)

    def stream(self, prompt: Prompt, max_new_tokens: int, *, reuse: bool) -> Iterator[str]:
        tokens = _tokens(self._template, prompt.front) + _tokens(self._template, prompt.rest)
        ids = self._torch.tensor([[self._template.tokenizer.token_to_id(token) for token in tokens]])
        past = self._state_after(prompt.front) if reuse else None

        def run(put: Callable[[int], bool]) -> None:
            streamer = _TokenStreamer(put)
            self._model.generate(
                input_ids=ids,
                attention_mask=self._torch.ones_like(ids),
                past_key_values=past,
                max_new_tokens=max_new_tokens,
                do_sample=False,
                streamer=streamer,
                stopping_criteria=[lambda *_, **__: streamer.stopped],
            )

        ends = {self._template.tokenizer.token_to_id(token) for token in self._template.end_tokens}
        yield from _decoded(self._template, (id_ for id_ in _pump(run) if id_ not in ends))

    def _state_after(self, front: str) -> Any:
        from transformers import DynamicCache

        if self._kept[0] != front:
            ids = [self._template.tokenizer.token_to_id(token) for token in _tokens(self._template, front)]
            with self._torch.no_grad():
                state = self._model(self._torch.tensor([ids]), past_key_values=DynamicCache(), logits_to_keep=1)
            self._kept = (front, state.past_key_values)
        return deepcopy(self._kept[1])

    def load_adapter(self) -> str:
        from peft import PeftModel

        self._model = PeftModel.from_pretrained(self._model, write_adapter(self._files, LORA_SIZE), "random").eval()
        self._model.load_adapter(write_adapter(self._files, 0.0), "zero")
        self._model.set_adapter("zero")
        return "peft `set_adapter`; adapters can be added at any time"

    def use_adapter(self, on: bool) -> None:
        self._model.set_adapter("random" if on else "zero")


RUNTIMES: dict[str, Callable[[ModelFiles], Runtime]] = {
    "ctranslate2 int8": CTranslate2,
    "torch int8": TorchInt8,
    "xllamacpp": LlamaCpp,
    "openvino-genai": OpenVino,
    "transformers fp32": Transformers,
}


class _TokenStreamer:
    """transformers' streamer protocol; the first call brings the prompt."""

    def __init__(self, put: Callable[[int], bool]):
        self._put, self._prompt_seen, self.stopped = put, False, False

    def put(self, ids: Any) -> None:
        if self._prompt_seen:
            self.stopped = self._put(int(ids.flatten()[0]))
        self._prompt_seen = True

    def end(self) -> None: ...


def _pump(run: Callable[[Callable[[T], bool]], None]) -> Iterator[T]:
    """Turn a call that reports each token into an iterator; closing it makes `put` return True, which must stop."""
    items: queue.Queue[tuple[str, Any]] = queue.Queue()
    closed = threading.Event()

    def put(item: T) -> bool:
        items.put(("item", item))
        return closed.is_set()

    def work() -> None:
        try:
            run(put)
            items.put(("end", None))
        except Exception as error:
            items.put(("error", error))

    worker = threading.Thread(target=work, daemon=True)
    worker.start()
    try:
        while (kind := (got := items.get())[0]) == "item":
            yield got[1]
        if kind == "error":
            raise got[1]
    finally:
        closed.set()
        worker.join()


def _tokens(template: ChatTemplate, text: str) -> list[str]:
    return list(template.tokenizer.encode(text, add_special_tokens=False).tokens)


def _decoded(template: ChatTemplate, ids: Iterator[int]) -> Iterator[str]:
    seen: list[int] = []
    written = ""
    for id_ in ids:
        seen.append(id_)
        text = template.tokenizer.decode(seen)
        piece = "" if text.endswith("�") else text[len(written) :]
        written += piece
        yield piece
