"""DOCX: headings, numbered lists, tables, text boxes, equations, charts, notes and comments in reading order.

The body is walked as XML, because what counts in company documents (numbers of clauses, ticked boxes, text boxes,
merged cells) is lost by the converters to HTML that were measured, and an 872-page handbook takes them 20 seconds.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from langchain_core.documents import Document

from ingest.loaders.options import LoadOptions
from ingest.loaders.packages import Package
from ingest.loaders.pictures import Pictures
from ingest.loaders.properties import kept_properties, most_text
from ingest.loaders.tables import markdown_table
from ingest.loaders.word_inline import Inline, Notes, local
from ingest.loaders.word_lists import Numbering, W

if TYPE_CHECKING:
    from lxml.etree import _Element

_TRANSPARENT = {"sdt", "sdtContent", "customXml", "ins", "moveTo", "smartTag", "AlternateContent", "Choice"}
_MAX_SPAN = 64
_INDENT = "   "


def load_docx(path: Path, options: LoadOptions) -> Iterator[Document]:
    with Package(path, options) as package:
        text, language = _document(package, package.main_part(), options)
        stated = {"language": language, **package.properties()}
        yield Document(text, metadata=dict(kept_properties(stated)))


@dataclass(frozen=True)
class _Style:
    heading: int | None
    """Level from 1; 0 for the title of the document."""
    list_id: str
    list_level: int
    code: bool


@dataclass(frozen=True)
class _Shared:
    """What the body, headers and footers of one document have in common."""

    package: Package
    styles: dict[str, _Style]
    numbering: Numbering
    notes: Notes
    has_title: bool
    pictures: Pictures


def _document(package: Package, name: str, options: LoadOptions) -> tuple[str, str]:
    """Markdown, and the language that most of the text is marked with."""
    relations = package.related(name)
    parts = {kind: target for kind, target in relations.values() if target in package.names}
    style_root = package.xml_or_none(parts.get("styles", ""))
    styles = _styles(style_root)
    root = package.xml(name)
    used = {_value(properties, "pStyle") for properties in root.iter(f"{W}pPr")}
    shared = _Shared(
        package,
        styles,
        Numbering(package.xml_or_none(parts.get("numbering", ""))),
        Notes(package, parts),
        any(styles[one].heading == 0 for one in used if one in styles),
        Pictures(package, options),
    )
    body = root.find(f"{W}body")
    story = _Story(shared, body if body is not None else root, relations)
    blocks = [*story.blocks(), *shared.notes.definitions(story.inline.text)]
    headers, footers = (_margins(shared, relations, kind) for kind in ("header", "footer"))
    return "\n\n".join(_joined_lists([*headers, *blocks, *footers])), _language(root, style_root)


def _language(root: _Element, styles: _Element | None) -> str:
    default = _value(styles.find(f"{W}docDefaults/{W}rPrDefault/{W}rPr") if styles is not None else None, "lang")
    found: Counter[str] = Counter()
    for run in root.iter(f"{W}r"):
        language = _value(run.find(f"{W}rPr"), "lang") or default
        found[language] += sum(len(text.text or "") for text in run.iterfind(f"{W}t"))
    return most_text(found)


def _margins(shared: _Shared, relations: dict[str, tuple[str, str]], kind: str) -> list[str]:
    """Headers or footers, each text once, without those that only count pages."""
    found: dict[str, None] = {}
    for type_, target in relations.values():
        if type_ == kind and target in shared.package.names:
            story = _Story(shared, shared.package.xml(target), shared.package.related(target))
            text = "\n\n".join(story.blocks())
            if re.search(r"[^\W\d_]{2}", re.sub(r"\b(?:page|of|seite|von|sur|de)\b", "", text, flags=re.I)):
                found[text] = None
    return list(found)


class _Story:
    """A run of blocks of its own: the body, a header or a footer."""

    def __init__(self, shared: _Shared, root: _Element, relations: dict[str, tuple[str, str]]):
        self._shared = shared
        self._root = root
        self.inline = Inline(shared.package, relations, shared.notes, shared.pictures)

    def blocks(self) -> Iterator[str]:
        return self._blocks(self._root)

    def _blocks(self, parent: _Element) -> Iterator[str]:
        code: list[str] = []
        for element in parent:
            tag = local(element)
            if tag == "p" and self._style(element).code:
                code.append(self.inline.text(element))
                continue
            if code:
                yield _fenced(code)
                code = []
            if tag == "p":
                yield from self._paragraph(element)
            elif tag == "tbl":
                yield from self._table(element)
            elif tag in _TRANSPARENT:
                yield from self._blocks(element)
            elif tag in {"oMathPara", "oMath"}:
                yield self.inline.text(element)
        if code:
            yield _fenced(code)

    def _paragraph(self, paragraph: _Element) -> Iterator[str]:
        text = self.inline.text(paragraph).strip()
        style = self._style(paragraph)
        level, label = self._label(paragraph, style) if text else (0, None)
        if style.heading is not None:
            text = text.replace("\n", " ")
            label = "" if label in {None, "-"} else f"{label} "
            depth = min(style.heading + self._shared.has_title, 6) or 1
            if text:
                yield f"{'#' * depth} {label}{text}"
        elif label is None:
            if text:
                yield text
        elif text:
            mark = label if label == "-" or re.fullmatch(r"\d+[.)]", label) else f"- {label}".rstrip()
            indent = _INDENT * level
            yield f"{indent}{mark} " + text.replace("\n", f"\n{indent}{_INDENT}")
        for box in self.inline.boxes():
            yield from self._blocks(box)
        yield from self.inline.asides()

    def _label(self, paragraph: _Element, style: _Style) -> tuple[int, str | None]:
        stated = paragraph.find(f"{W}pPr/{W}numPr")
        list_id, level = style.list_id, style.list_level
        if stated is not None:
            list_id = _value(stated, "numId") or list_id
            level = int(_value(stated, "ilvl") or level or 0)
        label = self._shared.numbering.label(list_id, level) if list_id and list_id != "0" else None
        return level, label or None  # a level that shows no mark is no list

    def _style(self, paragraph: _Element) -> _Style:
        properties = paragraph.find(f"{W}pPr")
        style = self._shared.styles.get(_value(properties, "pStyle"), self._shared.styles[""])
        outline = _value(properties, "outlineLvl")
        if style.heading is None and outline.isdigit() and int(outline) < 9:
            return _Style(int(outline) + 1, style.list_id, style.list_level, style.code)
        return style

    def _table(self, table: _Element) -> Iterator[str]:
        rows = list(self._rows(table))
        if len(rows) == 1 and len(rows[0]) == 1:  # a frame around text, not a table
            for cell in table.iterfind(f"{W}tr/{W}tc"):
                yield from self._blocks(cell)
            return
        grid: list[list[str]] = []
        for row in rows:
            cells: list[str] = []
            for cell in row:
                properties = cell.find(f"{W}tcPr")
                merge = properties.find(f"{W}vMerge") if properties is not None else None
                if merge is not None and merge.get(f"{W}val") != "restart" and grid and len(cells) < len(grid[-1]):
                    text = grid[-1][len(cells)]
                else:
                    text = " ".join(self._blocks_of_cell(cell))
                span = _value(properties, "gridSpan")
                cells += [text] * min(int(span) if span.isdigit() else 1, _MAX_SPAN)
            grid.append(cells)
        yield markdown_table(grid)

    def _rows(self, parent: _Element) -> Iterator[list[_Element]]:
        for element in parent:
            if local(element) == "tr":
                deleted = element.find(f"{W}trPr/{W}del") is not None
                if not deleted:
                    yield list(_cells(element))
            elif local(element) in _TRANSPARENT:
                yield from self._rows(element)

    def _blocks_of_cell(self, cell: _Element) -> Iterator[str]:
        """A table in a cell becomes its words, row by row: Markdown has no tables in cells."""
        for block in self._blocks(cell):
            if block.startswith("|"):
                rows = [line.strip("| ") for line in block.split("\n") if not re.fullmatch(r"[| -]+", line)]
                yield "; ".join(re.sub(r"\s*(?<!\\)\|\s*", " ", row).replace("\\|", "|") for row in rows)
            else:
                yield re.sub(r"^#+ ", "", block)


def _cells(row: _Element) -> Iterator[_Element]:
    for element in row:
        if local(element) == "tc":
            yield element
        elif local(element) in _TRANSPARENT:
            yield from _cells(element)


def _styles(root: _Element | None) -> dict[str, _Style]:
    """By style id; "" is that of a paragraph without a style."""
    found = {"": _Style(None, "", 0, False)}
    raw = {style.get(f"{W}styleId", ""): style for style in root.iter(f"{W}style")} if root is not None else {}
    for name, style in raw.items():
        found[name] = _resolved(style, raw)
    for name, style in raw.items():
        if style.get(f"{W}type") == "paragraph" and style.get(f"{W}default") in {"1", "true"}:
            found[""] = found[name]
    return found


def _resolved(style: _Element, raw: dict[str, _Element]) -> _Style:
    """What it states itself, else what the styles below it state."""
    heading, list_id, list_level, code = None, "", 0, False
    seen: set[str] = set()
    current: _Element | None = style
    while current is not None and current.get(f"{W}styleId", "") not in seen:
        seen.add(current.get(f"{W}styleId", ""))
        name = _value(current, "name").casefold()
        outline = _value(current.find(f"{W}pPr"), "outlineLvl")
        if heading is None:
            if match := re.fullmatch(r"heading ([1-9])", name):
                heading = int(match[1])
            elif name == "title":
                heading = 0
            elif outline.isdigit():
                heading = int(outline) + 1 if int(outline) < 9 else None
        numbering = current.find(f"{W}pPr/{W}numPr")
        if numbering is not None and not list_id:
            list_id, list_level = _value(numbering, "numId"), int(_value(numbering, "ilvl") or 0)
        code = code or name in {"html preformatted", "code", "source code", "preformatted text", "macro"}
        current = raw.get(_value(current, "basedOn"))
    return _Style(heading, list_id, list_level, code)


def _value(parent: _Element | None, name: str) -> str:
    found = parent.find(f"{W}{name}") if parent is not None else None
    return found.get(f"{W}val", "") if found is not None else ""


def _fenced(lines: list[str]) -> str:
    return "```\n" + "\n".join(lines) + "\n```"


def _joined_lists(blocks: list[str]) -> Iterator[str]:
    """Items of one list without empty lines between them."""
    item = re.compile(r"\s*(?:-|\d+[.)]) ")
    held = ""
    for block in blocks:
        if held and item.match(held) and item.match(block):
            held += f"\n{block}"
            continue
        if held:
            yield held
        held = block
    if held:
        yield held
