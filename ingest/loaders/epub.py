"""EPUB: its chapters in the order of the spine, each read as the HTML that it is."""

from __future__ import annotations

import posixpath
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from langchain_core.documents import Document

from ingest.loaders.html import read_html
from ingest.loaders.options import LoadOptions
from ingest.loaders.packages import Package
from ingest.loaders.properties import kept_properties
from ragvoice.errors import DocumentError

if TYPE_CHECKING:
    from lxml.etree import _Element

_CHAPTERS = {"application/xhtml+xml", "text/html", "application/html", "text/x-oeb1-document"}


def load_epub(path: Path, options: LoadOptions) -> Iterator[Document]:
    with Package(path, options) as package:
        if "META-INF/encryption.xml" in package.names and b"EncryptedKey" in package.read("META-INF/encryption.xml"):
            raise DocumentError("encrypted: an e-book with copy protection")
        container = package.xml_or_none("META-INF/container.xml")
        roots = [one.get("full-path", "") for one in container.iter("{*}rootfile")] if container is not None else []
        if not roots or roots[0] not in package.names:
            raise DocumentError("a damaged e-book (it names no contents)")
        book = package.xml(roots[0])
        folder = posixpath.dirname(roots[0])
        items = {
            one.get("id", ""): posixpath.normpath(posixpath.join(folder, urllib.parse.unquote(one.get("href", ""))))
            for one in book.iter("{*}item")
            if one.get("media-type", "") in _CHAPTERS and "nav" not in one.get("properties", "").split()
        }
        stated = {
            "title": book.findtext(".//{*}metadata/{*}title"),
            "author": ", ".join(one.text or "" for one in book.iterfind(".//{*}metadata/{*}creator")),
            "created": book.findtext(".//{*}metadata/{*}date"),
            "modified": _modified(book),
            "language": book.findtext(".//{*}metadata/{*}language"),
        }
        metadata: dict[str, Any] = dict(kept_properties(stated))
        for reference in book.iter("{*}itemref"):
            name = items.get(reference.get("idref", ""), "")
            text = read_html(package.read(name)).markdown if name in package.names else ""
            if text:
                yield Document(text, metadata=metadata)
                metadata = {}


def _modified(book: _Element) -> str:
    for meta in book.iterfind(".//{*}metadata/{*}meta"):
        if meta.get("property") == "dcterms:modified":
            return meta.text or ""
    return ""
