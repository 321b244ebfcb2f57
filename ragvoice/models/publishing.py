"""How a finished folder becomes visible: by one rename."""

from __future__ import annotations

import os
import shutil
from pathlib import Path


def publish(folder: Path, target: Path, mode: int = 0o755) -> None:
    """Give a finished folder its final name; one rename, or two where an older one has to go first.

    :param mode: Of the folder.

    Both lie on the same file system. The old content stays readable for processes that have it open.
    """
    for path in folder.rglob("*"):
        # Some writers make files that only their owner can read; the service often runs as somebody else.
        path.chmod(0o755 if path.is_dir() else 0o644)
    folder.chmod(mode)
    target.parent.mkdir(parents=True, exist_ok=True)
    old = folder.with_name(f"{folder.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if target.exists():
        os.rename(target, old)
    os.rename(folder, target)
    shutil.rmtree(old, ignore_errors=True)
