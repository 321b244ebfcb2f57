"""Progress of long work, on stderr so that stdout stays for results."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from ragvoice.jobs.progress import StageFile

_LINE_EVERY_S = 30.0
"""Where stderr is no terminal: a log of a nightly job should show that it lives, and no more."""

Report = Callable[[str, int, int], None]
"""Called with (stage, done, total); a total of 0 is not known."""


@contextmanager
def stage_bars() -> Iterator[Report]:
    """A bar for each stage with its rate and the time left; where stderr is no terminal a line every half minute.

    Of a job the stages go into its progress file, too.
    """
    filed = StageFile.of_environment()
    with _shown() as shown:

        def report(stage: str, done: int, total: int) -> None:
            shown(stage, done, total)
            if filed:
                filed.report(stage, done, total)

        yield report


@contextmanager
def _shown() -> Iterator[Report]:
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _Lines().report
        return
    bars: dict[str, TaskID] = {}
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), _Rate(), TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=console, transient=True) as progress:

        def report(stage: str, done: int, total: int) -> None:
            if stage not in bars:
                bars[stage] = progress.add_task(stage, total=total or None)
            progress.update(bars[stage], completed=done, total=total or None)

        yield report


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{speed:,.1f}/s" if speed else "")


class _Lines:
    def __init__(self) -> None:
        self._started: dict[str, float] = {}
        self._said = time.monotonic()

    def report(self, stage: str, done: int, total: int) -> None:
        now = time.monotonic()
        started = self._started.setdefault(stage, now)
        if now - self._said < _LINE_EVERY_S:
            return
        self._said = now
        rate = done / (now - started) if now > started else 0.0
        left = f", {(total - done) / rate:.0f} s left" if rate and total > done else ""
        print(f"{stage}: {done} of {total or '?'}, {rate:.1f}/s{left}", file=sys.stderr, flush=True)
