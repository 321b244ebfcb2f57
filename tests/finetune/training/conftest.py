from __future__ import annotations

from pathlib import Path

import pytest
from byte_model import make_byte_model
from training_runs import make_run


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model that all runs train; read only. Its layers are wide enough for the blocks of 64 of 4-bit weights."""
    return make_byte_model(tmp_path_factory.mktemp("training") / "base", "llama", intermediate_size=128)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return make_run(tmp_path / "tiny")
