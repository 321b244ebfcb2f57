"""XLSX and XLSM: one `Document` a visible sheet, values as they are shown, charts as the table behind them."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from langchain_core.documents import Document

from ingest.loaders.charts import chart_markdown
from ingest.loaders.comments import comment_line
from ingest.loaders.grids import Merges, Row, grid_markdown
from ingest.loaders.number_formats import shown
from ingest.loaders.options import LoadOptions
from ingest.loaders.packages import Package
from ingest.loaders.pictures import Pictures
from ragvoice.datatypes import Place
from ragvoice.errors import DocumentError

if TYPE_CHECKING:
    from openpyxl.workbook import Workbook

_R = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
_A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
_C = "{http://schemas.openxmlformats.org/drawingml/2006/chart}"
_XDR = "{http://schemas.openxmlformats.org/drawingml/2006/spreadsheetDrawing}"
_MERGE = re.compile(rb"<(?:\w+:)?mergeCell\s[^>]*?ref=[\"']([A-Z]{1,3})(\d+):([A-Z]{1,3})(\d+)[\"']")
_MAX_MERGES = 5_000


def load_xlsx(path: Path, options: LoadOptions) -> Iterator[Document]:
    from openpyxl import load_workbook

    with Package(path, options) as package, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about validation rules and other parts that openpyxl drops
        main = package.main_part()
        relations = package.related(main)
        try:
            workbook = load_workbook(path, read_only=True, data_only=True, keep_links=False)
        except Exception:  # styles or dates that openpyxl refuses; the values are there all the same
            yield from _values_only(path)
            return
        metadata: dict[str, Any] = dict(package.properties())
        pictures = Pictures(package, options)
        try:
            for sheet in package.xml(main).iter("{*}sheet"):
                name = sheet.get("name", "")
                kind, part = relations.get(sheet.get(f"{_R}id", ""), ("", ""))
                if sheet.get("state", "visible") != "visible" or part not in package.names:
                    continue
                blocks = [*_cells(workbook, name, package, part, options)] if kind == "worksheet" else []
                blocks += [*_comments(package, part), *_drawings(package, part, pictures)]
                if blocks:
                    text = "\n\n".join([f"## {name}", *blocks])
                    yield Document(text, metadata={**metadata, "place": Place("sheet", name)})
                    metadata = {}
        finally:
            workbook.close()


def _values_only(path: Path) -> Iterator[Document]:
    """Through kreuzberg: a heading and a table for each sheet."""
    from kreuzberg import ExtractionConfig, extract_file_sync

    config = ExtractionConfig(output_format="markdown", use_cache=False)
    mime = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    text = str(extract_file_sync(str(path), mime, config=config).content)
    for sheet in re.split(r"^(?=## )", text, flags=re.M):
        if sheet.strip():
            name = sheet.partition("\n")[0].removeprefix("## ").strip()
            yield Document(sheet.strip(), metadata={"place": Place("sheet", name)})


def _cells(workbook: Workbook, name: str, package: Package, part: str, options: LoadOptions) -> Iterator[str]:
    characters = 0
    for block in grid_markdown(_rows(workbook[name], options), _merges(package.read(part))):
        characters += len(block)
        if characters > options.max_characters:
            raise DocumentError(f"more text than the limit of {options.max_characters:,} characters for one file")
        yield block


def _rows(sheet: Any, options: LoadOptions) -> Iterator[tuple[int, Row]]:
    sheet.reset_dimensions()  # what the file says about its size is often wrong
    characters = 0
    for number, cells in enumerate(sheet.iter_rows(), start=1):
        row = {}
        for column, cell in enumerate(cells, start=1):
            if cell.value is not None and (text := shown(cell.value, cell.number_format or "").strip()):
                row[column] = text
                characters += len(text)
        if characters > options.max_characters:
            raise DocumentError(f"more text than the limit of {options.max_characters:,} characters for one file")
        yield number, row


def _merges(xml: bytes) -> Merges:
    found = {}
    for left, top, right, bottom in _MERGE.findall(xml)[:_MAX_MERGES]:
        found[int(top), _column(left)] = (int(bottom), min(_column(right), _column(left) + 1_000))
    return found


def _column(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + letter - ord("A") + 1
    return number


def _comments(package: Package, part: str) -> Iterator[str]:
    for kind, target in package.related(part).values():
        root = package.xml_or_none(target) if kind == "comments" else None
        if root is None:
            continue
        authors = [author.text or "" for author in root.iter("{*}author")]
        for comment in root.iter("{*}comment"):
            text = " ".join("".join(one.text or "" for one in comment.iter("{*}t")).split())
            number = comment.get("authorId", "")
            author = authors[int(number)] if number.isdigit() and int(number) < len(authors) else ""
            if text:
                yield comment_line(text, "" if author.startswith("tc=") else author, place=comment.get("ref", ""))


def _drawings(package: Package, part: str, pictures: Pictures) -> Iterator[str]:
    """Text boxes, words in pictures, and charts of a sheet."""
    for kind, target in package.related(part).values():
        root = package.xml_or_none(target) if kind == "drawing" else None
        if root is None:
            continue
        relations = package.related(target)
        for shape in root.iter(f"{_XDR}txBody"):
            lines = ("".join(text.text or "" for text in line.iter(f"{_A}t")) for line in shape.iter(f"{_A}p"))
            if text := "\n".join(line for line in lines if line.strip()):
                yield text
        for blip in root.iter(f"{_A}blip"):
            if words := pictures.text(relations.get(blip.get(f"{_R}embed", ""), ("", ""))[1]):
                yield words
        for chart in root.iter(f"{_C}chart"):
            found = package.xml_or_none(relations.get(chart.get(f"{_R}id", ""), ("", ""))[1])
            if found is not None and (text := chart_markdown(found)):
                yield text
