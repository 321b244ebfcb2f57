"""Files in OLE containers: Outlook messages with what is attached, and passwords of every generation of Office."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from ole_file import Tree, ole

from ingest.loaders import load
from ragvoice.errors import DocumentError


def message(subject: str, body: str, **more: bytes | Tree) -> Tree:
    """2026-01-02 03:04:05 UTC; properties that are given by number, such as `_0E04001F`, and attachments."""
    sent = struct.pack("<HHIQ", 0x0040, 0x0039, 0, 134_117_966_450_000_000)
    texts = {"001A": "IPM.Note", "0037": subject, "1000": body, "0C1A": "Ada", "0C1F": "ada@example.com"}
    tree: Tree = {f"__substg1.0_{number}001F": text.encode("utf-16-le") for number, text in texts.items() if text}
    return {**tree, "__properties_version1.0": bytes(32) + sent, **more}


def attachment(name: str, content: bytes | Tree) -> Tree:
    kind = "0102" if isinstance(content, bytes) else "000D"
    return {
        "__properties_version1.0": b"\0" * 8,
        "__substg1.0_3707001F": name.encode("utf-16-le"),
        "__substg1.0_3001001F": name.encode("utf-16-le"),
        f"__substg1.0_3701{kind}": content,
    }


def test_a_message_and_all_that_is_attached_to_it(tmp_path: Path) -> None:
    inner = message(
        "Inner", "Deep.", **{"__attach_version1.0_#00000000": attachment("deep.txt", b"deepest".ljust(4096))}
    )
    inner["__properties_version1.0"] = bytes(24)
    outer = message(
        "Gate",
        "Closes at six.\r\nAlways.",
        **{
            "__substg1.0_0E04001F": "Bob".encode("utf-16-le"),
            "__attach_version1.0_#00000000": attachment("Inner", inner),
            "__attach_version1.0_#00000001": attachment("times.csv", b"day,hour\nMon,18\n".ljust(4096, b"\n")),
            "__attach_version1.0_#00000002": attachment("times.csv", b"\x01\x00\x02"),
        },
    )
    (tmp_path / "a.msg").write_bytes(ole(outer))
    first, *parts = load(tmp_path / "a.msg")
    assert first.page_content == (
        "# Gate\n\nFrom: Ada <ada@example.com>\nTo: Bob\nDate: 2026-01-02 03:04 UTC\n\nCloses at six.\nAlways."
    )
    assert first.metadata["created"] == "2026-01-02T03:04:05+00:00"
    assert [part.metadata["part"] for part in parts] == ["Inner", "Inner!/deep.txt", "times.csv", "times (2).csv"]
    assert parts[0].page_content.endswith("Deep.")
    assert "| Mon | 18 |" in parts[2].page_content
    assert "unsupported" in parts[3].metadata["skipped"]


def test_an_html_message_and_an_encrypted_one(tmp_path: Path) -> None:
    html = message("Gate", "", **{"__substg1.0_10130102": b"<h2>Hours</h2><p>Closes at six.</p>"})
    (tmp_path / "a.msg").write_bytes(ole(html))
    assert next(load(tmp_path / "a.msg")).page_content.endswith("## Hours\n\nCloses at six.")
    encrypted = message("Gate", "", **{"__substg1.0_001A001F": "IPM.Note.SMIME".encode("utf-16-le")})
    (tmp_path / "b.msg").write_bytes(ole(encrypted))
    with pytest.raises(DocumentError, match="encrypted"):
        list(load(tmp_path / "b.msg"))


@pytest.mark.parametrize(
    "tree",
    [
        {"EncryptedPackage": b"x", "EncryptionInfo": b"x"},
        {"WordDocument": bytes(10) + b"\x00\x01"},
        {"Workbook": struct.pack("<HH4xHH", 0x0809, 4, 0x002F, 2)},
        {"PowerPoint Document": b"x", "Current User": bytes(12) + b"\xdf\xc4\xd1\xf3"},
    ],
)
def test_a_password_is_named_whatever_the_generation(tmp_path: Path, tree: Tree) -> None:
    (tmp_path / "a.docx").write_bytes(ole(tree))
    with pytest.raises(DocumentError, match="password"):
        list(load(tmp_path / "a.docx"))
