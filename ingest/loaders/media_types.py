"""What a file is, told by its content. Its name decides only between kinds of text, which have no marks."""

from __future__ import annotations

import re
import zipfile
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from ingest.loaders.corpus import CORPUS_FILE
from ingest.loaders.text import decoded_or_none
from ragvoice.errors import DocumentError

if TYPE_CHECKING:
    from olefile import OleFileIO


class Kind(StrEnum):
    PDF = "pdf"
    DOCX = "docx"
    PPTX = "pptx"
    XLSX = "xlsx"
    ODT = "odt"
    ODS = "ods"
    ODP = "odp"
    EPUB = "epub"
    RTF = "rtf"
    HTML = "html"
    MARKDOWN = "markdown"
    TEXT = "text"
    DELIMITED = "delimited"
    JSON = "json"
    JSONL = "jsonl"
    CORPUS = "corpus"
    MAIL = "mail"
    MSG = "msg"
    MBOX = "mbox"
    ZIP = "zip"
    TAR = "tar"
    GZIP = "gzip"
    BZIP2 = "bzip2"
    XZ = "xz"
    IMAGE = "image"
    RECORDING = "recording"
    LEGACY = "legacy"


HEAD_BYTES = 65_536
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_IMAGE_MARKS = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a", b"II*\x00", b"MM\x00*")
_RECORDING_MARKS = (
    b"ID3\x02",
    b"ID3\x03",
    b"ID3\x04",
    b"fLaC\x00",
    b"OggS\x00",
    b"\x1aE\xdf\xa3",
    b"#!AMR",
    b"caff\x00\x01",
    b"0&\xb2u\x8ef\xcf\x11",
)
# Frame syncs of MP3 and AAC streams without a tag; FF FE is left to UTF-16.
_RECORDING_SYNC = re.compile(rb"\xff[\xfa\xfb\xf2\xf3\xe2\xe3\xf1\xf9]")
_ISO_MEDIA_IMAGES = (b"heic", b"heix", b"heif", b"mif1", b"msf1", b"avif")
_HTML = re.compile(
    r"\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html|head|body|title|meta|div|p|h[1-6]|table)\b",
    re.I | re.S,
)
_UNSUPPORTED = {
    b"7z\xbc\xaf\x27\x1c": "7z archive; pack it as ZIP",
    b"Rar!\x1a\x07": "RAR archive; pack it as ZIP",
    b"%!PS-Adobe": "PostScript; save it as PDF",
}
# By the stream that each must have, in lower case.
_OLE_KINDS = {
    "matost": "a document of Microsoft Works; save it as DOCX",
    "visiodocument": "a Visio drawing; save it as PDF",
    "quill/": "a Publisher file; save it as PDF",
    "props": "a plan of Microsoft Project; save it as PDF",
    "bodytext/": "a Hangul document; save it as DOCX or PDF",
    "catalog": "a cache of small pictures",
}
_HEADER_OF_MAIL = re.compile(r"[!-9;-~]+[ \t]*:")
_MAIL_MARKS = re.compile(
    r"^(?:from|to|subject|date|received|message-id|mime-version|content-type|return-path|delivered-to"
    r"|x-[\w-]+|reply-to|cc|sender)[ \t]*:",
    re.I | re.M,
)
_BY_SUFFIX = {
    **dict.fromkeys((".html", ".htm", ".xhtml"), Kind.HTML),
    **dict.fromkeys((".md", ".markdown", ".mdx"), Kind.MARKDOWN),
    **dict.fromkeys((".csv", ".tsv", ".tab"), Kind.DELIMITED),
    **dict.fromkeys((".json", ".geojson", ".ipynb"), Kind.JSON),
    **dict.fromkeys((".jsonl", ".ndjson"), Kind.JSONL),
    ".eml": Kind.MAIL,
}


def kind_of(path: Path) -> Kind:
    """:raises DocumentError: for a file that is encrypted, damaged or nothing known."""
    with path.open("rb") as stream:
        head = stream.read(HEAD_BYTES)
    suffix = path.suffix.lower()
    if (kind := _binary_kind(path, head, suffix)) is not None:
        return kind
    text = decoded_or_none(head, whole=len(head) < HEAD_BYTES)
    if text is None:
        raise DocumentError(f"unsupported kind of file ({suffix or 'no suffix'})")
    return _kind_of_text(text, suffix, path.name)


def _binary_kind(path: Path, head: bytes, suffix: str) -> Kind | None:
    if head.lstrip().startswith(b"%PDF-") or (suffix == ".pdf" and b"%PDF-" in head[:1024]):
        return Kind.PDF
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08PK")):
        return _kind_of_zip(path)
    if head.startswith(_OLE):
        return _kind_of_ole(path)
    if head.startswith(b"{\\rtf"):
        return Kind.RTF
    if head.startswith(b"\x1f\x8b"):
        return Kind.GZIP
    if re.match(rb"BZh[1-9]1AY&SY", head):
        return Kind.BZIP2
    if head.startswith(b"\xfd7zXZ\x00"):
        return Kind.XZ
    if head[257:262] == b"ustar":
        return Kind.TAR
    if head.startswith(_IMAGE_MARKS) or (head.startswith(b"BM") and b"\x00" in head[:26] and len(head) > 26):
        return Kind.IMAGE
    for mark, name in _UNSUPPORTED.items():
        if head.startswith(mark):
            raise DocumentError(f"unsupported kind of file ({name})")
    return _kind_of_media(head)


