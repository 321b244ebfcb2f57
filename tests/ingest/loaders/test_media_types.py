"""What a file is, whatever its name says."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from ingest.loaders.media_types import Kind, kind_of
from ragvoice.errors import DocumentError

MAIL = b"Received: x\nFrom: a@example.com\nTo: b@example.com\nSubject: c\n\nText"


@pytest.mark.parametrize(
    ("name", "data", "kind"),
    [
        ("a.txt", b"%PDF-1.7 x", Kind.PDF),
        ("a.txt", b"{\\rtf1 x}", Kind.RTF),
        ("a.txt", b"\x1f\x8b\x08\x00", Kind.GZIP),
        ("a.txt", b"\x89PNG\r\n\x1a\n\0", Kind.IMAGE),
        ("a.txt", b"\xff\xd8\xff\xe0\0", Kind.IMAGE),
        ("a.txt", b"RIFF\x00\x00\x00\x00WEBPVP8 ", Kind.IMAGE),
        ("a.txt", b"\0\0\0\x18ftypheic\0", Kind.IMAGE),
        ("a.txt", b"RIFF\x00\x00\x00\x00WAVEfmt ", Kind.RECORDING),
        ("a.txt", b"ID3\x03\x00\x00\x00", Kind.RECORDING),
        ("a.txt", b"\xff\xfb\x90\x64\0\0", Kind.RECORDING),
        ("a.txt", b"\0\0\0\x20ftypM4A \0", Kind.RECORDING),
        ("a.txt", b"OggS\x00\x02", Kind.RECORDING),
        ("a.txt", b"\x1aE\xdf\xa3\x01", Kind.RECORDING),
        ("a.txt", b"<?xml version='1.0'?>\n<!-- x --><html><p>x", Kind.HTML),
        ("a.txt", MAIL, Kind.MAIL),
        ("letter", MAIL, Kind.MAIL),
        ("a.md", MAIL, Kind.MARKDOWN),
        ("inbox", b"From a@example.com Sat Jan  3 01:05:34 2026\n" + MAIL, Kind.MBOX),
        ("a.eml", b"From a@example.com Sat Jan  3 01:05:34 2026\n" + MAIL, Kind.MAIL),
        ("a.eml", b"no header at all", Kind.MAIL),
        ("a.htm", b"no tag at all", Kind.HTML),
        ("a.md", b"<div>HTML in Markdown</div>", Kind.MARKDOWN),
        ("a.csv", b"a,b", Kind.DELIMITED),
        ("a.JSON", b"{}", Kind.JSON),
        ("a.ndjson", b"{}", Kind.JSONL),
        ("corpus.jsonl", b"{}", Kind.CORPUS),
        ("a.py", b"import os", Kind.TEXT),
        ("README", b"ID3 tags and BM25 and II* are words.", Kind.TEXT),
        ("a.txt", "ÿþ is no byte order mark".encode(), Kind.TEXT),
        ("minutes.txt", b"Date: today\n\nSubject of the meeting", Kind.TEXT),
    ],
)
def test_the_content_decides(tmp_path: Path, name: str, data: bytes, kind: Kind) -> None:
    (tmp_path / name).write_bytes(data)
    assert kind_of(tmp_path / name) == kind


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32"])
def test_marks_of_text_are_seen_in_wide_encodings(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "a.txt").write_bytes("<!doctype html><p>x</p>".encode(encoding))
    assert kind_of(tmp_path / "a.txt") == Kind.HTML


@pytest.mark.parametrize(
    ("member", "kind"),
    [
        ("word/document.xml", Kind.DOCX),
        ("ppt/presentation.xml", Kind.PPTX),
        ("xl/workbook.xml", Kind.XLSX),
        ("xl/workbook.bin", Kind.LEGACY),
        ("visio/document.xml", None),
    ],
)
def test_members_tell_packages_apart(tmp_path: Path, member: str, kind: Kind | None) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr(member, "<x/>")
    if kind is None:
        with pytest.raises(DocumentError, match="unsupported"):
            kind_of(tmp_path / "a.zip")
    else:
        assert kind_of(tmp_path / "a.zip") == kind


def test_a_character_cut_at_the_end_of_the_sample_does_no_harm(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes("ä".encode() * 40_000 + b"x")
    (tmp_path / "b.txt").write_bytes(b"x" + "ä".encode() * 40_000)
    assert kind_of(tmp_path / "a.txt") == kind_of(tmp_path / "b.txt") == Kind.TEXT
