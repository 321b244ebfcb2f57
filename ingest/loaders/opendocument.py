"""ODT, ODS and ODP from their `content.xml`: one `Document` in all, one a sheet, or one a slide."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from langchain_core.documents import Document

from ingest.loaders.comments import comment_line
from ingest.loaders.grids import Row, grid_markdown
from ingest.loaders.options import LoadOptions
from ingest.loaders.packages import Package
from ingest.loaders.properties import kept_properties
from ingest.loaders.tables import markdown_table, one_line
from ragvoice.datatypes import Place
from ragvoice.errors import DocumentError

if TYPE_CHECKING:
    from lxml.etree import _Element

_MAX_REPEATS = 1_000
"""Of a row or cell with content: sheets repeat empty ones up to a million times, which are left out at once."""
_MAX_COLUMNS = 5_000
_INDENT = "   "


def load_opendocument(path: Path, options: LoadOptions) -> Iterator[Document]:
    with Package(path, options) as package:
        if "META-INF/manifest.xml" in package.names and b"encryption-data" in package.read("META-INF/manifest.xml"):
            raise DocumentError("encrypted: it opens only with a password; save it without one")
        metadata: dict[str, Any] = _properties(package.xml_or_none("meta.xml"))
        content = package.xml("content.xml") if "content.xml" in package.names else None
        body = content.find("{*}body") if content is not None else None
        for part in body if body is not None else ():
            for text, place in _documents(part, options):
                yield Document(text, metadata={**metadata, "place": place} if place else metadata)
                metadata = {}


def _documents(part: _Element, options: LoadOptions) -> Iterator[tuple[str, Place | None]]:
    kind = _local(part)
    if kind == "spreadsheet":
        for sheet in part.iterfind("{*}table"):
            name = _attribute(sheet, "name")
            blocks = list(grid_markdown(_rows(sheet, options), {}))
            if blocks:
                yield "\n\n".join([f"## {name}", *blocks]), Place("sheet", name)
    elif kind in {"presentation", "drawing"}:
        for number, page in enumerate(part.iterfind("{*}page"), start=1):
            yield "\n\n".join(_slide(page)), Place("slide", number)
    else:
        yield "\n\n".join(_joined(_blocks(part))), None


def _slide(page: _Element) -> Iterator[str]:
    frames = [one for one in page if _local(one) != "notes"]
    frames.sort(key=lambda frame: _attribute(frame, "class") != "title")  # stable: the title leads
    for frame in frames:
        blocks = list(_joined(_blocks_of(frame)))
        if _attribute(frame, "class") == "title" and blocks:
            yield "# " + " ".join(blocks).replace("\n", " ")
        else:
            yield from blocks
    for notes in page.iterfind("{*}notes"):
        text = "\n".join(
            block for frame in notes if _attribute(frame, "class") == "notes" for block in _blocks_of(frame)
        )
        if text:
            yield f"Notes:\n{text}"


def _blocks(parent: _Element) -> Iterator[str]:
    for element in parent:
        yield from _blocks_of(element)


def _blocks_of(element: _Element) -> Iterator[str]:
    kind = _local(element)
    if kind == "h":
        level = _attribute(element, "outline-level")
        text = one_line(_text(element))
        yield "#" * min(int(level) if level.isdigit() and int(level) else 1, 6) + f" {text}" if text else ""
        yield from _anchored(element)
    elif kind == "p":
        yield _text(element).strip()
        yield from _anchored(element)
    elif kind == "list":
        yield "\n".join(_list(element, 0))
    elif kind == "table":
        yield from _table(element)
    elif kind == "annotation":
        return
    elif kind not in {"tracked-changes", "forms", "sequence-decls", "settings", "table-of-content-source", "thumbnail"}:
        yield from _blocks(element)


def _anchored(paragraph: _Element) -> Iterator[str]:
    """Text boxes, tables in frames, described pictures and comments of a paragraph, after it."""
    for element in paragraph.iter("{*}text-box"):
        yield from _blocks(element)
    for frame in paragraph.iter("{*}frame"):
        description = one_line(" ".join(frame.findtext(f"{{*}}{name}") or "" for name in ("title", "desc")))
        if description:
            yield f"![{description}](image)"
    for note in paragraph.iter("{*}annotation"):
        text = " ".join(_text(line) for line in note.iterfind("{*}p"))
        if text.strip():
            yield comment_line(text, note.findtext("{*}creator") or "", time=note.findtext("{*}date") or "")


def _list(element: _Element, depth: int) -> Iterator[str]:
    for item in element:
        if _local(item) not in {"list-item", "list-header"}:
            continue
        first = True
        for child in item:
            if _local(child) == "list":
                yield from _list(child, depth + 1)
                continue
            for block in _blocks_of(child):
                text = block.replace("\n", f"\n{_INDENT * (depth + 1)}")
                if text.strip():
                    yield f"{_INDENT * depth}- {text}" if first else f"{_INDENT * (depth + 1)}{text}"
                    first = False


def _table(table: _Element) -> Iterator[str]:
    rows: list[list[str]] = []
    covered: dict[int, tuple[int, str]] = {}
    for row in table.iter("{*}table-row"):
        if next(row.iterancestors("{*}table"), None) is not table:
            continue
        cells: list[str] = []
        for cell in row:
            kind = _local(cell)
            if kind == "covered-table-cell":
                left, text = covered.get(len(cells), (0, ""))
                covered[len(cells)] = (left - 1, text)
                cells.append(text if left > 0 else cells[-1] if cells else "")
            elif kind == "table-cell":
                text = " ".join(one_line(_words(block)) for block in _blocks(cell) if block.strip())
                down, across = (int(_attribute(cell, f"number-{name}-spanned") or 1) for name in ("rows", "columns"))
                for column in range(len(cells), len(cells) + min(across, _MAX_COLUMNS)):
                    covered[column] = (down - 1, text)
                repeats = min(int(_attribute(cell, "number-columns-repeated") or 1), _MAX_REPEATS if text else 50)
                cells += [text] * repeats
        rows.append(cells)
    yield markdown_table([row for row in rows if any(row)])


def _words(block: str) -> str:
    """A nested table as words: Markdown has no tables in cells."""
    if not block.startswith("|"):
        return re.sub(r"^#+ ", "", block)
    lines = [line.strip("| ") for line in block.split("\n") if not re.fullmatch(r"[| -]+", line)]
    return "; ".join(re.sub(r"\s*\|\s*", " ", line) for line in lines)


def _rows(sheet: _Element, options: LoadOptions) -> Iterator[tuple[int, Row]]:
    number, characters = 1, 0
    for row in sheet.iter("{*}table-row"):
        repeated = int(_attribute(row, "number-rows-repeated") or 1)
        column, cells = 1, {}
        for cell in row:
            if _local(cell) not in {"table-cell", "covered-table-cell"}:
                continue
            times = int(_attribute(cell, "number-columns-repeated") or 1)
            text = "\n".join(_text(line) for line in cell.iterfind("{*}p")).strip()
            if text:
                cells.update(dict.fromkeys(range(column, column + min(times, _MAX_REPEATS)), text))
            column += times
        for offset in range(min(repeated, _MAX_REPEATS) if cells else 0):
            characters += sum(map(len, cells.values()))
            if characters > options.max_characters:
                raise DocumentError(f"more text than the limit of {options.max_characters:,} characters for one file")
            yield number + offset, cells
        number += repeated


def _text(element: _Element) -> str:
    """Words of a paragraph; notes stand in brackets where they are referred to."""
    pieces = [element.text or ""]
    for child in element:
        kind = _local(child)
        if kind in {"s", "tab"}:
            pieces.append(" ")
        elif kind == "line-break":
            pieces.append("\n")
        elif kind == "a":
            target, text = _attribute(child, "href"), _text(child)
            outside = target.startswith(("http:", "https:", "mailto:")) and text.strip() not in {"", target}
            pieces.append(f"[{text.strip()}]({target})" if outside else text)
        elif kind == "note":
            body = child.find("{*}note-body")
            text = one_line(" ".join(_text(one) for one in body)) if body is not None else ""
            pieces.append(f" [{text}]" if text else "")
        elif kind not in {"annotation", "text-box", "frame", "tracked-changes"}:
            pieces.append(_text(child))
        pieces.append(child.tail or "")
    return re.sub(r"[ \t\r\f]+", " ", "".join(pieces))


def _joined(blocks: Iterator[str]) -> Iterator[str]:
    return (block for block in blocks if block.strip())


def _properties(root: _Element | None) -> dict[str, str]:
    if root is None:
        return {}
    return kept_properties(
        {
            "title": root.findtext(".//{http://purl.org/dc/elements/1.1/}title"),
            "author": root.findtext(".//{*}initial-creator")
            or root.findtext(".//{http://purl.org/dc/elements/1.1/}creator"),
            "created": root.findtext(".//{*}creation-date"),
            "modified": root.findtext(".//{http://purl.org/dc/elements/1.1/}date"),
            "language": root.findtext(".//{http://purl.org/dc/elements/1.1/}language"),
        }
    )


def _attribute(element: _Element, name: str) -> str:
    return next((value for key, value in element.attrib.items() if str(key).rpartition("}")[2] == name), "")


def _local(element: _Element) -> str:
    return str(element.tag).rpartition("}")[2]
