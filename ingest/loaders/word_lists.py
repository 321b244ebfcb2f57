"""Numbering of Word: what stands before a list item or a numbered heading is computed from `numbering.xml`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lxml.etree import _Element

W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_ROMAN = ((1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"), (50, "l"), (40, "xl"), (10, "x"),
          (9, "ix"), (5, "v"), (4, "iv"), (1, "i"))  # fmt: skip
_MAX_LEVELS = 9


@dataclass(frozen=True)
class _Level:
    format: str
    text: str
    """`%1.%2)`: numbers of the levels up to this one."""
    start: int


class Numbering:
    """Counts list items in the order in which `label` is asked for them."""

    def __init__(self, root: _Element | None):
        self._abstract: dict[str, dict[int, _Level]] = {}
        self._lists: dict[str, tuple[str, dict[int, _Level], dict[int, int]]] = {}
        """By numId: its abstract list, levels written anew, starts written anew."""
        self._counts: dict[str, list[int | None]] = {}
        """By abstract list: lists that share one continue one another's numbers."""
        self._started: set[str] = set()
        if root is not None:
            self._read(root)

    def label(self, num_id: str, level: int) -> str | None:
        """`-` for a bullet, else as printed: `3.`, `1.2.`, `b)`; None when there is no such list."""
        if num_id not in self._lists or not 0 <= level < _MAX_LEVELS:
            return None
        abstract, changed, starts = self._lists[num_id]
        levels = {**self._abstract.get(abstract, {}), **changed}
        if level not in levels:
            return None
        counts = self._counts.setdefault(abstract, [None] * _MAX_LEVELS)
        if num_id not in self._started:
            self._started.add(num_id)
            for one, start in starts.items():
                counts[one] = start - 1
        for above in range(level):
            if counts[above] is None:
                counts[above] = levels[above].start if above in levels else 1
        current = counts[level]
        counts[level] = levels[level].start if current is None else current + 1
        counts[level + 1 :] = [None] * (_MAX_LEVELS - level - 1)
        if levels[level].format == "bullet":
            return "-"
        if levels[level].format == "none":
            return ""
        label = levels[level].text
        for one in range(level + 1):
            shown = levels.get(one, levels[level]).format
            label = label.replace(f"%{one + 1}", _written(counts[one] or 0, shown))
        return label.strip()

    def _read(self, root: _Element) -> None:
        for abstract in root.iter(f"{W}abstractNum"):
            self._abstract[abstract.get(f"{W}abstractNumId", "")] = _levels(abstract)
        for num in root.iter(f"{W}num"):
            target = num.find(f"{W}abstractNumId")
            starts, changed = {}, {}
            for override in num.iter(f"{W}lvlOverride"):
                level = _number(override.get(f"{W}ilvl"), 0)
                changed.update(_levels(override))
                start = override.find(f"{W}startOverride")
                if start is not None:
                    starts[level] = _number(start.get(f"{W}val"), 1)
            name = target.get(f"{W}val", "") if target is not None else ""
            self._lists[num.get(f"{W}numId", "")] = (name, changed, starts)


def _levels(element: _Element) -> dict[int, _Level]:
    found = {}
    for level in element.iterfind(f"{W}lvl"):
        values = {name: level.find(f"{W}{name}") for name in ("numFmt", "lvlText", "start")}
        stated = {name: one.get(f"{W}val", "") for name, one in values.items() if one is not None}
        found[_number(level.get(f"{W}ilvl"), 0)] = _Level(
            stated.get("numFmt", "decimal"), stated.get("lvlText", ""), _number(stated.get("start"), 1)
        )
    return found


def _number(text: str | None, default: int) -> int:
    try:
        return int(text) if text else default
    except ValueError:
        return default


def _written(number: int, shown: str) -> str:
    if shown in {"lowerLetter", "upperLetter"} and number > 0:
        letter = chr(ord("a") + (number - 1) % 26) * min((number - 1) // 26 + 1, 9)
        return letter.upper() if shown == "upperLetter" else letter
    if shown in {"lowerRoman", "upperRoman"} and 0 < number < 5000:
        text = ""
        for value, sign in _ROMAN:
            text += sign * (number // value)
            number %= value
        return text.upper() if shown == "upperRoman" else text
    if shown == "decimalZero":
        return f"{number:02}"
    return str(number)
