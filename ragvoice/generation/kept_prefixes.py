"""A CTranslate2 generator that has read the front of some prompts already.

CTranslate2 4.8 keeps what it computed for a `static_prompt` under exactly these tokens: of a longer one that begins
with a kept one, everything is read again. Nothing is ever dropped (OpenNMT/CTranslate2 issue 1450), and a token of the
default model takes 0.2 MiB, since the keys and values of its 2 heads are stored once for each of its 14 query heads.
Only loading the model again makes it forget (docs/experiments.md, 2026-11-24).
"""

from __future__ import annotations

import atexit
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

_IDLE_S = 0.5
"""That the generator may need to notice that its last stream has ended."""

_PATIENCE_S = 5.0
"""Longer than the voice needs for a sentence."""


class KeptPrefixes:
    """For any thread.

    It also ends before the interpreter does: CTranslate2's thread lets go of a stream's Python callback shortly after
    the last token, and when the interpreter is shutting down by then, the process aborts (exit code 134) although
    everything was answered.
    """

    def __init__(self, generator: Any, model_path: Path, *, most_tokens: int):
        """
        :param generator: `ctranslate2.Generator`.
        :param model_path: Its folder, from which it is loaded again.
        :param most_tokens: Of all prefixes together that are kept at a time.
        """
        self._generator = generator
        self._weights = model_path / "model.bin"
        self._most_tokens = most_tokens
        self._kept = set[tuple[str, ...]]()
        self._at_work = 0
        self._lock = threading.Lock()
        self._streams: weakref.WeakKeyDictionary[Any, _Pace] = weakref.WeakKeyDictionary()
        _open.add(self)

    @contextmanager
    def stream(self, front: list[str], rest: list[str], **options: Any) -> Iterator[Iterator[Any]]:
        """The steps of a generation; leaving the block ends the work after the token in progress.

        While whoever reads them is busy with one, no more than the next is computed: on two cores the voice takes
        about three times as long beside a model that writes on.

        The prompt is read in the same two pieces whether the front is kept or not. Under int8 that makes the same
        answer to the bit; read in other pieces, one prompt in a few gets other words.

        :raises RuntimeError: when the model had to be loaded again and cannot be; the next stream tries once more.
        """
        with self._lock:
            if not self._generator.model_is_loaded:
                self._load()
            self._at_work += 1
            kept = tuple(front) in self._kept
        pace = _Pace()
        steps = self._generator.generate_tokens(
            rest,
            static_prompt=front or None,
            cache_static_prompt=kept,
            sampling_topk=1,
            callback=pace.wait,
            **options,
        )
        self._streams[steps] = pace
        try:
            yield pace.led(steps)
        finally:
            pace.end()
            steps.close()
            with self._lock:
                self._at_work -= 1

    def keep(self, front: list[str], next_token: str) -> bool:
        """Read a front and keep it; returns whether it is kept.

        Declines while the generator is at work, so a stream waits for one front at most. Before the fronts take too
        much memory, the model is loaded again without any.

        :raises RuntimeError, ValueError: from CTranslate2.
        """
        key = tuple(front)
        with self._lock:
            if key in self._kept:
                return True
            if not front or self._at_work or len(front) > self._most_tokens:
                return False
            if sum(map(len, self._kept)) + len(front) > self._most_tokens and not self._forget():
                return False
            self._kept.add(key)
        try:
            with self.stream(front, [next_token], max_length=1) as steps:
                list(steps)
        except BaseException:
            with self._lock:
                self._kept.discard(key)
            raise
        return True

    def _forget(self) -> bool:
        """Whether it could: CTranslate2 unloads no model while it believes to be at work."""
        deadline = time.monotonic() + _IDLE_S
        while self._generator.num_active_batches and time.monotonic() < deadline:
            time.sleep(0.001)
        if not self._weights.is_file():
            return False
        self._generator.unload_model()
        if self._generator.model_is_loaded:
            return False
        self._kept.clear()
        self._load()
        return True

    def _load(self) -> None:
        try:
            self._generator.load_model()
        except (RuntimeError, ValueError, MemoryError) as error:
            raise RuntimeError(
                f"{self._weights.parent.name} was unloaded to free its memory and cannot be loaded again ({error}). "
                "The next question tries once more."
            ) from error

    def close(self) -> None:
        for steps, pace in list(self._streams.items()):
            pace.end()
            with suppress(ValueError):  # a daemon thread is reading it this moment
                steps.close()
        self._generator = None  # waits for its threads


class _Pace:
    """Lets a generator write on when the token before was dealt with."""

    def __init__(self) -> None:
        self._turn = threading.Semaphore(1)
        self._ended = False

    def led(self, steps: Iterator[Any]) -> Iterator[Any]:
        for step in steps:
            yield step
            self._turn.release()

    def wait(self, step: Any) -> bool:
        """For CTranslate2, after each token; whoever has forgotten the stream keeps nobody else waiting for long."""
        if not self._ended and not self._turn.acquire(timeout=_PATIENCE_S):
            self.end()
        return False

    def end(self) -> None:
        self._ended = True
        self._turn.release()


_open: weakref.WeakSet[KeptPrefixes] = weakref.WeakSet()


@atexit.register
def _close_all() -> None:
    for kept in list(_open):
        kept.close()
