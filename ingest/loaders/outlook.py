"""Outlook messages (MSG): MAPI properties in an OLE container; messages attached to messages are read in place."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from langchain_core.documents import Document

from ingest.loaders.html import read_html
from ingest.loaders.mail import ENCRYPTED, mail_document
from ingest.loaders.options import LoadOptions
from ingest.loaders.text import decode_text
from ingest.loaders.unpacking import NESTED, Unpacking
from ragvoice.errors import DocumentError

if TYPE_CHECKING:
    from olefile import OleFileIO

# Property numbers: [MS-OXPROPS].
_CLASS, _SUBJECT, _BODY, _HTML, _RTF = "001A", "0037", "1000", "1013", "1009"
_FROM_NAME, _FROM_MAIL, _FROM_SMTP = "0C1A", "0C1F", "5D01"
_TO, _CC = "0E04", "0E03"
_SUBMITTED, _DELIVERED = 0x0039, 0x0E06
_ATTACHED, _LONG_NAME, _SHORT_NAME, _SHOWN_NAME = "3701", "3707", "3704", "3001"
_EMBEDDED = "__substg1.0_3701000D"
_MAX_BYTES = 200 * 2**20
# The dictionary with which compressed RTF begins: [MS-OXRTFCP] 2.1.2.1.
_RTF_START = (
    b"{\\rtf1\\ansi\\mac\\deff0\\deftab720{\\fonttbl;}{\\f0\\fnil \\froman \\fswiss \\fmodern \\fscript \\fdecor "
    b"MS Sans SerifSymbolArialTimes New RomanCourier{\\colortbl\\red0\\green0\\blue0\r\n\\par \\pard\\plain\\f0\\fs20"
    b"\\b\\i\\u\\tab\\tx"
)


def load_msg(path: Path, options: LoadOptions, unpacking: Unpacking) -> Iterator[Document]:
    import olefile

    with olefile.OleFileIO(path) as ole:
        yield from _message(_Storage(ole, []), unpacking, "", options.max_nesting)


class _Storage:
    """One message or attachment inside the container."""

    def __init__(self, ole: OleFileIO, folder: list[str]):
        self._ole = ole
        self.folder = folder

    def text(self, number: str) -> str:
        if data := self.stream(f"__substg1.0_{number}001F"):
            return data.decode("utf-16-le", errors="replace").rstrip("\x00")
        return decode_text(self.stream(f"__substg1.0_{number}001E")).rstrip("\x00")

    def binary(self, number: str) -> bytes:
        return self.stream(f"__substg1.0_{number}0102")

    def stream(self, name: str) -> bytes:
        where = [*self.folder, name]
        if not self._ole.exists(where) or self._ole.get_size(where) > _MAX_BYTES:
            return b""
        return bytes(self._ole.openstream(where).read())

    def below(self, name: str) -> _Storage:
        return _Storage(self._ole, [*self.folder, name])

    def storages(self, start: str) -> list[str]:
        depth = len(self.folder)
        found = {
            entry[depth]
            for entry in self._ole.listdir()
            if len(entry) > depth + 1 and entry[:depth] == self.folder and entry[depth].startswith(start)
        }
        return sorted(found)

    def time(self, numbers: tuple[int, ...]) -> datetime | None:
        """Of the fixed-length properties: entries of 16 bytes behind a head of 32 (24 in an embedded message)."""
        data = self.stream("__properties_version1.0")
        for offset in range(24 if self.folder else 32, len(data) - 15, 16):
            kind, number = struct.unpack_from("<HH", data, offset)
            (ticks,) = struct.unpack_from("<Q", data, offset + 8)
            if kind == 0x0040 and number in numbers and 0 < ticks < 3 * 10**18:
                return datetime(1601, 1, 1, tzinfo=UTC) + timedelta(microseconds=ticks // 10)
        return None


def _message(storage: _Storage, unpacking: Unpacking, prefix: str, depth: int) -> Iterator[Document]:
    if "SMIME" in storage.text(_CLASS).upper() and "MULTIPARTSIGNED" not in storage.text(_CLASS).upper():
        raise DocumentError(ENCRYPTED)
    name, address = storage.text(_FROM_NAME), storage.text(_FROM_SMTP) or storage.text(_FROM_MAIL)
    sender = f"{name} <{address}>" if "@" in address and address != name else name or address
    sent = storage.time((_SUBMITTED, _DELIVERED))
    headers = {
        "Subject": storage.text(_SUBJECT),
        "From": sender,
        "To": storage.text(_TO),
        "Cc": storage.text(_CC),
        "Date": sent.strftime("%Y-%m-%d %H:%M UTC") if sent is not None else "",
    }
    document = mail_document({key: " ".join(value.split()) for key, value in headers.items()}, _body(storage), sent)
    if prefix:
        document.metadata["part"] = prefix
    yield document
    for attachment in storage.storages("__attach_version1.0_"):
        unpacking.count_member()
        yield from _attachment(storage.below(attachment), unpacking, prefix, depth)


def _attachment(storage: _Storage, unpacking: Unpacking, prefix: str, depth: int) -> Iterator[Document]:
    name = storage.text(_LONG_NAME) or storage.text(_SHORT_NAME) or storage.text(_SHOWN_NAME) or "attachment"
    embedded = storage.below(_EMBEDDED)
    if not embedded.stream("__properties_version1.0"):
        data = storage.binary(_ATTACHED)
        for document in unpacking.part(name, [data]) if data else ():
            if prefix:
                document.metadata["part"] = f"{prefix}{NESTED}{document.metadata['part']}"
            yield document
        return
    part = unpacking.claim(storage.text(_SHOWN_NAME) or embedded.text(_SUBJECT) or "message")
    part = f"{prefix}{NESTED}{part}" if prefix else part
    if depth <= 1:
        yield Document("", metadata={"part": part, "skipped": "too many messages inside one another"})
        return
    try:
        yield from _message(embedded, unpacking, part, depth - 1)
    except DocumentError as error:
        yield Document("", metadata={"part": part, "skipped": str(error)})


def _body(storage: _Storage) -> str:
    """The plain text, else the HTML, else the RTF."""
    plain = storage.text(_BODY).replace("\r\n", "\n").strip()
    if plain:
        return plain
    html = storage.binary(_HTML) or storage.text(_HTML).encode("utf-8")
    html = html.rstrip(b"\x00")
    if html.strip():
        return read_html(html).markdown
    rtf = _uncompressed(storage.binary(_RTF))
    if not rtf:
        return ""
    if b"\\fromhtml1" in rtf[:500]:
        return read_html(_html_of_rtf(rtf)).markdown
    from ingest.loaders.rtf import rtf_markdown

    return rtf_markdown(rtf)


def _uncompressed(data: bytes) -> bytes:
    """Compressed RTF: [MS-OXRTFCP]."""
    if len(data) < 16:
        return b""
    _, raw_size, mark = struct.unpack_from("<II4s", data)
    if mark == b"MELA":
        return data[16 : 16 + raw_size]
    if mark != b"LZFu" or raw_size > _MAX_BYTES:
        return b""
    ring = bytearray(_RTF_START.ljust(4096, b"\x00"))
    write, position, result = len(_RTF_START), 16, bytearray()
    while position < len(data) and len(result) < raw_size:
        control, position = data[position], position + 1
        for bit in range(8):
            if control >> bit & 1:
                if position + 1 >= len(data):
                    return bytes(result)
                token = data[position] << 8 | data[position + 1]
                position += 2
                offset, length = token >> 4, (token & 15) + 2
                if offset == write:
                    return bytes(result)
                for step in range(length):
                    ring[write] = ring[(offset + step) % 4096]
                    result.append(ring[write])
                    write = (write + 1) % 4096
            elif position < len(data):
                result.append(data[position])
                ring[write] = data[position]
                write, position = (write + 1) % 4096, position + 1
    return bytes(result[:raw_size])


def _html_of_rtf(rtf: bytes) -> str:
    r"""HTML that Outlook packed into RTF: `\*\htmltag` groups hold the tags, `\htmlrtf` stretches are for RTF only."""
    text = rtf.decode("latin-1")
    text = re.sub(r"\\htmlrtf\b[^0].*?\\htmlrtf0 ?", "", text, flags=re.S)
    text = re.sub(r"\{\\\*\\htmltag\d+ ?((?:[^{}\\]|\\.)*)\}", lambda tag: tag[1].replace("\\par", "\n"), text)
    text = re.sub(r"\{\\(?:fonttbl|colortbl|\*)[^{}]*(?:\{[^{}]*\}[^{}]*)*\}", "", text)
    text = re.sub(r"\\'([0-9a-fA-F]{2})", lambda code: bytes([int(code[1], 16)]).decode("cp1252", "replace"), text)
    text = re.sub(r"\\u(-?\d+) ?\??", lambda code: chr(int(code[1]) % 65536), text)
    text = re.sub(r"\\(?:par|line)\b ?", "\n", text)
    text = re.sub(r"\\[a-z]+-?\d* ?", "", text)
    return re.sub(r"\\([{}\\])", r"\1", re.sub(r"(?<!\\)[{}]", "", text))
