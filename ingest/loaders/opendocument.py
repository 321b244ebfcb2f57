"""OpenDocument (ODT, ODS, ODP) from its content.xml: headings, paragraphs, lists, tables, slides."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path
from xml.etree.ElementTree import Element

from langchain_core.document_loaders import BaseLoader
from langchain_core.documents import Document

from ingest.loaders.spreadsheets import tables
from ragvoice.datatypes import Place
from ragvoice.errors import DocumentError

_REPEATED_AT_MOST = 50
"""Cells and rows that a sheet repeats; it fills itself up to a million with empty ones."""


class OpenDocumentLoader(BaseLoader):
    def __init__(self, path: Path):
        self._path = path

    def lazy_load(self) -> Iterator[Document]:
        from defusedxml.ElementTree import fromstring

        with zipfile.ZipFile(self._path) as archive:
            if b"encryption-data" in _member(archive, "META-INF/manifest.xml"):
                raise DocumentError("encrypted; save it without a password")
            body = _child(fromstring(_member(archive, "content.xml")), "body")
        for part in body if body is not None else ():
            kind = _name(part)
            if kind == "spreadsheet":
                for sheet in part:
                    if _name(sheet) == "table":
                        name = _attribute(sheet, "name")
                        yield Document(f"## {name}\n\n{_table(sheet)}", metadata={"place": Place("sheet", name)})
            elif kind == "presentation":
                slides = [page for page in part if _name(page) == "page"]
                for number, page in enumerate(slides, start=1):
                    yield Document("\n\n".join(_blocks(page)), metadata={"place": Place("slide", number)})
            else:
                yield Document("\n\n".join(_blocks(part)))


def _blocks(element: Element) -> Iterator[str]:
    for child in element:
        kind = _name(child)
        if kind == "h":
            level = min(int(_attribute(child, "outline-level") or 1), 6)
            yield "#" * level + " " + _text(child)
        elif kind == "p":
            if text := _text(child):
                yield text
            yield from (block for box in child.iter() if _name(box) == "text-box" for block in _blocks(box))
        elif kind == "list":
            if lines := "\n".join(_list(child, 0)):
                yield lines
        elif kind == "table":
            yield _table(child)
        elif kind not in {"tracked-changes", "forms"}:
            yield from _blocks(child)


def _list(element: Element, depth: int) -> Iterator[str]:
    for item in element:
        for child in item:
            if _name(child) == "list":
                yield from _list(child, depth + 1)
            elif text := _text(child):
                yield "  " * depth + "- " + text


def _table(element: Element) -> str:
    rows = []
    for row in element.iter():
        if _name(row) != "table-row":
            continue
        cells: list[str] = []
        for cell in row:
            if _name(cell) in {"table-cell", "covered-table-cell"}:
                text = " ".join(_text(line) for line in cell.iter() if _name(line) in {"p", "h"}).replace("|", "\\|")
                cells += [text] * min(int(_attribute(cell, "number-columns-repeated") or 1), _REPEATED_AT_MOST)
        rows += [cells] * min(int(_attribute(row, "number-rows-repeated") or 1), _REPEATED_AT_MOST)
    return tables(rows)


def _text(element: Element) -> str:
    """Words of a paragraph; its notes and boxes stand elsewhere."""
    parts = [element.text or ""]
    for child in element:
        kind = _name(child)
        if kind in {"s", "tab", "line-break"}:
            parts.append(" ")
        elif kind not in {"annotation", "text-box", "frame"}:
            parts.append(_text(child))
        parts.append(child.tail or "")
    return " ".join("".join(parts).split())


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    try:
        return archive.read(name)
    except KeyError:
        return b""


def _child(element: Element, name: str) -> Element | None:
    return next((child for child in element if _name(child) == name), None)


def _name(element: Element) -> str:
    return element.tag.rsplit("}", 1)[-1]


def _attribute(element: Element, name: str) -> str:
    return next((value for key, value in element.attrib.items() if key.rsplit("}", 1)[-1] == name), "")