def _kind_of_media(head: bytes) -> Kind | None:
    if head[:4] in (b"RIFF", b"RF64") and head[8:12] in (b"WAVE", b"WEBP", b"AVI "):
        return Kind.IMAGE if head[8:12] == b"WEBP" else Kind.RECORDING
    if head[4:8] == b"ftyp":
        return Kind.IMAGE if head[8:12] in _ISO_MEDIA_IMAGES else Kind.RECORDING
    if head.startswith(b"FORM") and head[8:12] in (b"AIFF", b"AIFC"):
        return Kind.RECORDING
    if head.startswith(_RECORDING_MARKS) or _RECORDING_SYNC.match(head):
        return Kind.RECORDING
    return None


def _kind_of_zip(path: Path) -> Kind:
    """By the members that each format must have; anything else is an archive of files."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = set(archive.namelist())
            mimetype = b""
            if "mimetype" in names:
                with archive.open("mimetype") as stream:
                    mimetype = stream.read(200).strip()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, RuntimeError, EOFError) as error:
        raise DocumentError("a damaged archive") from error
    if mimetype == b"application/epub+zip":
        return Kind.EPUB
    if mimetype.startswith(b"application/vnd.oasis.opendocument."):
        family = mimetype.decode("ascii", "replace").removeprefix("application/vnd.oasis.opendocument.").split("-")[0]
        by_family = {"text": Kind.ODT, "spreadsheet": Kind.ODS, "presentation": Kind.ODP, "graphics": Kind.ODP}
        if family not in by_family:
            raise DocumentError(f"unsupported kind of file (OpenDocument {family})")
        return by_family[family]
    if "[Content_Types].xml" in names or "_rels/.rels" in names:
        folded = {name.lower() for name in names}
        for member, kind in (
            ("word/document", Kind.DOCX),
            ("ppt/presentation", Kind.PPTX),
            ("xl/workbook.xml", Kind.XLSX),
            ("xl/workbook.bin", Kind.LEGACY),
        ):
            if any(name.startswith(member) for name in folded):
                return kind
        if "[Content_Types].xml" in names:
            raise DocumentError(f"unsupported kind of file ({path.suffix.lower() or 'a package of Office Open XML'})")
    if "word/document.xml" in names:
        return Kind.DOCX
    return Kind.ZIP


def _kind_of_ole(path: Path) -> Kind:
    """:raises DocumentError: for an Office file with a password."""
    import olefile

    try:
        with olefile.OleFileIO(path) as ole:
            streams = {"/".join(parts).lower() for parts in ole.listdir()}
            has_password = _has_password(ole, streams)
    except Exception as error:  # a damaged container raises whatever its bytes lead to
        raise DocumentError("an Office file that is damaged (its container cannot be opened)") from error
    if has_password:
        raise DocumentError("encrypted: it opens only with a password; save it without one")
    if any(name.startswith("__properties_version") for name in streams):
        return Kind.MSG
    if streams & {"worddocument", "workbook", "book", "powerpoint document"}:
        return Kind.LEGACY
    names = (name for stream, name in _OLE_KINDS.items() if any(one.startswith(stream) for one in streams))
    raise DocumentError(f"unsupported kind of file ({next(names, 'an OLE container that is no Office file')})")


def _has_password(ole: OleFileIO, streams: set[str]) -> bool:
    """Of any generation of Office: the package of today is encrypted as a whole, older formats say so in a record."""
    if streams & {"encryptedpackage", "encryptioninfo", "encryptedsummary"}:
        return True
    if "worddocument" in streams:  # the bit fEncrypted of the file information block: [MS-DOC] 2.5.2
        return bool(int.from_bytes(ole.openstream("WordDocument").read(12)[10:12], "little") & 0x0100)
    for name in streams & {"workbook", "book"}:  # the record FilePass stands among the first: [MS-XLS] 2.4.117
        data, position = ole.openstream(name).read(8_192), 0
        while position + 4 <= len(data):
            record = int.from_bytes(data[position : position + 2], "little")
            if record == 0x002F:
                return True
            position += 4 + int.from_bytes(data[position + 2 : position + 4], "little")
    if "current user" in streams:  # its headerToken: [MS-PPT] 2.3.2
        return bool(ole.openstream("Current User").read(16)[12:16] == b"\xdf\xc4\xd1\xf3")
    return False


def _kind_of_text(text: str, suffix: str, name: str) -> Kind:
    if name == CORPUS_FILE:
        return Kind.CORPUS
    start = text.lstrip("\ufeff \t\r\n")
    if re.match(r"From \S+.*\d{4}", start) and _looks_like_mail(start.partition("\n")[2]):
        return Kind.MAIL if suffix == ".eml" else Kind.MBOX
    if _looks_like_mail(start) and suffix not in {".md", ".markdown"}:
        return Kind.MAIL
    if _HTML.match(start) and suffix not in {".md", ".markdown", ".mdx"}:
        return Kind.HTML
    return _BY_SUFFIX.get(suffix, Kind.TEXT)


def _looks_like_mail(text: str) -> bool:
    """Three header lines or more at the top, two of them ones that mails have."""
    head = re.split(r"\r?\n\r?\n", text, maxsplit=1)[0]
    lines = [line for line in head.splitlines() if line[:1] not in " \t"]
    fields = [line for line in lines if _HEADER_OF_MAIL.match(line)]
    return len(fields) >= 3 and len(fields) == len(lines) and len(_MAIL_MARKS.findall(head)) >= 2
