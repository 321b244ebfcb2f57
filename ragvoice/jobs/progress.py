"""How far a command is, for whoever started it as a job: a small file beside its log."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ragvoice.files import write_whole

PROGRESS_FILE = "RAGVOICE_PROGRESS_FILE"
"""Environment variable: a command that knows how far it is keeps this file up to date."""
_EVERY_S = 0.5


@dataclass(frozen=True)
class Stage:
    name: str
    done: int
    total: int
    """0 when it is not known."""

    @property
    def fraction(self) -> float | None:
        return min(1.0, self.done / self.total) if self.total > 0 else None

    def __str__(self) -> str:
        return f"{self.name}: {self.done} of {self.total}" if self.total else f"{self.name}: {self.done}"


class StageFile:
    """Written at most twice a second and whenever a stage is complete; a full disk stops no command."""

    def __init__(self, file: Path):
        self._file = file
        self._stages: dict[str, tuple[int, int]] = {}
        self._written = float("-inf")

    @classmethod
    def of_environment(cls, environment: Mapping[str, str] = os.environ) -> StageFile | None:
        """None when nobody wants to know."""
        named = environment.get(PROGRESS_FILE)
        return cls(Path(named)) if named else None

    def report(self, stage: str, done: int, total: int) -> None:
        self._stages[stage] = (done, total)
        complete = 0 < total <= done
        if not complete and time.monotonic() - self._written < _EVERY_S:
            return
        self._written = time.monotonic()
        with contextlib.suppress(OSError):
            stages = json.dumps([[name, *counts] for name, counts in self._stages.items()])
            write_whole(self._file, stages, durable=False)


def read_stages(file: Path) -> tuple[Stage, ...]:
    """In the order in which they began; empty when nothing was reported yet."""
    try:
        rows = json.loads(file.read_text(encoding="utf-8"))
        return tuple(Stage(str(name), int(done), int(total)) for name, done, total in rows)
    except (OSError, ValueError, TypeError):
        return ()
