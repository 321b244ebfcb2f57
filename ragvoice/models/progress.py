"""What a pull reports while it works; `rich_progress` draws it, tests collect it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class PullEvent:
    model: str
    stage: str
    """What is going on, for a person: `downloading x.whl`, `waiting for another process`."""
    done_bytes: int = 0
    total_bytes: int = 0
    """Of this model's source; 0 where the length of the stage is not known."""


class PullProgress(Protocol):
    def update(self, event: PullEvent) -> None:
        """Called often, from the pulling thread; must return at once."""


class Silent:
    """Drops every event."""

    def update(self, event: PullEvent) -> None:
        return None
