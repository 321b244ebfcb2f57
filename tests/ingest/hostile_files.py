"""Hostile and broken files, made here: what is wrong with each is its name. All are small on disk."""

from __future__ import annotations

import gzip
import io
import random
import re
import stat
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

SECRET = "velvet-otter-4711"
"""Stands in a file next to the hostile ones; no text of theirs may hold it."""
_LAUGHS = (
    '<!DOCTYPE x [<!ENTITY a0 "laugh">' + "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 11)) + "]>"
)
_WORD = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
_SHEET = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"


def zip_of(members: dict[str, str | bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def docx(document: str, before: str = "") -> bytes:
    """:param before: Put between the XML declaration and the root element."""
    kind = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"
    return zip_of(
        {
            "[Content_Types].xml": _content_types({"/word/document.xml": kind}),
            "_rels/.rels": _relations({"officeDocument": "word/document.xml"}),
            "word/document.xml": f'<?xml version="1.0"?>{before}<w:document {_WORD}><w:body><w:p><w:r><w:t>'
            f"{document}</w:t></w:r></w:p></w:body></w:document>",
        }
    )


def xlsx(shared: str, before: str = "", cell: str = "A1", sheet_before: str = "") -> bytes:
    base = "application/vnd.openxmlformats-officedocument.spreadsheetml."
    kinds = {
        "/xl/workbook.xml": base + "sheet.main+xml",
        "/xl/worksheets/sheet1.xml": base + "worksheet+xml",
        "/xl/sharedStrings.xml": base + "sharedStrings+xml",
    }
    return zip_of(
        {
            "[Content_Types].xml": _content_types(kinds),
            "_rels/.rels": _relations({"officeDocument": "xl/workbook.xml"}),
            "xl/_rels/workbook.xml.rels": _relations(
                {"worksheet": "worksheets/sheet1.xml", "sharedStrings": "sharedStrings.xml"}
            ),
            "xl/workbook.xml": f'<workbook xmlns="{_SHEET}" xmlns:r="{_RELATIONS}"><sheets>'
            '<sheet name="One" sheetId="1" r:id="r0"/></sheets></workbook>',
            "xl/worksheets/sheet1.xml": f'<?xml version="1.0"?>{sheet_before}<worksheet xmlns="{_SHEET}"><sheetData>'
            f'<row r="{re.sub("[A-Z]", "", cell)}"><c r="{cell}" t="s"><v>0</v></c></row></sheetData></worksheet>',
            "xl/sharedStrings.xml": f'<?xml version="1.0"?>{before}<sst xmlns="{_SHEET}"><si><t>'
            f"{shared}</t></si></sst>",
        }
    )


def _content_types(kinds: dict[str, str]) -> str:
    parts = "".join(f'<Override PartName="{name}" ContentType="{kind}"/>' for name, kind in kinds.items())
    return (
        f'<Types xmlns="{_PACKAGE}/content-types"><Default Extension="xml" ContentType="application/xml"/>'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f"{parts}</Types>"
    )


def _relations(targets: dict[str, str]) -> str:
    inner = "".join(
        f'<Relationship Id="r{number}" Type="{_RELATIONS}/{kind}" Target="{target}"/>'
        for number, (kind, target) in enumerate(targets.items())
    )
    return f'<Relationships xmlns="{_PACKAGE}/relationships">{inner}</Relationships>'


def pdf(side: float = 595, text: str = "Nineteen tulips were planted.", count: int = 1) -> bytes:
    """Of one page, `side` points wide and high, which the list of pages names `count` times."""
    content = f"BT /F1 24 Tf 72 72 Td ({text}) Tj ET".encode()
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{'3 0 R ' * count}] /Count {count} >>".encode(),
        f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {side:f} {side:f}] /Contents 4 0 R "
        "/Resources << /Font << /F1 5 0 R >> >> >>".encode(),
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    data, offsets = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, start=1):
        offsets.append(len(data))
        data += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    return data + b"xref\n0 6\n0000000000 65535 f \n%strailer\n<< /Size 6 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (
        table,
        len(data),
    )


def _with_false_sizes(archive: bytes, claimed: int = 10) -> bytes:
    """Every member claims to unpack to `claimed` bytes, in both of its headers."""
    data = bytearray(archive)
    for mark, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        for match in re.finditer(re.escape(mark), archive):
            data[match.start() + offset : match.start() + offset + 4] = claimed.to_bytes(4, "little")
    return bytes(data)


def _encrypted(archive: bytes) -> bytes:
    """The flag that says so; what follows is noise, as it is to somebody without the password."""
    data = bytearray(archive)
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        for match in re.finditer(re.escape(mark), archive):
            data[match.start() + offset] |= 1
    return bytes(data)


