"""HTML as Markdown: what a reader sees, without navigation; cells that span rows or columns repeat their text."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from langchain_core.documents import Document

from ingest.loaders.options import LoadOptions
from ingest.loaders.properties import kept_properties
from ingest.loaders.text import decode_text

if TYPE_CHECKING:
    from bs4 import BeautifulSoup, Tag

_CHARSET = re.compile(rb"<meta[^>]{0,200}charset\s*=\s*[\"']?\s*([\w.:-]+)", re.I)
_UNSEEN = {
    "script", "style", "noscript", "template", "svg", "iframe", "object", "canvas", "nav", "select", "button", "dialog",
    "datalist", "head",
}  # fmt: skip
_UNSEEN_ROLES = {"navigation", "search"}
_UNSEEN_CLASSES = {"noprint", "mw-editsection"}
"""MediaWiki's words for what is not printed."""
_BOX_PARENTS = {"li", "label", "td", "th", "p"}
_NOT_SHOWN = re.compile(r"(?:^|;)\s*(?:display\s*:\s*none|visibility\s*:\s*hidden)", re.I)
_MAX_SPAN = 100
_MAX_CELLS = 200_000
_MAX_DEPTH = 250
"""Levels of elements; the converter takes three calls for each, and Python allows a thousand."""


@dataclass(frozen=True)
class Page:
    markdown: str
    properties: dict[str, str] = field(default_factory=dict)


def load_html(path: Path, options: LoadOptions) -> Iterator[Document]:
    page = read_html(path.read_bytes())
    yield Document(page.markdown, metadata=dict(page.properties))


def read_html(data: bytes | str) -> Page:
    from bs4 import BeautifulSoup

    soup = BeautifulSoup(_decoded(data) if isinstance(data, bytes) else data, "lxml")
    properties = _properties(soup)
    _leave_out(soup)
    main = _main(soup)
    if _is_too_deep(main):
        return Page(main.get_text("\n", strip=True), properties)
    for table in main.find_all("table"):
        if table.parent is not None and table.find_parent("table") is None:
            _flatten(soup, table)
    return Page(_markdown(main), properties)


