"""An iterator run in a thread of its own, so that a slow or vanished reader holds nothing up."""

from __future__ import annotations

import threading
from collections.abc import Generator
from queue import SimpleQueue
from typing import TypeVar

T = TypeVar("T")


def in_background(source: Generator[T], name: str) -> Generator[T]:
    """The items of `source` in their order; it runs ahead of the reader. Its error is raised here.

    When this iterator is closed, the source is closed at its next item.

    :param name: Of the thread.
    """
    items: SimpleQueue[tuple[T] | BaseException | None] = SimpleQueue()
    given_up = threading.Event()

    def run() -> None:
        end: BaseException | None = None
        try:
            for item in source:
                if given_up.is_set():
                    break
                items.put((item,))
        except BaseException as error:
            end = error
        finally:
            source.close()
            items.put(end)

    threading.Thread(target=run, name=name, daemon=True).start()
    try:
        while (item := items.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item[0]
    finally:
        given_up.set()
