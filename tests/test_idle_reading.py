"""Documents are read while nobody asks: all of them or none, again when they change, and never in anybody's way."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ragvoice import idle_reading
from ragvoice.datatypes import Passage
from ragvoice.errors import GenerationError
from ragvoice.idle_reading import IdleReading, fits


class Documents:
    def __init__(self, *texts: str):
        self.texts = texts

    def every_passage(self) -> Iterator[Passage]:
        for text in self.texts:
            yield Passage(f"{text}.md", f"{text}.md", text, "", None, None, text, 0, 0.0)


class Reader:
    """A token a letter."""

    def __init__(self, kept_tokens: int = 100):
        self.kept_tokens = kept_tokens
        self.read: list[str] = []
        self.error: Exception | None = None

    def tokens(self, passage: Passage) -> int:
        return len(passage.text)

    def read_ahead(self, passage: Passage, wanted: Callable[[], bool]) -> bool:
        if self.error:
            raise self.error
        if not wanted():
            return False
        self.read.append(passage.text)
        return True


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    monkeypatch.setattr(idle_reading, "PAUSE_S", 0.001)
    monkeypatch.setattr(idle_reading, "AGAIN_S", 0.001)
    stopped, threads = threading.Event(), list[threading.Thread]()

    def begin(index: Any, answering: Any, nobody_asks: Callable[[], bool] = lambda: True) -> None:
        reading = IdleReading(index, answering, nobody_asks)
        threads.append(threading.Thread(target=reading.run, args=(stopped,)))
        threads[-1].start()

    yield begin
    stopped.set()
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_all_passages_are_read_once_and_again_when_there_are_others(run: Callable[..., None]) -> None:
    documents, reader = [Documents("pay", "leave")], Reader()
    run(lambda: documents[0], lambda: reader)
    until(lambda: len(reader.read) == 2)
    documents[0] = Documents("leave", "travel")
    until(lambda: len(reader.read) == 4)
    time.sleep(0.02)
    assert reader.read == ["pay", "leave", "leave", "travel"]


def test_another_adapter_reads_them_anew(run: Callable[..., None]) -> None:
    documents, readers = Documents("pay"), [Reader()]
    run(lambda: documents, lambda: readers[-1])
    until(lambda: readers[0].read == ["pay"])
    readers.append(Reader())
    until(lambda: readers[1].read == ["pay"])


def test_it_waits_while_somebody_asks_and_goes_on_where_it_was(run: Callable[..., None]) -> None:
    asks = [True]
    documents, reader = Documents("pay", "leave"), Reader()
    run(lambda: documents, lambda: reader, lambda: not asks[0])
    time.sleep(0.02)
    assert reader.read == []
    asks[0] = False
    until(lambda: reader.read == ["pay", "leave"])


def test_what_changes_while_it_waits_is_read_instead(run: Callable[..., None]) -> None:
    asks, documents, reader = [True], [Documents("pay")], Reader()
    run(lambda: documents[0], lambda: reader, lambda: not asks[0])
    time.sleep(0.02)
    documents[0] = Documents("travel")
    asks[0] = False
    until(lambda: "travel" in reader.read)


def test_more_than_is_kept_is_not_read(run: Callable[..., None]) -> None:
    documents: Any = Documents("pay", "leave")
    assert fits(documents, Reader(8))  # type: ignore[arg-type]
    assert not fits(documents, Reader(7))  # type: ignore[arg-type]
    assert not fits(documents, Reader(0))  # type: ignore[arg-type]
    reader = Reader(7)
    run(lambda: documents, lambda: reader)
    time.sleep(0.02)
    assert reader.read == []


def test_a_failure_is_told_once_and_tried_again(run: Callable[..., None], caplog: pytest.LogCaptureFixture) -> None:
    reader = Reader()
    reader.error = GenerationError("The language model failed: no memory")
    run(lambda: Documents("pay"), lambda: reader)
    until(lambda: "no memory" in caplog.text)
    time.sleep(0.02)
    assert caplog.text.count("no memory") == 1
    reader.error = None
    until(lambda: reader.read == ["pay"])
