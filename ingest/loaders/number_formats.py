"""Values of spreadsheet cells as a person sees them: dates, percentages, currencies, decimals."""

from __future__ import annotations

import datetime
import re
from functools import lru_cache

_QUOTED = re.compile(r'"([^"]*)"|\\(.)|\[\$([^\]-]*)(?:-[^\]]*)?\]|(_.|\*.|\[[^\]]*\])')
_SIGNS = "€$£¥₹₽₩₪฿"


def shown(value: object, number_format: str = "General") -> str:
    """:param number_format: Of Excel, such as `#,##0.00 "EUR"`; what it asks for beyond decimals and signs is left."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int | float):
        return _number(value, number_format)
    if isinstance(value, datetime.datetime):
        if value.time() == datetime.time.min:
            return value.date().isoformat()
        return value.isoformat(sep=" ", timespec="minutes" if not value.second else "seconds")
    if isinstance(value, datetime.time):
        return value.isoformat(timespec="minutes" if not value.second else "seconds")
    if isinstance(value, datetime.timedelta):
        minutes, seconds = divmod(round(value.total_seconds()), 60)
        return f"{minutes // 60}:{minutes % 60:02}" + (f":{seconds:02}" if seconds else "")
    return str(value)


def _number(value: int | float, number_format: str) -> str:
    if number_format == "General":
        return plain(value)
    sections = number_format.split(";")
    section = sections[1] if value < 0 and len(sections) > 1 else sections[0]
    before, digits, after = _parts(section)
    if not digits or "E" in digits or "?" in digits or "/" in digits:
        return plain(value)
    if value < 0 and len(sections) > 1 and "(" in section:
        before, after = f"-{before}".replace("(", ""), after.replace(")", "")
        value = -value
    elif value < 0 and len(sections) > 1 and "-" not in before:
        before, value = f"-{before}", -value
    elif value < 0 and len(sections) > 1:
        value = -value
    if "%" in after:
        value = value * 100
    decimals = len(digits.partition(".")[2].replace(",", ""))
    optional = digits.partition(".")[2].count("#")
    text = f"{value:{',' if ',' in digits.rstrip(',') else ''}.{decimals}f}"
    if optional:
        head, _, tail = text.partition(".")
        kept = tail[: decimals - optional] + tail[decimals - optional :].rstrip("0")
        text = f"{head}.{kept}" if kept else head
    return f"{before}{text}{after}".strip()


@lru_cache(maxsize=512)
def _parts(section: str) -> tuple[str, str, str]:
    """What stands before the digits, the digits' own pattern, and what stands behind them; signs only."""
    literal = _QUOTED.sub(lambda m: "".join(f"\x01{c}" for c in m[1] or m[2] or m[3] or ""), section)
    match = re.search(r"(?<!\x01)[#0][#0,.?/E+\-]*", literal)
    if match is None:
        return "", "", ""
    before, after = literal[: match.start()], literal[match.end() :]
    return _signs(before), match[0], _signs(after)


def _signs(literal: str) -> str:
    kept = re.findall(rf"\x01(.)|([{_SIGNS}%()\- ])", literal)
    return "".join(first or second for first, second in kept)


def plain(value: int | float) -> str:
    """Without the digits that binary fractions add: 0.30000000000000004 is 0.3."""
    return str(value) if isinstance(value, int) else f"{value:.12g}" if abs(value) < 1e15 else f"{value:.0f}"
