"""PPTX: one `Document` a slide with its title, texts, tables, charts, speaker's notes and comments.

The slides are walked as XML: that also reads shapes that python-pptx does not know, and slides whose pictures are gone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from langchain_core.documents import Document

from ingest.loaders.charts import chart_markdown
from ingest.loaders.comments import comment_line
from ingest.loaders.options import LoadOptions
from ingest.loaders.packages import Package
from ingest.loaders.pictures import Pictures
from ingest.loaders.properties import kept_properties, most_text
from ingest.loaders.tables import markdown_table
from ragvoice.datatypes import Place

if TYPE_CHECKING:
    from lxml.etree import _Element

_A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
_C = "{http://schemas.openxmlformats.org/drawingml/2006/chart}"
_P = "{http://schemas.openxmlformats.org/presentationml/2006/main}"
_R = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
_DGM = "{http://schemas.openxmlformats.org/drawingml/2006/diagram}"
_TITLES = {"title", "ctrTitle"}
_MARGINS = {"sldNum", "dt", "ftr", "hdr"}
_INDENT = "   "


def load_pptx(path: Path, options: LoadOptions) -> Iterator[Document]:
    with Package(path, options) as package:
        main = package.main_part()
        relations = package.related(main)
        authors = _authors(package, [target for kind, target in relations.values() if kind in _AUTHOR_PARTS])
        pictures = Pictures(package, options)
        slides = [relations.get(one.get(f"{_R}id", ""), ("", ""))[1] for one in package.xml(main).iter(f"{_P}sldId")]
        marked = (_language(package.xml(name)) for name in slides if name in package.names)
        language = next(filter(None, marked), "")
        metadata: dict[str, Any] = dict(kept_properties({"language": language, **package.properties()}))
        for number, name in enumerate(slides, start=1):
            if name in package.names:
                text = "\n\n".join(_slide(package, name, authors, pictures))
                yield Document(text, metadata={**metadata, "place": Place("slide", number)})
                metadata = {}


def _slide(package: Package, name: str, authors: dict[str, tuple[str, str]], pictures: Pictures) -> Iterator[str]:
    relations = package.related(name)
    tree = package.xml(name).find(f"{_P}cSld/{_P}spTree")
    shapes = list(_shapes(tree)) if tree is not None else []
    shapes.sort(key=lambda shape: _placeholder(shape) not in _TITLES)  # stable: the title leads
    for shape in shapes:
        yield from _shape(shape, package, relations, pictures)
    for kind, target in relations.values():
        if kind == "notesSlide" and (notes := _notes(package.xml_or_none(target))):
            yield f"Notes:\n{notes}"
    for kind, target in relations.values():
        if kind == "comments":
            yield from _comments(package.xml_or_none(target), authors)


def _language(slide: _Element) -> str:
    found: Counter[str] = Counter()
    for run in slide.iter(f"{_A}r"):
        marks = run.find(f"{_A}rPr")
        found[marks.get("lang", "") if marks is not None else ""] += len(run.findtext(f"{_A}t") or "")
    return most_text(found)


def _shapes(parent: _Element) -> Iterator[_Element]:
    """Groups are opened; of alternatives the first is taken."""
    for element in parent:
        tag = _local(element)
        if tag in {"grpSp", "Choice", "Fallback"}:
            yield from _shapes(element)
        elif tag == "AlternateContent":
            chosen = element.find("{*}Choice")
            yield from _shapes(chosen if chosen is not None else element)
        elif tag not in {"nvGrpSpPr", "grpSpPr", "extLst"}:
            yield element


def _shape(
    shape: _Element, package: Package, relations: dict[str, tuple[str, str]], pictures: Pictures
) -> Iterator[str]:
    kind = _placeholder(shape)
    if kind in _MARGINS:
        return
    for table in shape.iter(f"{_A}tbl"):
        yield markdown_table(list(_rows(table)))
    for chart in shape.iter(f"{_C}chart"):
        root = package.xml_or_none(relations.get(chart.get(f"{_R}id", ""), ("", ""))[1])
        if root is not None and (text := chart_markdown(root)):
            yield text
    for diagram in shape.iter(f"{_DGM}relIds"):
        root = package.xml_or_none(relations.get(diagram.get(f"{_R}dm", ""), ("", ""))[1])
        if root is not None and (text := diagram_markdown(root)):
            yield text
    if _local(shape) == "pic":
        properties = next((one for one in shape.iter(f"{_P}cNvPr")), None)
        description = " ".join((properties.get("descr") or "").split()) if properties is not None else ""
        if description and "." not in description[-5:-2]:
            yield f"![{description}](image)"
        for blip in shape.iter(f"{_A}blip"):
            if words := pictures.text(relations.get(blip.get(f"{_R}embed", ""), ("", ""))[1]):
                yield words
    for body in shape.iter("{*}txBody"):
        if body.getparent() is not None and _local(body.getparent()) == "tc":
            continue
        if kind in _TITLES:
            title = " ".join(" ".join(_line(line) for line in body.iter(f"{_A}p")).split())
            yield from [f"# {title}"] if title else []
        elif text := _paragraphs(body, bulleted=kind in {"body", "obj"}):
            yield text


def _paragraphs(body: _Element, bulleted: bool) -> str:
    """:param bulleted: Where the layout's bullets are inherited."""
    lines: list[str] = []
    counts = [0] * 10
    several = sum(bool(_line(line).strip()) for line in body.iter(f"{_A}p")) > 1
    for paragraph in body.iter(f"{_A}p"):
        text = _line(paragraph).strip()
        properties = paragraph.find(f"{_A}pPr")
        level = int(properties.get("lvl") or 0) % 9 if properties is not None else 0
        marks = {_local(one) for one in properties} if properties is not None else set()
        if not text:
            continue
        if "buAutoNum" in marks:
            counts[level] += 1
            mark = f"{counts[level]}. "
        else:
            mark = (
                "- "
                if "buChar" in marks or "buBlip" in marks or (bulleted and several and "buNone" not in marks)
                else ""
            )
            counts[level] = 0
        counts[level + 1 :] = [0] * (9 - level)
        if lines and not mark and lines[-1].lstrip()[:1] == "-":
            lines.append("")
        indent = _INDENT * level if mark else ""
        lines.append(indent + mark + text.replace("\n", f"\n{indent}{_INDENT}" if mark else "\n"))
    return "\n".join(lines)


