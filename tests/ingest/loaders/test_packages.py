"""Office and OpenDocument packages that were made to do harm are refused before a parser sees them."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest
from openpyxl import Workbook

from ingest.loaders import LoadOptions, load
from ingest.loaders.packages import parsed_xml
from ragvoice.errors import DocumentError


def workbook() -> bytes:
    stream = io.BytesIO()
    book = Workbook()
    book.active.append(["Grade", "Rate"])
    book.save(stream)
    return stream.getvalue()


def with_part(data: bytes, name: str, content: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as new:
        for member in old.namelist():
            if member != name:
                new.writestr(member, old.read(member))
        new.writestr(name, content)
    return stream.getvalue()


def refused(folder: Path, data: bytes, reason: str, options: LoadOptions | None = None) -> None:
    (folder / "a.xlsx").write_bytes(data)
    with pytest.raises(DocumentError, match=reason):
        list(load(folder / "a.xlsx", options or LoadOptions()))


def test_a_part_that_inflates_too_much_is_refused(tmp_path: Path) -> None:
    bomb = with_part(workbook(), "xl/sharedStrings.xml", b"<sst>" + b" " * (50 * 2**20))
    assert len(bomb) < 100_000
    refused(tmp_path, bomb, "times its size")


def test_parts_that_are_too_large_together_are_refused(tmp_path: Path) -> None:
    refused(tmp_path, workbook(), "unpacks to more", LoadOptions(max_unpacked_bytes=2_000))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_entities_are_refused_in_every_encoding(tmp_path: Path, encoding: str) -> None:
    xml = '<!DOCTYPE sst [<!ENTITY a "ha"><!ENTITY b SYSTEM "file:///etc/hostname">]><sst>&a;&b;</sst>'
    refused(tmp_path, with_part(workbook(), "xl/sharedStrings.xml", xml.encode(encoding)), "declares entities")


def test_xml_is_parsed_without_a_dtd() -> None:
    root = parsed_xml(b'<!DOCTYPE a SYSTEM "http://127.0.0.1:9/a.dtd"><a>text</a>')
    assert root.text == "text"


def test_slips_in_xml_are_passed_over_and_rubbish_is_refused() -> None:
    assert parsed_xml(b"<a><b>text</a>").findtext("b") == "text"
    with pytest.raises(DocumentError, match="no XML"):
        parsed_xml(b"\x01\x02")


def test_a_password_is_named(tmp_path: Path) -> None:
    data = bytearray(workbook())
    with zipfile.ZipFile(io.BytesIO(bytes(data))) as archive:
        infos = archive.infolist()
    for info in infos:
        data[info.header_offset + 6] |= 1
    position = 0
    while (position := data.find(b"PK\x01\x02", position)) >= 0:
        data[position + 8] |= 1
        position += 4
    refused(tmp_path, bytes(data), "password")


def test_a_damaged_part_is_refused(tmp_path: Path) -> None:
    data = bytearray(workbook())
    with zipfile.ZipFile(io.BytesIO(bytes(data))) as archive:
        info = archive.getinfo("xl/workbook.xml")
    data[info.header_offset + 60] ^= 0xFF
    refused(tmp_path, bytes(data), "damaged")
