"""What the benchmark of the recogniser hears where the visible recordings are not."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.speech import kinds


def test_without_the_visible_recordings_the_sample_company_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RAGVOICE_EVAL_DATA", str(tmp_path))
    assert [kind for kind, _ in kinds(["Tarnfeld"], 1)] == ["sample company", "own words, espeak-ng"]
    assert "left out" in capsys.readouterr().err