def _nested_zip(levels: int) -> bytes:
    data = zip_of({"innermost.txt": "Nineteen tulips were planted."})
    for level in range(levels):
        data = zip_of({f"level{level}.zip": data})
    return data


def _wide_nested_zip() -> bytes:
    """Ten in ten in ten in ten in ten: 100,000 members in the end."""
    data = zip_of({f"{number}.txt": "x" * 1000 for number in range(10)})
    for _ in range(4):
        data = zip_of({f"{number}.zip": data for number in range(10)})
    return data


def _link(target: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        entry = zipfile.ZipInfo("link.txt")
        entry.create_system, entry.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
        archive.writestr(entry, target)
        archive.writestr("through/../link.txt/x.txt", "below the link")
    return buffer.getvalue()


def _gzip_bomb() -> bytes:
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    return b"".join([packer.compress(bytes(2**20)) for _ in range(300)]) + packer.flush()


def _mail(levels: int) -> bytes:
    """A mail in a mail in a mail."""
    data = "From: a@example.com\nTo: b@example.com\nSubject: innermost\nDate: x\n\nNineteen tulips.\n"
    for level in range(levels):
        boundary = f"b{level}"
        data = (
            f"From: a@example.com\nTo: b@example.com\nSubject: level {level}\nMIME-Version: 1.0\n"
            f'Content-Type: multipart/mixed; boundary="{boundary}"\n\n--{boundary}\n'
            f"Content-Type: message/rfc822\n\n{data}\n--{boundary}--\n"
        )
    return data.encode()


def _mail_with_hostile_names() -> bytes:
    parts = "".join(
        f'--b\nContent-Type: text/plain\nContent-Disposition: attachment; filename="{name}"\n\ntulips\n'
        for name in ("../../../escaped.txt", "/tmp/escaped.txt", "a\\..\\escaped.txt", "." * 3000, "con\x00.txt")
    )
    head = 'From: a@example.com\nTo: b@example.com\nSubject: x\nContent-Type: multipart/mixed; boundary="b"\n\n'
    return f"{head}{parts}--b--\n".encode()


def _external(secret: Path) -> str:
    return f'<!DOCTYPE x [<!ENTITY x SYSTEM "file://{secret}">]>'


def hostile_files(secret: Path) -> dict[str, Callable[[], bytes]]:
    """By file name. `secret` is the file that some of them try to read."""
    zeros = bytes(300 * 2**20)
    return {
        "bomb-false-sizes.zip": lambda: _with_false_sizes(zip_of({"zeros.txt": zeros, "two.txt": zeros})),
        "bomb.zip": lambda: zip_of({"zeros.txt": zeros}),
        "bomb.gz": _gzip_bomb,
        "bomb-in-word.docx": lambda: docx(" " * (300 * 2**20)),
        "bomb-in-word-false-size.docx": lambda: _with_false_sizes(docx("word " * (40 * 2**20))),
        "bomb-in-a-cell.xlsx": lambda: xlsx("word " * (40 * 2**20)),
        "far-cell.xlsx": lambda: xlsx("far away", cell="XFD1048576"),
        "nested.zip": lambda: _nested_zip(60),
        "wide-nested.zip": _wide_nested_zip,
        "many-members.zip": lambda: zip_of({f"{number}.txt": "" for number in range(20_000)}),
        "traversal.zip": lambda: zip_of(
            dict.fromkeys(("../../escaped.txt", "/tmp/escaped.txt", "..\\..\\escaped.txt", "a/./../b.txt"), "tulips")
        ),
        "link.zip": lambda: _link(str(secret)),
        "encrypted.zip": lambda: _encrypted(zip_of({"secret.txt": "tulips"})),
        "laughs.docx": lambda: docx("&a10;", _LAUGHS),
        "laughs-in-strings.xlsx": lambda: xlsx("&a10;", _LAUGHS),
        "laughs-in-sheet.xlsx": lambda: xlsx("x", sheet_before=_LAUGHS),
        "laughs.html": lambda: f"{_LAUGHS}<html><body>&a10;</body></html>".encode(),
        "laughs.xml": lambda: f'<?xml version="1.0"?>{_LAUGHS}<x>&a10;</x>'.encode(),
        "entity.docx": lambda: docx("&x;", _external(secret)),
        "entity.xlsx": lambda: xlsx("&x;", _external(secret)),
        "entity.xml": lambda: f'<?xml version="1.0"?>{_external(secret)}<x>&x;</x>'.encode(),
        "entity.html": lambda: f'{_external(secret)}<html><body>&x;<img src="file://{secret}"></body></html>'.encode(),
        "truncated.pdf": lambda: pdf()[:300],
        "endless-pages.pdf": lambda: pdf(count=200_000),
        "own-child.pdf": lambda: pdf().replace(b"/Kids [3 0 R ]", b"/Kids [2 0 R ]"),
        "text.pdf": lambda: b"Nineteen tulips were planted. This is no PDF.",
        "picture.txt": lambda: b"\x89PNG\r\n\x1a\n" + random.Random(1).randbytes(5000),
        "huge-picture.png": _huge_picture,
        "noise.docx": lambda: random.Random(2).randbytes(50_000),
        "noise.pdf": lambda: b"%PDF-1.7\n" + random.Random(3).randbytes(50_000),
        "noise.doc": lambda: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + random.Random(4).randbytes(50_000),
        "noise.mp3": lambda: b"ID3" + random.Random(5).randbytes(50_000),
        "noise.msg": lambda: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(5000),
        "deep.json": lambda: b"[" * 200_000 + b"]" * 200_000,
        "deep-objects.json": lambda: b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
        "deep.jsonl": lambda: b"[" * 200_000 + b"\n" + b'{"text": "tulips"}\n',
        "numbers.json": lambda: b"[" + b"9" * 1_000_000 + b"]",
        "deep.html": lambda: b"<html><body>" + b"<div>" * 100_000 + b"tulips",
        "deep-tables.html": lambda: b"<html><body>" + b"<table><tr><td>" * 2000 + b"tulips",
        "wide-span.html": lambda: b"<html><table><tr><td colspan=999999999 rowspan=99999999>tulips</table></html>",
        "deep.rtf": lambda: rb"{\rtf1 " + b"{" * 200_000 + b"tulips" + b"}" * 200_000,
        "one-line.md": lambda: b"tulips " * 700_000,
        "brackets.md": lambda: b"[" * 200_000 + b"`" * 200_000 + b"> " * 100_000,
        "pipes.md": lambda: b"|" * 300_000 + b"\n" + b"|-" * 150_000,
        "front-matter.md": lambda: b"---\n" + b"a: &a [*a, *a]\n" * 20_000,
        "wide.csv": lambda: b"a," * 1_000_000 + b"\n" + b"b," * 1_000_000,
        "open-quote.csv": lambda: b'"' + b"tulips, roses\n" * 200_000,
        "nuls.csv": lambda: b"a,b\n\x00,\x00\n",
        "nested.eml": lambda: _mail(40),
        "names.eml": _mail_with_hostile_names,
        "headers.eml": lambda: b"From: a@b\nTo: c@d\nSubject: " + b"=?utf-8?q?" * 50_000 + b"\n\ntulips",
        "empty.txt": bytes,
        "empty.pdf": bytes,
        "empty.docx": bytes,
        "empty.zip": lambda: zip_of({}),
        "blank.txt": lambda: b" \n" * 100,
        "nothing.html": lambda: b"<html></html>",
        "damaged.gz": lambda: gzip.compress(b"tulips" * 10_000)[:40],
    }


def _huge_picture() -> bytes:
    """60,000 by 60,000 pixels, which would be 10 GB."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    size = (60_000).to_bytes(4, "big")
    packer = zlib.compressobj(1)
    pixels = b"".join(packer.compress(bytes(7501)) for _ in range(60_000)) + packer.flush()
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", size + size + b"\x01\x00\x00\x00\x00")
        + chunk(b"IDAT", pixels)
        + chunk(b"IEND", b"")
    )


def mutated(data: bytes, seed: int) -> bytes:
    """One of: bytes changed, a piece doubled, a piece cut out, the end cut off; of a zip, in its unpacked members."""
    chance = random.Random(seed)
    if data.startswith(b"PK\x03\x04") and seed % 2:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        victim = chance.choice([name for name in members if members[name]])
        return zip_of({**members, victim: _mutated_bytes(members[victim], chance)})
    return _mutated_bytes(data, chance)


def _mutated_bytes(data: bytes, chance: random.Random) -> bytes:
    start, length = chance.randrange(len(data)), chance.randrange(1, 2000)
    match chance.randrange(4):
        case 0:
            changed = bytearray(data)
            for _ in range(max(1, len(data) // 500)):
                changed[chance.randrange(len(data))] = chance.randrange(256)
            return bytes(changed)
        case 1:
            return data[: start + length] + data[start:]
        case 2:
            return data[:start] + data[start + length :]
        case _:
            return data[:start]
