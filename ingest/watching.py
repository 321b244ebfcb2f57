"""`ragvoice ingest --watch`: follow the folders until the process is told to stop."""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from ingest.summary import IngestSummary
from ragvoice.errors import RagVoiceError

_QUIET_MS = 1_500
"""A run begins when nothing has changed for so long: an editor or a copy writes a file several times."""
_LOOK_ANYWAY_S = 60.0
"""Network shares tell nothing of what other machines change; an unchanged folder costs a stat for each file."""
_WAKE_MS = 1_000

_log = logging.getLogger(__name__)


def watch(
    paths: Sequence[Path],
    index: Path,
    run: Callable[[], IngestSummary],
    before: IngestSummary,
    show: Callable[[IngestSummary], None],
    complain: Callable[[str], None],
    stop: threading.Event | None = None,
) -> None:
    """Begins with a run: what has changed since the one before, the system tells nobody. Returns when `stop` is set, or
    at SIGINT or SIGTERM.

    :param run: One ingest.
    :param before: What the last run came to.
    :param show: Called with the summary of each run that changed something, or skipped other files than the one before.
    :param complain: Called with what went wrong, once while it stays the same; then the next change is tried.
    """
    from watchfiles import watch as changes

    logging.getLogger("watchfiles").setLevel(logging.WARNING)
    stop = stop or threading.Event()
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, lambda *_: stop.set())
    watched = {path if path.is_dir() else path.parent for path in (path.expanduser().resolve() for path in paths)}
    inside = _Relevant(index.resolve())
    said, look_at = "", 0.0
    for changed in changes(
        *watched,
        watch_filter=inside,
        debounce=_QUIET_MS,
        step=200,
        stop_event=stop,
        rust_timeout=_WAKE_MS,
        yield_on_timeout=True,
        raise_interrupt=False,
        ignore_permission_denied=True,
    ):
        if not changed and time.monotonic() < look_at:
            continue
        look_at = time.monotonic() + _LOOK_ANYWAY_S
        try:
            summary = run()
            said = ""
        except RagVoiceError as error:
            if str(error) != said:
                complain(str(error))
            said = str(error)
            continue
        if summary.added or summary.changed or summary.removed or summary.skipped != before.skipped:
            show(summary)
        before = summary


class _Relevant:
    """Which changes may matter to the index: not its own files, and not what a walk leaves out anyway."""

    def __init__(self, index: Path):
        self._index = index

    def __call__(self, _: object, path: str) -> bool:
        changed = Path(path)
        return not changed.is_relative_to(self._index) and not changed.name.startswith((".", "~$"))