def _line(paragraph: _Element) -> str:
    pieces = []
    for element in paragraph.iter():
        tag = _local(element)
        if tag == "t":
            pieces.append(element.text or "")
        elif tag == "br":
            pieces.append("\n")
        elif tag == "tab":
            pieces.append(" ")
    return "".join(pieces).replace("\v", "\n").replace("_x000B_", "\n")


def _rows(table: _Element) -> Iterator[list[str]]:
    """Merged cells repeat their text."""
    above: list[str] = []
    for row in table.iterfind(f"{_A}tr"):
        cells: list[str] = []
        for cell in row.iterfind(f"{_A}tc"):
            if cell.get("hMerge") in {"1", "true"} and cells:
                cells.append(cells[-1])
            elif cell.get("vMerge") in {"1", "true"} and len(cells) < len(above):
                cells.append(above[len(cells)])
            else:
                cells.append(" ".join(_line(line) for line in cell.iter(f"{_A}p")))
        above = cells
        yield cells


def diagram_markdown(root: _Element) -> str:
    """The points of a SmartArt drawing as a list."""
    points = ("".join(text.text or "" for text in point.iter(f"{_A}t")).strip() for point in root.iter(f"{_DGM}pt"))
    return "\n".join(f"- {point}" for point in points if point)


def _notes(root: _Element | None) -> str:
    shapes = root.iter(f"{_P}sp") if root is not None else []
    return "\n".join(
        text
        for shape in shapes
        if _placeholder(shape) == "body"
        for body in shape.iter(f"{_P}txBody")
        if (text := _paragraphs(body, bulleted=False))
    )


_AUTHOR_PARTS = {"commentAuthors", "authors"}


def _authors(package: Package, parts: list[str]) -> dict[str, tuple[str, str]]:
    """Name and initials by id, of old comments and of threads."""
    return {
        one.get("id", ""): (one.get("name", ""), one.get("initials", ""))
        for part in parts
        if (root := package.xml_or_none(part)) is not None
        for one in root.iter()
        if one.get("name")
    }


def _comments(root: _Element | None, authors: dict[str, tuple[str, str]]) -> Iterator[str]:
    for comment in root.iter("{*}cm", "{*}reply") if root is not None else ():
        own = [one for one in comment if _local(one) in {"text", "txBody"}]
        text = " ".join(piece for one in own for piece in one.itertext())
        name, initials = authors.get(comment.get("authorId", ""), ("", ""))
        if text.strip():
            yield comment_line(text, name, initials, comment.get("dt") or comment.get("created") or "")


def _placeholder(shape: _Element) -> str:
    """Its kind: `title`, `body`, `obj` ...; empty for a shape that is none."""
    holder = next(iter(shape.iter(f"{_P}ph")), None)
    return "" if holder is None else holder.get("type", "obj")


def _local(element: _Element) -> str:
    return str(element.tag).rpartition("}")[2]
