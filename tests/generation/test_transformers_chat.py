"""A causal LM through transformers: the stream, cancelling it, adapters, quantisation."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from langchain_core.messages import HumanMessage, SystemMessage
from tiny_models import make_tiny_llama

from ragvoice.datatypes import Passage
from ragvoice.errors import GenerationError, ModelError
from ragvoice.generation.apart import REST, pieces_of, positions, visible
from ragvoice.generation.prompts import build_prompt
from ragvoice.generation.transformers_chat import TransformersChatModel

# peft 0.21 asks a deprecated attribute of transformers 5.
pytestmark = pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated:FutureWarning")

WORDS = [SystemMessage("w1 w2 w3"), HumanMessage("w4 w5 w6")]
QUESTION = [
    SystemMessage("Answer in one short sentence."),
    HumanMessage("What is the capital of France? It is a large city on the Seine."),
]


def open_chat(folder: Path, **options: Any) -> TransformersChatModel:
    return TransformersChatModel(**{"model_path": folder, "device": "cpu", "max_new_tokens": 12, **options})


def reply(chat: TransformersChatModel, messages: Any = WORDS) -> str:
    return chat.invoke(messages).text


def test_stream_gives_the_reply_in_pieces_with_a_logprob_for_each_token(tiny_llama: Path) -> None:
    chat = open_chat(tiny_llama)
    chunks = list(chat.stream(WORDS))
    logprobs = [value for chunk in chunks for value in chunk.response_metadata.get("logprobs", [])]
    text = "".join(chunk.text for chunk in chunks)
    assert len([chunk for chunk in chunks if chunk.text]) > 3
    assert len(text.split()) == len(logprobs) == 12
    assert all(value <= 0 for value in logprobs)
    assert min(logprobs) < 0


def test_decoding_is_greedy(tiny_llama: Path) -> None:
    chat = open_chat(tiny_llama)
    first = reply(chat)
    torch.manual_seed(99)
    assert reply(chat) == first != reply(chat, [HumanMessage("w7 w8")])
    chat._model.generation_config.repetition_penalty = 9.0  # as published with a model
    assert reply(chat) == first


def test_another_reply_than_one_that_begins_so(tiny_llama: Path) -> None:
    chat = open_chat(tiny_llama)
    first = reply(chat)
    other = chat.avoiding(first).invoke(WORDS).text
    assert other.split()[0] != first.split()[0]
    assert chat.avoiding("w7" if not first.startswith("w7 ") else "w8").invoke(WORDS).text == first


def test_logprob_is_that_of_the_chosen_token(tiny_llama: Path) -> None:
    chat = open_chat(tiny_llama, max_new_tokens=1)
    chunks = list(chat.stream(WORDS))
    ids = chat._tokenizer(chat._tokenizer.apply_chat_template(
        [{"role": "system", "content": WORDS[0].text}, {"role": "user", "content": WORDS[1].text}],
        add_generation_prompt=True, tokenize=False), return_tensors="pt")["input_ids"]  # fmt: skip
    with torch.no_grad():
        expected = chat._model(ids).logits[0, -1].log_softmax(-1).max()
    assert sum(sum(chunk.response_metadata.get("logprobs", [])) for chunk in chunks) == pytest.approx(
        float(expected), abs=1e-4
    )


def test_dropping_the_iterator_stops_the_worker(tiny_llama: Path) -> None:
    chat = open_chat(tiny_llama, max_new_tokens=200)
    chat._model.generation_config.eos_token_id = None
    before = set(threading.enumerate())
    whole = len(reply(chat).split())
    steps: list[int] = []
    chat._model.register_forward_hook(lambda *_: steps.append(1))
    pieces = chat.stream(WORDS)
    next(pieces)
    assert set(threading.enumerate()) - before
    pieces.close()  # type: ignore[attr-defined]
    assert set(threading.enumerate()) - before == set()
    stopped_at = len(steps)
    time.sleep(0.2)
    assert len(steps) == stopped_at < whole
    assert len(reply(chat).split()) == whole


def test_failure_in_the_worker_reaches_the_reader(tiny_llama: Path) -> None:
    chat = open_chat(tiny_llama)
    chat._model.register_forward_pre_hook(lambda *_: 1 / 0)
    with pytest.raises(GenerationError, match="division by zero"):
        reply(chat)


def test_a_chat_template_that_refuses_is_told(tiny_llama: Path) -> None:
    chat = open_chat(tiny_llama)
    chat._tokenizer.chat_template = "{{ raise_exception('System role not supported') }}"
    with pytest.raises(ModelError, match="System role not supported"):
        reply(chat)


def test_random_adapter_changes_the_reply_and_a_zero_one_does_not(
    tiny_llama: Path, make_adapter: Callable[[Path, bool], Path]
) -> None:
    plain = reply(open_chat(tiny_llama))
    assert reply(open_chat(tiny_llama, adapter_path=make_adapter(tiny_llama, False))) == plain
    assert reply(open_chat(tiny_llama, adapter_path=make_adapter(tiny_llama, True))) != plain


@pytest.mark.parametrize("layers", [1, 3])
def test_adapter_of_another_base_is_refused(
    tiny_llama: Path, make_adapter: Callable[[Path, bool], Path], tmp_path: Path, layers: int
) -> None:
    """The matrices have the same shapes: only their number tells, and peft takes what fits."""
    other = make_tiny_llama(tmp_path / "other", layers=layers)
    with pytest.raises(ModelError, match="another base model"):
        open_chat(tiny_llama, adapter_path=make_adapter(other, True))


def test_damaged_adapter_is_refused(tiny_llama: Path, make_adapter: Callable[[Path, bool], Path]) -> None:
    adapter = make_adapter(tiny_llama, True)
    (adapter / "adapter_model.safetensors").write_bytes(b"\xff" * 100)
    with pytest.raises(ModelError, match="cannot be loaded"):
        open_chat(tiny_llama, adapter_path=adapter)


def test_folder_without_adapter_is_refused(tiny_llama: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be loaded"):
        open_chat(tiny_llama, adapter_path=tmp_path)


def test_model_without_chat_template_is_refused(tmp_path: Path) -> None:
    folder = make_tiny_llama(tmp_path / "base", layers=1)
    (folder / "chat_template.jinja").unlink()
    with pytest.raises(ModelError, match="instruction-tuned"):
        open_chat(folder)


def test_prompt_longer_than_the_setting_is_refused(tiny_llama: Path) -> None:
    with pytest.raises(GenerationError, match=r"has 14 tokens; the limit is 8\."):
        reply(open_chat(tiny_llama, context_tokens=20))


def test_prompt_longer_than_the_model_can_read_is_refused(tiny_llama: Path) -> None:
    with pytest.raises(GenerationError, match=r"the limit is 244\."):
        reply(open_chat(tiny_llama), [HumanMessage("w1 " * 250)])


def test_tokens_are_counted_without_special_ones(tiny_llama: Path) -> None:
    assert open_chat(tiny_llama).get_num_tokens("w1 w2 w3") == 3


@pytest.mark.slow
def test_real_model_answers_and_an_adapter_changes_it(
    small_transformers: Path, make_adapter: Callable[[Path, bool], Path]
) -> None:
    plain = reply(open_chat(small_transformers), QUESTION)
    assert "Paris" in plain
    assert reply(open_chat(small_transformers, adapter_path=make_adapter(small_transformers, False)), QUESTION) == plain
    assert reply(open_chat(small_transformers, adapter_path=make_adapter(small_transformers, True)), QUESTION) != plain


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:MatMul8bitLt. inputs will be cast:UserWarning")
@pytest.mark.parametrize("quantisation", ["int8", "4bit"])
def test_quantised_model_answers(small_transformers: Path, quantisation: str) -> None:
    chat = open_chat(small_transformers, quantisation=quantisation)
    linear = chat._model.model.layers[0].mlp.up_proj
    assert type(linear).__name__ == {"int8": "Linear8bitLt", "4bit": "Linear4bit"}[quantisation]
    assert "Paris" in reply(chat, QUESTION)


PASSAGES = [
    Passage(f"{words}.md", f"{words}.md", words, "", None, None, words, 0, 0.9)
    for words in ("w10 w11 w12", "w13 w14 w15 w16", "w17 w18")
]


def test_passages_are_read_apart_as_training_reads_them(tiny_llama: Path) -> None:
    prompt = build_prompt("w20", PASSAGES)
    chat = open_chat(tiny_llama, passages_apart=True)
    pieces = chat._pieces(prompt)
    assert len(pieces) == 2 + len(PASSAGES)
    ids = [id_ for piece in pieces for id_ in piece]
    written = []
    for _ in range(6):  # the whole prompt anew for each token, with the mask and the positions of training
        numbers = [*pieces_of(pieces), *[REST] * len(written)]
        with torch.inference_mode():
            logits_lv = chat._model(
                torch.tensor([[*ids, *written]]),
                attention_mask=torch.from_numpy(np.tril(visible(np.array(numbers))))[None, None],
                position_ids=torch.tensor([positions(numbers)]),
            ).logits[0]
        written.append(int(logits_lv[-1].argmax()))
    expected = chat._tokenizer.decode(written)
    assert reply(chat, prompt).startswith(expected)
    assert not reply(chat.with_adapter(None), prompt).startswith(expected)
