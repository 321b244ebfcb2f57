"""A running process follows the pointer to the adapter in service."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from threading import Event, Thread

import pytest
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel

from ragvoice.errors import ModelError
from ragvoice.generation.answering import Answering
from ragvoice.generation.confidence import ConfidenceModel
from ragvoice.generation.live import LiveAnswering


class Builder:
    """Builds an answering that is named after what the pointer says."""

    def __init__(self, pointer: Path):
        self.pointer = pointer
        self.before: list[str | None] = []
        self.waits: Event | None = None

    def __call__(self, before: Answering | None) -> Answering:
        self.before.append(before.adapter if before else None)
        if self.waits:
            self.waits.wait(10)
        name = self.pointer.read_text() if self.pointer.exists() else None
        if name == "broken":
            raise ModelError("it does not fit")
        return Answering(GenericFakeChatModel(messages=iter(())), ConfidenceModel.load(), adapter=name)


@pytest.fixture
def pointer(tmp_path: Path) -> Path:
    return tmp_path / "pointer.json"


def put(pointer: Path, name: str) -> None:
    pointer.with_suffix(".new").write_text(name)
    os.replace(pointer.with_suffix(".new"), pointer)


def test_a_promotion_and_a_rollback_are_followed(pointer: Path) -> None:
    builder = Builder(pointer)
    live = LiveAnswering(pointer, builder)
    assert live.current().adapter is None
    put(pointer, "first")
    began = live.current()
    put(pointer, "second")
    assert live.current().adapter == "second"
    assert began.adapter == "first"  # the turn that holds it goes on with it
    pointer.unlink()
    assert live.current().adapter is None
    assert builder.before == [None, None, "first", "second"]


def test_an_unchanged_pointer_builds_nothing(pointer: Path) -> None:
    put(pointer, "first")
    builder = Builder(pointer)
    live = LiveAnswering(pointer, builder)
    assert live.current() is live.current()
    assert builder.before == [None]


def test_an_adapter_that_cannot_be_loaded_leaves_the_old_one(pointer: Path, caplog: pytest.LogCaptureFixture) -> None:
    put(pointer, "first")
    builder = Builder(pointer)
    live = LiveAnswering(pointer, builder)
    put(pointer, "broken")
    assert [live.current().adapter, live.current().adapter] == ["first", "first"]
    assert [record.levelno for record in caplog.records] == [logging.ERROR]  # said once
    assert "it does not fit" in caplog.text
    put(pointer, "third")
    assert live.current().adapter == "third"


def test_the_first_one_that_cannot_be_loaded_is_an_error(pointer: Path) -> None:
    put(pointer, "broken")
    with pytest.raises(ModelError):
        LiveAnswering(pointer, Builder(pointer))


def test_other_turns_go_on_while_one_builds(pointer: Path) -> None:
    put(pointer, "first")
    builder = Builder(pointer)
    live = LiveAnswering(pointer, builder)
    builder.waits = Event()
    put(pointer, "second")
    seen: list[str | None] = []
    slow = Thread(target=lambda: seen.append(live.current().adapter))
    slow.start()
    while len(builder.before) < 2:
        pass
    assert live.current().adapter == "first"
    builder.waits.set()
    slow.join(10)
    assert seen == ["second"]
    assert live.current().adapter == "second"
