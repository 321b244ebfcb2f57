"""One process at a time makes what stands in a run's folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ragvoice.errors import UsageError


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Held by the first process of a training; the system lets go of it when the process is killed.

    The lock stands beside the folder, which may be deleted meanwhile.

    :raises UsageError: when another process holds it.
    """
    from filelock import FileLock, Timeout

    if int(os.environ.get("RANK", "0")) != 0:
        yield
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder.with_name(f".{folder.name}.lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise UsageError(
            f"The run {folder.name} is being trained, or its data made, by another process. Wait for it, or end it."
        ) from error
    try:
        yield
    finally:
        lock.release()
