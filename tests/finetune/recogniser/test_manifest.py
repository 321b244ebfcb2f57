"""Reading and writing of manifests."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from finetune.recogniser.manifest import Clip, read_manifest, write_manifest
from ragvoice.errors import UsageError


def test_what_is_written_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.wav").touch()
    clips = [
        Clip("a.wav", "How long?", "train", 5.0, "joe", "1", ("leave.md",)),
        Clip("a.wav", "How long is “leave”?", "test", None, "joe", "2"),
    ]
    read = read_manifest(write_manifest(tmp_path, clips))
    assert read[0] == Clip(str(tmp_path / "a.wav"), "How long?", "train", 5.0, "joe", "1", ("leave.md",))
    assert (read[1].text, read[1].snr_db, read[1].documents) == ("How long is “leave”?", None, ())
    assert read == read_manifest(tmp_path)


def test_recordings_of_people_need_three_fields(tmp_path: Path) -> None:
    (tmp_path / "a.wav").touch()
    rows = [{"file": "a.wav", "text": "Hello.", "split": split} for split in ("train", "test")]
    (tmp_path / "manifest.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert [clip.question for clip in read_manifest(tmp_path)] == ["Hello.", "Hello."]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"file": "b.wav", "text": "x", "split": "train"}, "line 1 is no clip.*no recording b.wav"),
        ({"file": "a.wav", "text": " ", "split": "train"}, "text is empty"),
        ({"file": "a.wav", "text": "x", "split": "dev"}, "train or test, not 'dev'"),
        ({"file": "a.wav", "split": "train"}, "KeyError"),
        ([], "line 1 is no clip"),
        ({"file": "a.wav", "text": "x", "split": "train"}, "no clip of the split 'test'"),
    ],
)
def test_what_is_no_manifest(tmp_path: Path, row: object, said: str) -> None:
    (tmp_path / "a.wav").touch()
    (tmp_path / "manifest.jsonl").write_text(json.dumps(row))
    with pytest.raises(UsageError, match=said):
        read_manifest(tmp_path)


def test_no_manifest(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        read_manifest(tmp_path)
