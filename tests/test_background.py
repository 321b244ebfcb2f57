"""The source runs whether or not anybody reads, keeps its order, and ends when nobody wants it."""

from __future__ import annotations

import threading
from collections.abc import Generator

import pytest

from ragvoice.background import in_background


def test_items_come_in_order_and_an_error_behind_them() -> None:
    def source() -> Generator[int]:
        yield from (1, 2)
        raise ValueError("at three")

    items = in_background(source(), "test")
    assert [next(items), next(items)] == [1, 2]
    with pytest.raises(ValueError, match="at three"):
        next(items)


def test_the_source_ends_before_its_last_item_is_read() -> None:
    closed = threading.Event()

    def source() -> Generator[int]:
        try:
            yield from (1, 2, 3)
        finally:
            closed.set()

    items = in_background(source(), "test")
    assert next(items) == 1
    assert closed.wait(10)
    assert list(items) == [2, 3]


def test_a_closed_reader_ends_the_source_at_its_next_item() -> None:
    go_on, closed, reached = threading.Event(), threading.Event(), list[int]()

    def source() -> Generator[int]:
        try:
            yield 1
            go_on.wait(10)
            yield 2
            reached.append(3)
        finally:
            closed.set()

    items = in_background(source(), "test")
    assert next(items) == 1
    items.close()
    go_on.set()
    assert closed.wait(10)
    assert reached == []
