"""A folder belongs to one run: it says what the run was started with, and another start into it is refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ragvoice.errors import UsageError
from ragvoice.files import write_json


def begin(folder: Path, started_with: Mapping[str, Any], *, fresh: bool) -> None:
    """Make the folder, or find that it is of the same run.

    :param fresh: Delete what an earlier run left in it.
    :raises UsageError: when it holds another run.
    """
    file = folder / "run.json"
    if fresh and file.is_file():
        shutil.rmtree(folder)
    if file.is_file():
        before = json.loads(file.read_text(encoding="utf-8"))
        other = [name for name, value in started_with.items() if before.get(name) != value]
        if other:
            raise UsageError(
                f"{folder} holds a run with another {', '.join(other)}. Name another folder with --out, or begin anew "
                "with --fresh."
            )
    folder.mkdir(parents=True, exist_ok=True)
    write_json(file, dict(started_with))
