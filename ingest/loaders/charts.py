"""Charts of Office files: the values behind the picture as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ingest.loaders.tables import markdown_table

if TYPE_CHECKING:
    from lxml.etree import _Element

_C = "{http://schemas.openxmlformats.org/drawingml/2006/chart}"
_A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
_KINDS = ("bar", "line", "pie", "area", "scatter", "bubble", "doughnut", "radar", "surface", "stock")
_MAX_POINTS = 10_000


def chart_markdown(root: _Element) -> str:
    """Title, kind and data of a `c:chartSpace`; empty for a chart without data."""
    plot = root.find(f".//{_C}plotArea")
    if plot is None:
        return ""
    kinds = [
        kind for kind in _KINDS if any(f"{kind}Chart" in _local(one) or f"{kind}3D" in _local(one) for one in plot)
    ]
    series = list(plot.iter(f"{_C}ser"))
    rows = _rows(series)
    title = " ".join(text.text or "" for text in root.iterfind(f".//{_C}chart/{_C}title//{_A}t")).strip()
    caption = " and ".join(kinds).capitalize() + " chart" if kinds else "Chart"
    return "\n\n".join(part for part in (title, caption, markdown_table(rows)) if part) if len(rows) > 1 else title


def _rows(series: list[_Element]) -> list[list[str]]:
    """Category by series; the categories in the order of the first series that has them."""
    names = [_texts(one.find(f"{_C}tx")) for one in series]
    header = ["", *(" ".join(name.values()) for name in names)]
    categories: dict[int, str] = {}
    for one in series:
        for tag in ("cat", "xVal"):
            for index, text in _texts(one.find(f"{_C}{tag}")).items():
                categories.setdefault(index, text)
    values = [_texts(one.find(f"{_C}val")) or _texts(one.find(f"{_C}yVal")) for one in series]
    indices = sorted({*categories, *(index for column in values for index in column)})[:_MAX_POINTS]
    return [header, *([categories.get(i, ""), *(column.get(i, "") for column in values)] for i in indices)]


def _texts(element: _Element | None) -> dict[int, str]:
    """Cached points by index."""
    if element is None:
        return {}
    points = {}
    for number, point in enumerate(element.iter(f"{_C}pt")):
        points[int(point.get("idx") or number)] = _plain_number((point.findtext(f"{_C}v") or "").strip())
    if not points and (direct := element.findtext(f"{_C}v")):
        points[0] = direct.strip()
    return points


def _plain_number(text: str) -> str:
    """Without the digits that binary fractions add: 4.2999999999999998 is 4.3."""
    try:
        number = float(text)
    except ValueError:
        return text
    return f"{number:.12g}" if len(text) > 12 and "e" not in text.lower() and "." in text else text


def _local(element: _Element) -> str:
    return str(element.tag).rpartition("}")[2]
