"""The text of one Word paragraph: runs, links, fields, ticked boxes, equations, and what is anchored in it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from ingest.loaders.charts import chart_markdown
from ingest.loaders.comments import comment_line
from ingest.loaders.packages import Package
from ingest.loaders.pictures import Pictures
from ingest.loaders.slides import diagram_markdown
from ingest.loaders.word_lists import W

if TYPE_CHECKING:
    from lxml.etree import _Element

_R = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
_A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
_V = "{urn:schemas-microsoft-com:vml}"
_C = "{http://schemas.openxmlformats.org/drawingml/2006/chart}"
_DGM = "{http://schemas.openxmlformats.org/drawingml/2006/diagram}"
_M = "{http://schemas.openxmlformats.org/officeDocument/2006/math}"
_W14 = "{http://schemas.microsoft.com/office/word/2010/wordml}"
_SKIPPED = {"del", "moveFrom", "instrText", "delText", "pPr", "rPr", "sdtPr", "Fallback", "fldData", "tbl"}
_BREAKS = {"br": "\n", "cr": "\n", "tab": " ", "noBreakHyphen": "-", "softHyphen": "", "ptab": " "}
_FILE_NAME = re.compile(r"\.(?:png|jpe?g|gif|bmp|tiff?|emf|wmf|svg|webp)$", re.I)


class Notes:
    """Footnotes, endnotes and comments, taken where they are referred to."""

    def __init__(self, package: Package, parts: dict[str, str]):
        self._notes = {kind: _by_id(package, parts.get(f"{kind}s", ""), kind) for kind in ("footnote", "endnote")}
        self._comments = _by_id(package, parts.get("comments", ""), "comment")
        self._used: list[tuple[str, str]] = []

    def refer(self, kind: str, id_: str) -> str:
        if id_ not in self._notes[kind]:
            return ""
        if (kind, id_) not in self._used:
            self._used.append((kind, id_))
        return f"[^{self._used.index((kind, id_)) + 1}]"

    def definitions(self, text_of: Callable[[_Element], str]) -> list[str]:
        lines, done = [], 0
        while done < len(self._used):  # a note may refer to another one
            kind, id_ = self._used[done]
            done += 1
            text = " ".join(text_of(one) for one in self._notes[kind][id_].iter(f"{W}p"))
            lines.append(f"[^{done}]: {' '.join(text.split())}")
        return lines

    def comment(self, id_: str) -> _Element | None:
        return self._comments.get(id_)


def _by_id(package: Package, name: str, kind: str) -> dict[str, _Element]:
    root = package.xml_or_none(name)
    if root is None:
        return {}
    return {one.get(f"{W}id", ""): one for one in root.iter(f"{W}{kind}") if one.get(f"{W}type") in {None, "normal"}}


class Inline:
    """`text` collects what is anchored in a paragraph; `boxes` and `asides` hand it out once, after the paragraph."""

    def __init__(self, package: Package, relations: dict[str, tuple[str, str]], notes: Notes, pictures: Pictures):
        self._package = package
        self._pictures = pictures
        self._relations = relations
        self._notes = notes
        self._boxes: list[_Element] = []
        self._asides: list[str] = []

    def text(self, element: _Element) -> str:
        pieces = "".join(self._pieces(element))
        return re.sub(r"~~(\s*)~~", r"\1", re.sub(r"[ \u00a0]{2,}", " ", pieces))

    def boxes(self) -> list[_Element]:
        boxes, self._boxes = self._boxes, []
        return boxes

    def asides(self) -> list[str]:
        asides, self._asides = self._asides, []
        return asides

    def _pieces(self, element: _Element) -> Iterator[str]:
        tag = local(element)
        if tag in _SKIPPED:
            return
        if tag == "t":
            yield element.text or ""
        elif tag in _BREAKS:
            yield _BREAKS[tag] if element.get(f"{W}type") != "page" else "\n"
        elif tag == "sym":
            yield _symbol(element.get(f"{W}char", ""))
        elif tag == "oMathPara":
            yield from self._equations(element.iter(f"{_M}oMath"), "$$")
        elif tag == "oMath":
            yield from self._equations([element], "$")
        elif tag == "txbxContent":
            self._boxes.append(element)
        elif tag in {"drawing", "pict", "object"}:
            yield from self._drawing(element)
        elif tag in {"footnoteReference", "endnoteReference"}:
            yield self._notes.refer(tag.removesuffix("Reference"), element.get(f"{W}id", ""))
        elif tag == "commentReference":
            self._comment(element.get(f"{W}id", ""))
        elif tag == "checkBox" and local(element.getparent()) == "ffData":
            yield _mark(element.find(f"{W}checked"), element.find(f"{W}default"))
        elif tag == "hyperlink":
            yield self._link(element)
        elif tag == "sdt":
            yield from self._control(element)
        elif tag == "r":
            yield self._run(element)
        else:
            yield from self._below(element)

    def _below(self, element: _Element) -> Iterator[str]:
        for child in element:
            yield from self._pieces(child)

    def _run(self, run: _Element) -> str:
        properties = run.find(f"{W}rPr")
        text = "".join(self._below(run))
        if properties is None or not text.strip():
            return text
        if _on(properties.find(f"{W}vanish")):
            return ""
        if _on(properties.find(f"{W}strike")) or _on(properties.find(f"{W}dstrike")):
            return f"~~{text}~~"
        return text

    def _link(self, element: _Element) -> str:
        text = "".join(self._below(element)).strip()
        _, target = self._relations.get(element.get(f"{_R}id", ""), ("", ""))
        outside = target.startswith(("http:", "https:", "mailto:"))
        return f"[{text}]({target})" if outside and text and target != text else text

    def _control(self, element: _Element) -> Iterator[str]:
        """A content control: a ticked box, or a field; the prompt of an empty one is no text."""
        properties = element.find(f"{W}sdtPr")
        box = properties.find(f"{_W14}checkbox") if properties is not None else None
        if box is not None:
            yield _mark(box.find(f"{_W14}checked"), None)
        elif properties is None or properties.find(f"{W}showingPlcHdr") is None:
            yield from self._below(element)

    def _drawing(self, element: _Element) -> Iterator[str]:
        for box in element.iter(f"{W}txbxContent"):
            if not any(local(above) in {"Fallback", "txbxContent"} for above in _between(box, element)):
                self._boxes.append(box)
        for chart in element.iter(f"{_C}chart"):
            self._asides += self._related(chart.get(f"{_R}id", ""), chart_markdown)
        for diagram in element.iter(f"{_DGM}relIds"):
            self._asides += self._related(diagram.get(f"{_R}dm", ""), diagram_markdown)
        for properties in element.iter():
            if local(properties) == "docPr":
                description = " ".join((properties.get("descr") or "").split())
                if description and not _FILE_NAME.search(description):
                    self._asides.append(f"![{description}](image)")
        for blip in element.iter(f"{_A}blip", f"{_V}imagedata"):
            id_ = blip.get(f"{_R}embed") or blip.get(f"{_R}id", "")
            words = self._pictures.text(self._relations.get(id_, ("", ""))[1])
            self._asides += [words] if words else []
        yield ""

    def _related(self, id_: str, read: Callable[[_Element], str]) -> list[str]:
        root = self._package.xml_or_none(self._relations.get(id_, ("", ""))[1])
        text = read(root) if root is not None else ""
        return [text] if text else []

    def _comment(self, id_: str) -> None:
        comment = self._notes.comment(id_)
        text = (
            " ".join(" ".join(self.text(one).split()) for one in comment.iter(f"{W}p")) if comment is not None else ""
        )
        if comment is not None and text:
            stated = {name: comment.get(f"{W}{name}", "") for name in ("author", "initials", "date")}
            self._asides.append(comment_line(text, stated["author"], stated["initials"], stated["date"]))

    def _equations(self, equations: Iterator[_Element] | list[_Element], mark: str) -> Iterator[str]:
        from markitdown.converter_utils.docx.math.omml import oMath2Latex

        for equation in equations:
            try:
                latex = str(oMath2Latex(equation)).strip()
            except Exception:  # a sign that its tables do not have: the plain characters are better than nothing
                latex = "".join(equation.itertext())
            yield f" {mark}{latex}{mark} " if latex else ""


def local(element: _Element) -> str:
    return str(element.tag).rpartition("}")[2]


def _between(element: _Element, root: _Element) -> Iterator[_Element]:
    above = element.getparent()
    while above is not None and above is not root:
        yield above
        above = above.getparent()


def _on(switch: _Element | None) -> bool:
    return switch is not None and switch.get(f"{W}val", "true") not in {"0", "false", "off"}


def _mark(checked: _Element | None, default: _Element | None) -> str:
    state = checked if checked is not None else default
    if state is None:
        return "[ ] "
    value = state.get(f"{_W14}val") or state.get(f"{W}val") or "1"
    return "[x] " if value in {"1", "true", "on"} else "[ ] "


def _symbol(code: str) -> str:
    """Characters of symbol fonts stand in a private range; ticked boxes are the ones that matter."""
    known = {"F0FE": "[x]", "F0FD": "[x]", "F052": "[x]", "F0A8": "[ ]", "F06F": "[ ]", "F0FC": "✓", "F0FB": "✗",
             "F0B7": "•", "F0E0": "→", "F0E8": "→"}  # fmt: skip
    if code.upper() in known:
        return known[code.upper()]
    try:
        number = int(code, 16)
    except ValueError:
        return ""
    return "" if 0xE000 <= number <= 0xF8FF or number > 0x10FFFF or 0xD800 <= number < 0xE000 else chr(number)
