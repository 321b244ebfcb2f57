"""Zip packages of XML parts: Office Open XML, OpenDocument and EPUB, read without trusting them.

A package is walked through once before any parser sees it: every part is unpacked and counted, and a part that declares
XML entities (which none of these formats needs) is refused, because an entity can expand to gigabytes or name a file of
this machine.
"""

from __future__ import annotations

import posixpath
import zipfile
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from ingest.loaders.options import LoadOptions
from ingest.loaders.properties import kept_properties
from ragvoice.errors import DocumentError

if TYPE_CHECKING:
    from lxml.etree import _Element

_CHUNK_BYTES = 2**20
_XML_SUFFIXES = (".xml", ".rels", ".xhtml", ".html", ".htm", ".opf", ".ncx", ".vml", ".svg")
# A part of this size or more that shrank to less than a two-hundredth was made to be a bomb; worksheets shrink to a
# tenth or a fiftieth.
_SUSPECT_BYTES = 48 * 2**20
_SUSPECT_RATIO = 200
_MAX_PARTS = 20_000
_REL = "{http://schemas.openxmlformats.org/package/2006/relationships}Relationship"
_CORE = "{http://schemas.openxmlformats.org/package/2006/metadata/core-properties}"
_DC, _DCTERMS = "{http://purl.org/dc/elements/1.1/}", "{http://purl.org/dc/terms/}"
_COMMON = b"http://schemas.openxmlformats.org/"
_STRICT = (
    (b"http://purl.oclc.org/ooxml/officeDocument/relationships", _COMMON + b"officeDocument/2006/relationships"),
    *(
        (b"http://purl.oclc.org/ooxml/" + family + rest, _COMMON + family + b"/2006" + rest)
        for family, rest in (
            (b"wordprocessingml", b"/main"),
            (b"presentationml", b"/main"),
            (b"spreadsheetml", b"/main"),
            (b"drawingml", b"/main"),
            (b"drawingml", b"/chart"),
            (b"drawingml", b"/diagram"),
            (b"drawingml", b"/wordprocessingDrawing"),
            (b"drawingml", b"/spreadsheetDrawing"),
            (b"officeDocument", b"/math"),
        )
    ),
)


class Package:
    """A context manager.

    :raises DocumentError: when the package is damaged, encrypted, a bomb or declares entities.
    """

    def __init__(self, path: Path, options: LoadOptions):
        try:
            self._archive = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError) as error:
            raise DocumentError("a damaged archive") from error
        try:
            self.names = self._check(options)
        except BaseException:
            self._archive.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._archive.close()

    def read(self, name: str) -> bytes:
        """:raises KeyError: there is no such part."""
        return self._archive.read(name)

    def xml(self, name: str) -> _Element:
        """Namespaces of the strict variant of Office Open XML are read as those of the common one.

        :raises KeyError: there is no such part.
        """
        data = self.read(name)
        if b"http://purl.oclc.org/ooxml/" in data:
            for strict, common in _STRICT:
                data = data.replace(strict, common)
        return parsed_xml(data)

    def xml_or_none(self, name: str) -> _Element | None:
        return self.xml(name) if name in self.names else None

    def related(self, name: str) -> dict[str, tuple[str, str]]:
        """Relationships of an Office part by id: (last word of the type, part or outside address)."""
        folder, base = posixpath.split(name)
        root = self.xml_or_none(posixpath.join(folder, "_rels", f"{base}.rels"))
        found = {}
        for one in root.iter(_REL) if root is not None else ():
            target = one.get("Target", "")
            if one.get("TargetMode") != "External":
                target = posixpath.normpath(posixpath.join("/", folder, target)).lstrip("/")
            found[one.get("Id", "")] = (one.get("Type", "").rpartition("/")[2], target)
        return found

    def main_part(self) -> str:
        """Of an Office package. :raises DocumentError: there is none."""
        for kind, target in self.related("").values():
            if kind == "officeDocument" and target in self.names:
                return target
        raise DocumentError("a damaged Office file (it names no main part)")

    def properties(self) -> dict[str, str]:
        """Title, author, dates, language that an Office package states."""
        root = self.xml_or_none("docProps/core.xml")
        if root is None:
            return {}
        stated = {
            "title": root.findtext(f"{_DC}title"),
            "author": root.findtext(f"{_DC}creator"),
            "created": root.findtext(f"{_DCTERMS}created"),
            "modified": root.findtext(f"{_DCTERMS}modified"),
            "language": root.findtext(f"{_DC}language"),
        }
        return kept_properties(stated)

    def _check(self, options: LoadOptions) -> set[str]:
        names, total = set(), 0
        infos = self._archive.infolist()
        if len(infos) > _MAX_PARTS:
            raise DocumentError(f"a package of {len(infos):,} parts, more than the limit of {_MAX_PARTS:,}")
        for info in infos:
            if info.flag_bits & 1:
                raise DocumentError("encrypted: it opens only with a password; save it without one")
            size, tail, is_xml = 0, b"", info.filename.lower().endswith(_XML_SUFFIXES)
            try:
                with self._archive.open(info) as part:
                    while chunk := part.read(_CHUNK_BYTES):
                        size += len(chunk)
                        total += len(chunk)
                        _refuse_bomb(size, info.compress_size, total, options)
                        if is_xml and _declares_entities(tail + chunk):
                            raise DocumentError("its XML declares entities, which no such program writes; refused")
                        tail = chunk[-40:]
            except (zipfile.BadZipFile, OSError, EOFError, ValueError, NotImplementedError, RuntimeError) as error:
                if is_xml:
                    raise DocumentError("a damaged archive") from error
                continue  # a broken picture does not cost the text
            except Exception as error:  # zlib.error and those of other compressions
                if isinstance(error, DocumentError):
                    raise
                if is_xml:
                    raise DocumentError("a damaged archive") from error
                continue
            names.add(info.filename)
        return names


def parsed_xml(data: bytes) -> _Element:
    """No entity is expanded, no DTD loaded, nothing fetched; slips of the writing program are passed over.

    :raises DocumentError: it declares entities or is no XML at all.
    """
    from lxml import etree

    if _declares_entities(data):
        raise DocumentError("its XML declares entities, which no such program writes; refused")
    settings = {"resolve_entities": False, "no_network": True, "load_dtd": False, "remove_comments": True}
    try:
        return etree.fromstring(data, etree.XMLParser(**settings, remove_pis=True))
    except etree.XMLSyntaxError as error:
        root = etree.fromstring(data, etree.XMLParser(**settings, remove_pis=True, recover=True)) if data else None
        if root is None:
            raise DocumentError("damaged: a part of it is no XML") from error
        return root


def _declares_entities(data: bytes) -> bool:
    return b"<!ENTITY" in (data.replace(b"\x00", b"") if b"\x00" in data else data)


def _refuse_bomb(size: int, packed: int, total: int, options: LoadOptions) -> None:
    if total > options.max_unpacked_bytes:
        raise DocumentError(f"unpacks to more than the limit of {options.max_unpacked_bytes // 2**20} MiB")
    if size > _SUSPECT_BYTES and size > packed * _SUSPECT_RATIO:
        raise DocumentError(f"a part of it unpacks to more than {_SUSPECT_RATIO} times its size; refused")
