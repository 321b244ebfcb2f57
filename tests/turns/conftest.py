"""A log in a folder of its own; its clock stands at noon."""

from __future__ import annotations

from pathlib import Path

import pytest
from sample_turns import NOON

from ragvoice.turns.log import TurnLog


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "home" / "turns.sqlite"


@pytest.fixture
def log(file: Path) -> TurnLog:
    return TurnLog(file, 90, lambda: NOON)
