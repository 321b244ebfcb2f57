"""Files are whole or not there; sizes in words."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from ragvoice.files import megabytes, replacing, write_json, write_whole


def names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def test_the_old_content_is_there_until_the_new_is_whole(tmp_path: Path) -> None:
    file = tmp_path / "a.toml"
    write_whole(file, "old")
    with replacing(file) as out:
        out.write("né".encode())
        assert file.read_text() == "old"
    assert file.read_text(encoding="utf-8") == "né"
    assert names(tmp_path) == ["a.toml"]


@pytest.mark.parametrize("moment", ["while it is written", "when it gets its name"])
def test_after_an_error_the_old_content_stays_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    file = tmp_path / "a.toml"
    write_whole(file, "old")
    monkeypatch.setattr(
        "ragvoice.files.os.fsync" if moment == "while it is written" else "ragvoice.files.os.replace", full
    )
    with pytest.raises(OSError, match="No space"):
        write_whole(file, "new")
    assert file.read_text() == "old"
    assert names(tmp_path) == ["a.toml"]


def test_a_new_file_has_the_mode_that_was_asked_for_and_a_replaced_one_keeps_its_own(tmp_path: Path) -> None:
    file = tmp_path / "people.toml"
    write_whole(file, "a", mode=0o600)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    file.chmod(0o640)
    write_whole(file, "b", mode=0o666)
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    umask = os.umask(0o027)
    try:
        write_whole(tmp_path / "b", "b")
    finally:
        os.umask(umask)
    assert stat.S_IMODE((tmp_path / "b").stat().st_mode) == 0o640


def test_json_makes_its_folder(tmp_path: Path) -> None:
    write_json(tmp_path / "new" / "a.json", {"a": 1})
    assert (tmp_path / "new" / "a.json").read_text() == '{\n "a": 1\n}\n'


@pytest.mark.parametrize(("size", "said"), [(400_000, "0.4 MB"), (12e6, "12 MB"), (1.26e9, "1.3 GB")])
def test_sizes_in_words(size: float, said: str) -> None:
    assert megabytes(size) == said
