"""What is kept, for how long, and who goes first: with a generator that notes what it is asked, and a real one."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ragvoice.generation import kept_prefixes
from ragvoice.generation.kept_prefixes import KeptPrefixes

FRONT, OTHER, REST = ["a", "b", "c"], ["d", "e"], ["q"]


class NotingGenerator:
    """Takes a moment to be idle again, like CTranslate2, which unloads nothing before."""

    def __init__(self, fails: bool = False) -> None:
        self.calls: list[tuple[list[str] | None, bool]] = []
        self.loaded = 0
        self.model_is_loaded = True
        self.fails = fails
        self.load_fails: Exception | None = None
        self._busy = 0

    @property
    def num_active_batches(self) -> int:
        self._busy = max(0, self._busy - 1)
        return self._busy

    def generate_tokens(
        self,
        prompt: list[str],
        *,
        static_prompt: list[str] | None,
        cache_static_prompt: bool,
        callback: Callable[[Any], bool],
        **options: Any,
    ) -> Iterator[str]:
        assert self.model_is_loaded
        self.calls.append((static_prompt, cache_static_prompt))
        self._busy = 3
        if self.fails:
            raise RuntimeError("out of memory")
        for number in range(2):
            callback(number)
            yield "token"

    def unload_model(self) -> None:
        self.model_is_loaded = self._busy > 0

    def load_model(self) -> None:
        if self.load_fails:
            raise self.load_fails
        self.model_is_loaded = True
        self.loaded += 1


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "model.bin").touch()
    return tmp_path


def test_a_front_is_read_ahead_once_and_used_by_the_stream_that_has_it(folder: Path) -> None:
    generator = NotingGenerator()
    kept = KeptPrefixes(generator, folder, most_tokens=10)
    assert kept.keep(FRONT, "q")
    assert kept.keep(FRONT, "r")
    for front in (FRONT, OTHER, []):
        with kept.stream(front, REST) as steps:
            assert list(steps) == ["token", "token"]
    # one that was not asked to be kept is not kept: nothing would ever drop it
    assert generator.calls == [(FRONT, True), (FRONT, True), (OTHER, False), (None, False)]


def test_nothing_is_read_ahead_while_somebody_is_answered(folder: Path) -> None:
    generator = NotingGenerator()
    kept = KeptPrefixes(generator, folder, most_tokens=10)
    with kept.stream(OTHER, REST) as steps:
        next(steps)
        assert not kept.keep(FRONT, "q")
    assert kept.keep(FRONT, "q")
    assert generator.calls == [(OTHER, False), (FRONT, True)]


def test_before_too_much_is_kept_everything_is_forgotten(folder: Path) -> None:
    generator = NotingGenerator()
    kept = KeptPrefixes(generator, folder, most_tokens=4)
    assert kept.keep(FRONT, "q")
    assert kept.keep(OTHER, "q")
    assert generator.loaded == 1
    with kept.stream(FRONT, REST) as steps:
        list(steps)
    assert generator.calls == [(FRONT, True), (OTHER, True), (FRONT, False)]
    assert not kept.keep([*FRONT, *OTHER], "q"), "alone it is too long"
    assert generator.loaded == 1


def test_a_model_whose_files_are_gone_is_not_unloaded(tmp_path: Path) -> None:
    generator = NotingGenerator()
    kept = KeptPrefixes(generator, tmp_path, most_tokens=4)
    assert kept.keep(FRONT, "q")
    assert not kept.keep(OTHER, "q")
    assert (generator.loaded, generator.model_is_loaded) == (0, True)


def test_a_front_that_could_not_be_read_is_not_kept(folder: Path) -> None:
    generator = NotingGenerator(fails=True)
    kept = KeptPrefixes(generator, folder, most_tokens=10)
    with pytest.raises(RuntimeError, match="out of memory"):
        kept.keep(FRONT, "q")
    generator.fails = False
    with kept.stream(FRONT, REST) as steps:
        list(steps)
    assert generator.calls == [(FRONT, True), (FRONT, False)]
    assert kept.keep(FRONT, "q"), "and nobody is at work any more"


@pytest.mark.parametrize("reason", [RuntimeError("no such file"), MemoryError("bad allocation")])
def test_a_model_that_could_not_be_loaded_again_is_loaded_for_the_next_question(
    folder: Path, reason: Exception
) -> None:
    generator = NotingGenerator()
    kept = KeptPrefixes(generator, folder, most_tokens=4)
    assert kept.keep(FRONT, "q")
    generator.load_fails = reason
    with pytest.raises(RuntimeError, match=f"cannot be loaded again .{reason}"):
        kept.keep(OTHER, "q")
    with pytest.raises(RuntimeError, match="next question"), kept.stream(FRONT, REST):
        pass
    generator.load_fails = None
    with kept.stream(FRONT, REST) as steps:
        assert list(steps) == ["token", "token"]
    assert generator.calls[-1] == (FRONT, False), "what was kept is gone"
    assert kept.keep(OTHER, "q"), "and nobody is at work any more"


def test_ctranslate2_waits_while_a_token_is_dealt_with(
    default_ctranslate2: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import ctranslate2

    generator = ctranslate2.Generator(str(default_ctranslate2), intra_threads=1)
    written = list[int]()
    held = queue.SimpleQueue[int]()

    class NotingSemaphore(threading.Semaphore):
        def acquire(self, blocking: bool = True, timeout: float | None = None) -> bool:
            if super().acquire(blocking=False):
                return True
            held.put(len(written))
            return super().acquire(blocking, timeout)

    class NotingPace(kept_prefixes._Pace):
        def __init__(self) -> None:
            super().__init__()
            self._turn = NotingSemaphore(1)

    class Watched:
        model_is_loaded = True

        def generate_tokens(self, prompt: list[str], callback: Callable[[Any], bool], **options: Any) -> Iterator[Any]:
            def noted(step: Any) -> bool:
                written.append(step.step)
                return callback(step)

            return generator.generate_tokens(prompt, callback=noted, **options)  # type: ignore[no-any-return]

    monkeypatch.setattr(kept_prefixes, "_Pace", NotingPace)
    kept = KeptPrefixes(Watched(), default_ctranslate2, most_tokens=0)
    with kept.stream([], ["The"], max_length=40) as steps:
        for _ in range(3):
            next(steps)
        while held.get(timeout=10) < 4:
            pass
    assert len(written) <= 5, "the rest was given up"
    with kept.stream([], ["The"], max_length=20, end_token=[]) as steps:
        assert len(list(steps)) == 20


def test_ctranslate2_answers_as_before_after_it_was_made_to_forget(default_ctranslate2: Path) -> None:
    import ctranslate2
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(default_ctranslate2 / "tokenizer.json"))
    fronts = [tokenizer.encode(f"{number} is a number. The capital of").tokens for number in range(6)]
    rest = tokenizer.encode(" France is").tokens
    generator = ctranslate2.Generator(str(default_ctranslate2), intra_threads=1)
    kept = KeptPrefixes(generator, default_ctranslate2, most_tokens=20)

    def ids(front: list[str]) -> list[int]:
        with kept.stream(front, rest, max_length=4) as steps:
            return [step.token_id for step in steps]

    before = [ids(front) for front in fronts]
    assert all(kept.keep(front, rest[0]) for front in fronts)
    assert [ids(front) for front in fronts] == before
    assert len(kept._kept) == 20 // len(fronts[-1])
