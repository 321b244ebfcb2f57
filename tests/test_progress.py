"""Progress where nobody watches a terminal."""

from __future__ import annotations

import pytest

from ragvoice.commands import progress


def test_a_log_gets_a_line_now_and_then_with_rate_and_time_left(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = 100.0
    monkeypatch.setattr(progress.time, "monotonic", lambda: now)
    with progress.stage_bars() as report:
        for second in range(0, 61, 10):
            now = 100.0 + second
            report("embed", 5 * second, 600)
    assert capsys.readouterr().err.splitlines() == [
        "embed: 150 of 600, 5.0/s, 90 s left",
        "embed: 300 of 600, 5.0/s, 60 s left",
    ]
