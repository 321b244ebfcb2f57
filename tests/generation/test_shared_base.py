"""Adapters on one base in memory: each turn has its own, and a bad one leaves the base as it was."""

from __future__ import annotations

import gc
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from langchain_core.messages import HumanMessage, SystemMessage
from tiny_models import make_lora, make_tiny_llama

from ragvoice.errors import ModelError
from ragvoice.generation.transformers_chat import TransformersChatModel

WORDS = [SystemMessage("w1 w2 w3"), HumanMessage("w4 w5 w6")]


def reply(chat: TransformersChatModel) -> str:
    return chat.invoke(WORDS).text


@pytest.fixture
def bare(tiny_llama: Path) -> TransformersChatModel:
    return TransformersChatModel(model_path=tiny_llama, device="cpu", max_new_tokens=12)


@pytest.fixture
def first(tiny_llama: Path, tmp_path: Path) -> Path:
    return make_lora(tiny_llama, tmp_path / "first", seed=1)


@pytest.fixture
def second(tiny_llama: Path, tmp_path: Path) -> Path:
    return make_lora(tiny_llama, tmp_path / "second", seed=2, r=2, use_rslora=True)


def alone(base: Path, adapter: Path) -> str:
    return reply(TransformersChatModel(model_path=base, adapter_path=adapter, device="cpu", max_new_tokens=12))


def test_each_chat_has_its_adapter_on_the_same_base(
    bare: TransformersChatModel, tiny_llama: Path, first: Path, second: Path
) -> None:
    plain = reply(bare)
    one = bare.with_adapter(first)
    two = one.with_adapter(second)
    expected = (plain, alone(tiny_llama, first), alone(tiny_llama, second))
    assert len(set(expected)) == 3
    for _ in range(2):
        assert (reply(bare), reply(one), reply(two)) == expected
    assert reply(two.with_adapter(None)) == plain
    assert one._base is two._base is bare._base


def test_an_adapter_that_does_not_fit_leaves_the_base_as_it_was(
    bare: TransformersChatModel, first: Path, tmp_path: Path
) -> None:
    plain = reply(bare)
    wrong = make_lora(make_tiny_llama(tmp_path / "deep", layers=3), tmp_path / "wrong")
    with pytest.raises(ModelError, match="another base model"):
        bare.with_adapter(wrong)
    assert reply(bare) == plain
    assert not [name for name, _ in bare._model.named_parameters() if "lora" in name]
    one = bare.with_adapter(first)
    adapted = reply(one)
    with pytest.raises(ModelError, match="another base model"):
        one.with_adapter(wrong)
    assert (reply(one), reply(bare)) == (adapted, plain)


def test_an_adapter_that_nobody_uses_any_more_is_freed(bare: TransformersChatModel, first: Path, second: Path) -> None:
    one = bare.with_adapter(first)
    reply(one)
    two = one.with_adapter(second)
    assert len(bare._model.peft_config) == 2
    del one
    gc.collect()
    reply(two)
    assert list(bare._model.peft_config) == [two._adapter]


def test_a_generation_at_work_keeps_its_adapter(bare: TransformersChatModel, first: Path, second: Path) -> None:
    """The old one's model is stopped in its second token until the new one asks."""
    one = bare.with_adapter(first)
    expected = reply(one)
    two = one.with_adapter(second)
    reached, go_on = Event(), Event()
    seen: list[str] = []

    def stop(*_: Any) -> None:
        seen.append(bare._base._active or "")
        reached.set()
        go_on.wait(10)

    hook = bare._model.get_base_model().register_forward_pre_hook(stop)
    answers: list[str] = []
    old = Thread(target=lambda: answers.append(reply(one)))
    old.start()
    assert reached.wait(10)
    new = Thread(target=lambda: answers.append("new: " + reply(two)))
    new.start()
    new.join(0.2)
    assert new.is_alive()
    go_on.set()
    old.join(10)
    new.join(10)
    hook.remove()
    assert answers[0] == expected
    assert answers[1] == "new: " + reply(two)
    assert seen == sorted(seen)  # never back and forth


@pytest.mark.parametrize("options", [{"use_dora": True}, {"use_rslora": True}, {"bias": "none"}])
def test_kinds_of_lora_are_read_whole(tiny_llama: Path, tmp_path: Path, options: dict[str, Any]) -> None:
    adapter = make_lora(tiny_llama, tmp_path / "kind", **options)
    assert alone(tiny_llama, adapter) != alone(tiny_llama, make_lora(tiny_llama, tmp_path / "zero", random=False))


def test_another_kind_of_adapter_is_refused(bare: TransformersChatModel, first: Path) -> None:
    config = first / "adapter_config.json"
    config.write_text(config.read_text().replace('"LORA"', '"IA3"'))
    with pytest.raises(ModelError, match="IA3, not LORA"):
        bare.with_adapter(first)
