"""`ragvoice ingest --watch` as a process: it follows what people do to the folder until it is told to stop."""

from __future__ import annotations

import json
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

Next = Callable[[], dict[str, Any]]


@pytest.fixture
def documents(tmp_path: Path) -> Path:
    folder = tmp_path / "documents"
    folder.mkdir()
    (folder / "leave.md").write_text("# Leave\n\nEverybody gets 25 days of leave.\n")
    return folder


@pytest.fixture
def watching(documents: Path, tmp_path: Path, model_home: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "ragvoice", "ingest", str(documents), "--index", str(documents / "index"), "--watch",
         "--json"],
        stdout=subprocess.PIPE, stderr=(tmp_path / "stderr").open("w"), text=True, cwd=tmp_path,
    )  # fmt: skip
    yield process
    process.kill()
    process.wait()


@pytest.fixture
def following(watching: subprocess.Popen[str]) -> Next:
    """The next summary that it prints."""
    summaries: queue.Queue[str] = queue.Queue()

    def read() -> None:
        assert watching.stdout is not None
        for line in watching.stdout:
            summaries.put(line)

    threading.Thread(target=read, daemon=True).start()
    return lambda: json.loads(summaries.get(timeout=90))  # type: ignore[no-any-return]


def counted(summary: dict[str, Any]) -> tuple[int, int, int]:
    return summary["added"], summary["changed"], summary["removed"]


def test_changes_are_followed_and_trouble_is_survived(
    documents: Path, tmp_path: Path, watching: subprocess.Popen[str], following: Next
) -> None:
    assert counted(following()) == (1, 0, 0)  # with the index in the folder, whose own files must not wake it
    (documents / "pay.md").write_text("# Pay\n\nSalaries are paid on the 26th.\n")
    assert counted(following()) == (1, 0, 0)
    (documents / "leave.md").write_text("# Leave\n\nEverybody gets 28 days of leave.\n")
    assert counted(following()) == (0, 1, 0)
    moved = documents.rename(tmp_path / "away")
    moved.rename(documents)
    (documents / "pay.md").unlink()
    assert counted(following()) == (0, 0, 1)
    (documents / "scan.pdf").write_bytes(b"%PDF-1.7 and no more")
    assert [skipped["doc_id"] for skipped in following()["skipped"]] == ["scan.pdf"]
    watching.send_signal(signal.SIGTERM)
    assert watching.wait(timeout=30) == 0
    assert "Traceback" not in (tmp_path / "stderr").read_text()
