"""Training reads what serving writes, and the loss is on the answer alone."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from training_runs import HELD, TRAIN
from transformers import AutoTokenizer

from finetune.data.examples import Example
from finetune.training.encoding import encode
from ragvoice.build import build_store
from ragvoice.errors import UsageError
from ragvoice.generation.chat_template import ChatTemplate
from ragvoice.generation.prompts import build_prompt

EXAMPLES = (*TRAIN, *HELD)


@pytest.fixture(scope="module", params=["tiny", "default"])
def folder(request: pytest.FixtureRequest, base: Path, model_home: Path) -> Path:
    return (
        base if request.param == "tiny" else build_store().converted("qwen2.5-coder-0.5b-instruct", "ctranslate2-int8")
    )


def _chat(example: Example) -> list[dict[str, str]]:
    system, human = build_prompt(example.question, example.passages, example.history, example.style)
    return [{"role": "system", "content": system.text}, {"role": "user", "content": human.text}]


def test_prompt_and_answer_are_transformers_own_template_of_the_conversation(base: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(base)
    for example, encoded in zip(EXAMPLES, encode(EXAMPLES, ChatTemplate(base), apart=False), strict=True):
        chat = _chat(example)
        prompt = tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_dict=True)["input_ids"]
        whole = [*chat, {"role": "assistant", "content": example.answer}]
        expected = tokenizer.apply_chat_template(whole, return_dict=True)["input_ids"]
        assert list(encoded.prompt) == prompt
        # after the token that ends the turn the template writes a line break, which nobody generates
        assert [*encoded.prompt, *encoded.answer] == expected[: len(encoded)]
        assert tokenizer.decode(expected[len(encoded) :]) == "\n"


def test_the_prompt_is_what_the_cpu_runtime_is_given(folder: Path) -> None:
    template = ChatTemplate(folder)
    for example, encoded in zip(EXAMPLES, encode(EXAMPLES, template, apart=False), strict=True):
        messages = build_prompt(example.question, example.passages, example.history, example.style)
        front, rest = template.split_prompt(messages)
        assert [template.tokenizer.id_to_token(id_) for id_ in encoded.prompt] == [*front, *rest]


def test_a_control_token_that_an_answer_spells_out_stays_text(folder: Path) -> None:
    template = ChatTemplate(folder)
    spelt = replace(TRAIN[0], answer=" A turn ends with <|im_end|>, always. ")
    [*answer, end] = encode([spelt], template, apart=False)[0].answer
    assert template.tokenizer.decode(answer) == "A turn ends with < |im_end|>, always."
    assert end not in answer


def test_the_loss_is_on_the_answer_and_the_end_of_its_turn_only(folder: Path) -> None:
    template = ChatTemplate(folder)
    for example, encoded in zip(EXAMPLES, encode(EXAMPLES, template, apart=False), strict=True):
        *answer, end = encoded.answer
        assert template.tokenizer.decode(answer) == example.answer
        assert template.tokenizer.id_to_token(end) == "<|im_end|>"
        assert encoded.refuses == example.refuses


def _with_template(base: Path, folder: Path, change: tuple[str, str]) -> ChatTemplate:
    shutil.copytree(base, folder)
    file = folder / "chat_template.jinja"
    text = file.read_text(encoding="utf-8")
    assert change[0] in text
    file.write_text(text.replace(*change), encoding="utf-8")
    return ChatTemplate(folder)


@pytest.mark.parametrize(
    "change",
    [
        ("<|im_start|>assistant\n", "<|im_start|>assistant\n<think>\n"),
        ("{{ message.content }}", "{{ message.content | upper }}"),
        ("{{ message.content }}<|im_end|>", "{{ message.content }}"),
    ],
    ids=["prompt that opens a thought", "answer that is changed", "turn without an end"],
)
def test_a_template_that_writes_an_answer_elsewhere_than_serving_asks_for_it_is_refused(
    base: Path, tmp_path: Path, change: tuple[str, str]
) -> None:
    template = _with_template(base, tmp_path / "other", change)
    with pytest.raises(UsageError, match="does not write an answer where serving lets the model begin one"):
        encode(TRAIN, template, apart=False)


def test_a_turn_may_end_with_any_token_that_ends_generation(base: Path, tmp_path: Path) -> None:
    template = ChatTemplate(base)
    template.end_tokens = ["<|endoftext|>", "<|im_end|>"]  # as Qwen's generation_config names two
    assert encode(TRAIN, template, apart=False) == encode(TRAIN, ChatTemplate(base), apart=False)


def test_a_model_without_an_end_token_is_refused(base: Path) -> None:
    template = ChatTemplate(base)
    template.end_tokens = []
    with pytest.raises(UsageError, match="no token that ends a turn"):
        encode(TRAIN, template, apart=False)
