"""Names, files and hashes of a run's folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from finetune.run_folder import RunFolder, all_runs, append_line, read_lines, runs_folder
from ragvoice.errors import UsageError


@pytest.fixture(autouse=True)
def home(clean_environment: Path) -> Path:
    return clean_environment.parent / "home"


def test_a_run_has_a_name_and_not_a_path(home: Path) -> None:
    assert RunFolder.named("a-1.b_2").path == home / "finetune" / "a-1.b_2"
    for name in ("../x", "a/b", "", ".hidden"):
        with pytest.raises(UsageError, match="no name of a run"):
            RunFolder.named(name)
    assert all_runs() == []
    for name in ("b", "a", ".tmp"):
        (runs_folder() / name).mkdir(parents=True)
    assert [run.name for run in all_runs()] == ["a", "b"]
    assert RunFolder.existing("runs/a.toml") == RunFolder.existing("a")
    with pytest.raises(UsageError, match="The runs: a, b"):
        RunFolder.existing("c")


def test_a_line_that_a_kill_cut_off_is_left_out(home: Path) -> None:
    file = home / "metrics.jsonl"
    assert read_lines(file) == []
    append_line(file, {"step": 1})
    append_line(file, {"step": 2})
    with file.open("a") as out:
        out.write('{"step"')
    assert [row["step"] for row in read_lines(file)] == [1, 2]
    file.write_text('{"step"\n{"step": 2}\n')
    with pytest.raises(UsageError, match="line 1 is not"):
        read_lines(file)


def test_the_hash_of_an_adapter_follows_its_files_and_not_the_confidence() -> None:
    run = RunFolder.named("run")
    run.adapter.mkdir(parents=True)
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        (run.adapter / name).write_text("{}")
    with pytest.raises(UsageError, match="has no adapter yet"):
        run.adapter_sha256()
    (run.adapter / "ragvoice.json").write_text('{"base": "b"}')
    first = run.adapter_sha256()
    (run.adapter / "confidence.json").write_text("{}")
    assert run.adapter_sha256() == first
    (run.adapter / "ragvoice.json").write_text('{"base": "other"}')
    assert run.adapter_sha256() != first
