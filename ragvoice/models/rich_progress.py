"""Pull progress as bars on the terminal's error stream, so that standard output stays clean for data."""

from __future__ import annotations

from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TransferSpeedColumn

from ragvoice.models.progress import PullEvent


class RichPullProgress:
    """One line a model. A context manager: the bars are drawn between entry and exit.

    with RichPullProgress() as progress:
        store.pull(None, progress)
    """

    def __init__(self, console: Console | None = None) -> None:
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            DownloadColumn(),
            TransferSpeedColumn(),
            TextColumn("{task.fields[stage]}", style="dim"),
            console=console or Console(stderr=True),
        )
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> RichPullProgress:
        self._bars.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._bars.stop()

    def update(self, event: PullEvent) -> None:
        task = self._tasks.get(event.model)
        if task is None:
            task = self._tasks[event.model] = self._bars.add_task(event.model, total=None, stage="")
        if event.total_bytes:
            self._bars.update(task, completed=event.done_bytes, total=event.total_bytes, stage=event.stage)
        else:
            self._bars.update(task, stage=event.stage)