def _decoded(data: bytes) -> str:
    """A byte order mark or valid UTF-8 counts more than what the page says about itself."""
    declared = _CHARSET.search(data[:4096])
    if declared and not data.startswith((b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf")):
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError:
            pass
        try:
            return data.decode(declared[1].decode("ascii"), errors="replace")
        except LookupError:
            pass
    return decode_text(data)


def _properties(soup: BeautifulSoup) -> dict[str, str]:
    named: dict[str, str] = {}
    for meta in soup.find_all("meta"):
        name = str(meta.get("name") or meta.get("property") or meta.get("http-equiv") or "").lower()
        named.setdefault(name.removeprefix("dc.").removeprefix("dcterms."), str(meta.get("content") or ""))
    root = soup.find("html")
    language = str(root.get("lang") or root.get("xml:lang") or "") if root is not None else ""
    return kept_properties(
        {
            "title": soup.title.get_text() if soup.title is not None else "",
            "author": named.get("author") or named.get("creator"),
            "created": _first(named, "article:published_time", "created", "issued", "date"),
            "modified": _first(named, "article:modified_time", "modified", "last-modified"),
            "language": language or _first(named, "content-language", "language"),
        }
    )


def _first(named: dict[str, str], *names: str) -> str:
    return next((named[name] for name in names if named.get(name)), "")


def _leave_out(soup: BeautifulSoup) -> None:
    from bs4 import Comment, ProcessingInstruction

    for mark in soup.find_all(string=lambda text: isinstance(text, Comment | ProcessingInstruction)):
        mark.extract()
    for element in soup.find_all(_is_unseen):
        if element.parent is not None:
            element.extract()
    for choice in soup.find_all(["ul", "ol"]):  # the same page in other languages
        links = choice.find_all("a")
        if len(links) > 1 and all(link.has_attr("hreflang") for link in links):
            choice.extract()
    for box in soup.find_all("input"):
        is_checkbox = str(box.get("type") or "").lower() == "checkbox"
        is_box = is_checkbox and box.parent is not None and box.parent.name in _BOX_PARENTS
        box.replace_with(("[x] " if box.has_attr("checked") else "[ ] ") if is_box else "")
    for image in soup.find_all("img"):
        alternative = " ".join(str(image.get("alt") or "").split())
        image.replace_with(f"![{alternative}](image)" if alternative else "")
    for link in soup.find_all("a"):
        target = str(link.get("href") or "").strip()
        if not target or target.startswith(("#", "data:", "javascript:")) or not link.get_text(strip=True):
            link.unwrap()
        else:
            del link["title"]


def _is_unseen(element: Tag) -> bool:
    if element.name in _UNSEEN:
        return True
    attributes = element.attrs
    if not attributes:
        return False
    if "hidden" in attributes or attributes.get("role") in _UNSEEN_ROLES:
        return True
    if not _UNSEEN_CLASSES.isdisjoint(attributes.get("class") or ()):
        return True
    if attributes.get("aria-hidden") == "true" and element.find("img") is None:
        return True
    return bool(_NOT_SHOWN.search(str(attributes.get("style") or "")))


def _main(soup: BeautifulSoup) -> Tag:
    """The one main part of a page that marks it, when most of the words stand there."""
    body = soup.body or soup
    marked = soup.select("main, [role=main]")
    if len(marked) == 1 and len(marked[0].get_text(" ", strip=True)) * 2 > len(body.get_text(" ", strip=True)):
        return marked[0]
    return body


def _is_too_deep(main: Tag) -> bool:
    """Whether what walks it level by level would not come back; no page that a person wrote is."""
    from bs4 import Tag

    depths = {id(main): 0}
    for element in main.descendants:
        if isinstance(element, Tag):
            depths[id(element)] = depths[id(element.parent)] + 1
    return max(depths.values()) > _MAX_DEPTH


def _flatten(soup: BeautifulSoup, table: Tag) -> None:
    """Tables for layout are dissolved; tables in cells become their words; spanning cells are repeated."""
    if _is_layout(table):
        for cell in [one for one in table.find_all(["td", "th"]) if one.find_parent("table") is table]:
            cell.name = "div"
        for part in [
            one for one in table.find_all(["tr", "tbody", "thead", "tfoot"]) if one.find_parent("table") is table
        ]:
            part.unwrap()
        inner = [one for one in table.find_all("table") if one.find_parent("table") is table]
        table.name = "div"
        for one in inner:
            _flatten(soup, one)
        return
    for nested in table.find_all("table"):
        if nested.parent is not None:
            nested.replace_with(" " + nested.get_text(" ", strip=True) + " ")
    for heading in table.find_all(["h1", "h2", "h3", "h4", "h5", "h6", "blockquote"]):
        heading.name = "p"
    for block in table.find_all("pre"):  # a fence does not fit into a cell
        block.name = "code"
        block.string = " ".join(block.get_text().split())
    _expand(soup, table)


def _is_layout(table: Tag) -> bool:
    if str(table.get("role") or "") in {"presentation", "none"}:
        return True
    rows = [row for row in table.find_all("tr") if row.find_parent("table") is table]
    widest = max((len(row.find_all(["td", "th"], recursive=False)) for row in rows), default=0)
    if len(rows) <= 1 and widest <= 1:
        return True
    has_header = any(cell.find_parent("table") is table for cell in table.find_all("th"))
    return table.find("table") is not None and not has_header and (widest == 1 or len(rows) == 1)


def _expand(soup: BeautifulSoup, table: Tag) -> None:
    pending: dict[int, tuple[int, Tag]] = {}
    cells_made = 0
    for row in table.find_all("tr"):
        cells, placed, column = row.find_all(["td", "th"], recursive=False), [], 0
        queue = iter(cells)
        cell = next(queue, None)
        while cell is not None or pending.get(column, (0, row))[0] > 0:
            left, above = pending.get(column, (0, row))
            if left > 0:
                pending[column] = (left - 1, above)
                placed.append(copy.copy(above))
                column += 1
                continue
            assert cell is not None
            rows, columns = _span(cell, "rowspan"), _span(cell, "colspan")
            for number in range(columns):
                if rows > 1:
                    pending[column] = (rows - 1, cell)
                placed.append(cell if number == 0 else copy.copy(cell))
                column += 1
            cell = next(queue, None)
        cells_made += len(placed)
        if cells_made > _MAX_CELLS:
            return
        row.clear()
        row.extend(placed)
    for one in table.find_all(["td", "th"]):
        del one["rowspan"], one["colspan"]


def _span(cell: Tag, name: str) -> int:
    text = str(cell.get(name) or "1")
    return min(int(text), _MAX_SPAN) if text.isdecimal() and int(text) else 1


def _markdown(element: Tag) -> str:
    from markdownify import MarkdownConverter

    converter = MarkdownConverter(
        heading_style="ATX",
        bullets="-",
        strip=["b", "strong", "i", "em", "u"],
        escape_asterisks=False,
        escape_underscores=False,
        escape_misc=False,
        table_infer_header=True,
        autolinks=False,
        default_title=False,
    )
    text = converter.convert_soup(element)
    lines = [line.rstrip() for line in text.replace("\u00a0", " ").replace("\u200b", "").split("\n")]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
