"""What is written, as it is said: no Markdown, and "EUR 1,250.50" as "1250 euros and 50 cents".

espeak-ng reads whole numbers, ordinals and plain decimals itself, so only what it reads wrongly or letter by letter is
rewritten. English; other languages pass through with their Markdown removed.
"""

from __future__ import annotations

import re
from collections.abc import Callable

_Rule = tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]]

_MONTHS = "January February March April May June July August September October November December".split()
_QUARTERS = {"1": "first", "2": "second", "3": "third", "4": "fourth"}
_MONEY = {  # symbol or code: (one, several, one of the hundredths, several of them)
    **dict.fromkeys(("$", "US$", "USD"), ("dollar", "dollars", "cent", "cents")),
    **dict.fromkeys(("€", "EUR"), ("euro", "euros", "cent", "cents")),
    **dict.fromkeys(("£", "GBP"), ("pound", "pounds", "penny", "pence")),
    **dict.fromkeys(("¥", "JPY"), ("yen", "yen", "sen", "sen")),
    **dict.fromkeys(("₹", "INR"), ("rupee", "rupees", "paisa", "paise")),
    "CHF": ("franc", "francs", "centime", "centimes"),
}
_MONTH = "|".join(f"{month[:3]}(?:{month[3:]})?" for month in _MONTHS).replace("Sep(", "Sept?(")
_YEAR = r"(?:19|20)\d\d"
_PARTS = {"2": "half", "3": "third", "4": "quarter"}
_LARGE = {"k": "thousand", "m": "million", "mn": "million", "b": "billion", "bn": "billion", "t": "trillion"}
_UNITS = {
    "kg": "kilogram", "g": "gram", "mg": "milligram", "km": "kilometer", "cm": "centimeter", "mm": "millimeter",
    "m": "meter", "mi": "mile", "ft": "foot", "lb": "pound", "lbs": "pound", "oz": "ounce", "l": "liter",
    "ml": "milliliter", "kB": "kilobyte", "KB": "kilobyte", "MB": "megabyte", "GB": "gigabyte", "TB": "terabyte",
    "ms": "millisecond", "min": "minute", "mins": "minute", "h": "hour", "hr": "hour", "hrs": "hour",
    "W": "watt", "kW": "kilowatt", "kWh": "kilowatt hour", "V": "volt", "Hz": "hertz", "kHz": "kilohertz",
    "GHz": "gigahertz", "MHz": "megahertz", "Mbps": "megabit per second", "km/h": "kilometer per hour",
    "m²": "square meter", "m2": "square meter", "km²": "square kilometer", "mph": "mile per hour",
}  # fmt: skip
_SHORT = {
    "e.g.": "for example", "i.e.": "that is", "etc.": "et cetera", "approx.": "approximately", "vs.": "versus",
    "incl.": "including", "excl.": "excluding", "dept.": "department", "w/o": "without", "w/": "with",
    "resp.": "respectively",
    "Dr.": "Doctor", "Mr.": "Mister", "Mrs.": "Misses", "Prof.": "Professor", "max.": "maximum",
    "min.": "minimum", "cf.": "compare", "a.m.": "AM", "p.m.": "PM",
}  # fmt: skip
_AMOUNT = r"(?P<whole>\d{1,3}(?:,\d{3})+|\d+)(?:\.(?P<part>\d+))?"
_CODES = "|".join(sorted(map(re.escape, _MONEY), key=len, reverse=True))
_SCALE = r"(?:\s?(?P<scale>thousand|million|billion|trillion|bn|mn|[kKmMbBtT])\b)?"


def speakable(text: str) -> str:
    """The sentence as a person would read it aloud; one line, single spaces."""
    for pattern, replacement in _RULES:
        text = pattern.sub(replacement, text)
    return " ".join(text.split()).strip()


def _money(match: re.Match[str]) -> str:
    code = match["before"] or match["after"]
    one, several, hundredth, hundredths = _MONEY[code]
    whole, part, scale = match["whole"].replace(",", ""), match["part"] or "", match["scale"] or ""
    if scale:
        number = f"{whole}.{part}" if part else whole
        return f"{number} {_LARGE.get(scale.lower(), scale)} {several}"
    spoken = f"{whole} {one if int(whole) == 1 else several}"
    if len(part) > 2:
        return f"{whole}.{part} {several}"
    cents = int(part.ljust(2, "0")) if part else 0
    if not cents:
        return spoken
    small = f"{cents} {hundredth if cents == 1 else hundredths}"
    return small if int(whole) == 0 else f"{spoken} and {small}"


def _clock(match: re.Match[str]) -> str:
    hour, minute, half = int(match["hour"]), match["minute"], (match["half"] or "").replace(".", "").upper()
    if minute == "00":
        said = f"{hour}" if half else f"{hour} o'clock"
    else:
        said = f"{hour} oh {minute[1]}" if minute[0] == "0" else f"{hour} {minute}"
    return f"{said} {half}".strip()


def _year(year: str) -> str:
    """1999 -> 19 99; 2025 -> 20 25; 2005 stays, espeak-ng says two thousand five."""
    return year if year[1:3] == "00" or year[2:] == "00" else f"{year[:2]} {year[2:]}" if year[2] != "0" else year


def _date(match: re.Match[str]) -> str:
    """2025-03-01, March 1 2025 -> March 1st, 20 25; 1 Mar. 2025 -> the 1st of March, 20 25."""
    day, month, year = int(match["day"]), match["month"], match["year"]
    ending = "th" if 10 < day < 14 else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")
    month = _MONTHS[int(month) - 1] if month.isdigit() else next(m for m in _MONTHS if m[:3] == month[:3].title())
    said = f"the {day}{ending} of {month}" if "article" in match.groupdict() else f"{month} {day}{ending}"
    return said + (f", {_year(year)}" if year else "")


def _telephone(match: re.Match[str]) -> str:
    groups = re.findall(r"\d+", match[0])
    return ("plus " if match[0].startswith("+") else "") + ", ".join(" ".join(group) for group in groups)


def _address(match: re.Match[str]) -> str:
    address = re.sub(r"^(?:https?://)?(?:www\.)?", "", match[0])
    tail = re.search(r"[.,;:!?)/]*$", address)
    end = tail[0].replace("/", "") if tail else ""
    address = address[: tail.start()] if tail else address
    for sign, said in (("@", " at "), (".", " dot "), ("/", " slash "), ("_", " underscore "), ("-", " dash ")):
        address = address.replace(sign, said)
    return re.sub(r"[?#=&%:~]+", " ", address) + end


def _unit(match: re.Match[str]) -> str:
    head, *tail = _UNITS[match["unit"]].split(" per ")
    if match["number"] != "1" and head != "hertz":
        head = "feet" if head == "foot" else f"{head}s"
    return f"{match['number']} " + " per ".join([head, *tail])


def _row(match: re.Match[str]) -> str:
    cells = [cell.strip() for cell in match[0].strip().strip("|").split("|")]
    return "" if all(re.fullmatch(r":?-*:?", cell) for cell in cells) else ", ".join(filter(None, cells)) + "."


def _rule(pattern: str, replacement: str | Callable[[re.Match[str]], str], flags: int = 0) -> _Rule:
    return re.compile(pattern, flags), replacement


_UNIT_NAMES = "|".join(sorted(map(re.escape, _UNITS), key=len, reverse=True))
_SHORT_NAMES = "|".join(sorted(map(re.escape, _SHORT), key=len, reverse=True))
_RULES: tuple[_Rule, ...] = (
    # Markdown
    _rule(r"^\s*(?:```|~~~).*$", "", re.MULTILINE),
    _rule(r"<!--.*?-->|</?[A-Za-z][^<>]*>", " ", re.DOTALL),
    _rule(r"!?\[([^\]\[]*)\]\((?:[^()]|\([^()]*\))*\)", r"\1"),
    _rule(r"\s?\[\^?\d+(?:,\s*\d+)*\]", ""),
    _rule(r"^\s*\|.*\|\s*$", _row, re.MULTILINE),
    _rule(r"^\s*[-*_]{3,}\s*$", "", re.MULTILINE),
    _rule(r"^[ \t]*(?:>[ \t]?)+", "", re.MULTILINE),
    _rule(r"^[ \t]*(?:#{1,6}|[-*+•])[ \t]+(?:\[[ xX]\][ \t]+)?(.*?[\w)%*`_\"])[ \t]*#*$", r"\1.", re.MULTILINE),
    _rule(r"^[ \t]*(?:#{1,6}|[-*+•])[ \t]+", "", re.MULTILINE),
    _rule(r"(\*{1,3}|_{1,3}|~~)(?=\S)(?<!\w_)(.+?)(?<=\S)\1(?!\w)", r"\2"),
    _rule(r"`+([^`\n]*)`+", r"\1"),
    _rule(r"\\([\\`*_{}\[\]()#+\-.!|])", r"\1"),
    # Written forms
    _rule(r"\b[\w.+-]+@[\w-]+(?:\.[\w-]+)+", _address),
    _rule(r"(?:https?://|\bwww\.)[^\s<>\"']+", _address),
    _rule(r"\b(?P<year>\d{4})-(?P<month>0[1-9]|1[0-2])-(?P<day>0[1-9]|[12]\d|3[01])\b(?:T[\d:.Z+]+)?", _date),
    _rule(rf"\b(?P<month>{_MONTH})\.?\s(?P<day>\d\d?)(?:st|nd|rd|th)?(?:,?\s(?P<year>{_YEAR}))?\b(?![.,:]\d)", _date),
    _rule(
        rf"(?P<article>\b[Tt]he )?\b(?P<day>\d\d?)(?:st|nd|rd|th)?\s(?P<month>{_MONTH})\.?"
        rf"(?:,?\s?(?P<year>{_YEAR}))?\b",
        _date,
    ),
    _rule(
        r"(?:\+\d{1,3}[\s.-]?)?(?:\(\d{2,5}\)[\s.-]?|(?<![\w.,-])\d{3}[.-])\d{3,4}[\s.-]\d{3,5}(?![\w-])"
        r"|\+\d{1,3}(?:[\s.-]\d{2,8}){2,5}\b",
        _telephone,
    ),
    _rule(
        r"\b([Ii]n|[Ss]ince|[Uu]ntil|[Bb]y|[Ff]rom|[Dd]uring|year|FY) ((?:19|20)\d\d)\b(?![.,]?\d)",
        lambda m: f"{m[1]} {_year(m[2])}",
    ),
    _rule(r"\b(19|20)([1-9]0)s\b", r"\1 \2s"),
    _rule(r"(?<![\w/.])([1-9])/([234])(?![\w/.])", lambda m: f"{m[1]} {_PARTS[m[2]]}{'s' if m[1] != '1' else ''}"),
    _rule(
        r"(?<![\w:])(?P<hour>[01]?\d|2[0-4]):(?P<minute>[0-5]\d)(?![:\d])(?:\s?(?P<half>[aApP]\.?[mM]\b)\.?)?", _clock
    ),
    _rule(rf"(?P<before>{_CODES})\s?{_AMOUNT}{_SCALE}(?P<after>(?!))?", _money),
    _rule(rf"(?P<before>(?!))?(?<![\w.,]){_AMOUNT}{_SCALE}\s?(?P<after>{_CODES})(?!\w)", _money),
    _rule(
        r"(?:\b[Tt]he )?\bQ([1-4])(?: (?:of )?|[-/ ])((?:19|20)\d\d)\b",
        lambda m: f"the {_QUARTERS[m[1]]} quarter of {_year(m[2])}",
    ),
    _rule(r"(?:\b[Tt]he )?\bQ([1-4])\b", lambda m: f"the {_QUARTERS[m[1]]} quarter"),
    _rule(r"(?<=[a-z\d])\s?/\s?(month|year|week|day|hour|person|user)\b", r" per \1"),
    _rule(r"§§?\s?(?=\d)", "section "),
    _rule(r"\b(?:ext\.?|Ext\.?)\s?(?=\d)", "extension "),
    _rule(r"\b[Nn]o\.\s?(?=\d)", "number "),
    _rule(r"(?<![\w#])#(?=\d)", "number "),
    _rule(r"\b[vV](?=\d+\.\d)", "version "),
    _rule(r"\b24/7\b", "24 7"),
    _rule(rf"(?<!\w)({_SHORT_NAMES})(?![^\W\d_])", lambda m: _SHORT[m[1]]),
    _rule(r"(?<![\d.,])(\d{1,3}(?:,\d{3})+)(?![\d,])", lambda m: m[1].replace(",", "")),
    _rule(
        r"(?<=\d)\s?[–—](?=\d)"
        r"|(?<=\d)-(?=\d+(?:\.\d+)?\s?(?:%|percent|days?|weeks?|months?|years?|hours?|minutes?)\b)",
        " to ",
    ),
    _rule(r"(?<=\d)\s?%", " percent"),
    _rule(rf"(?<![\w.,])(?P<number>\d+(?:\.\d+)?)\s?(?P<unit>{_UNIT_NAMES})(?![\w/])", _unit),
    _rule(r"(?<=\d)\s?°\s?C\b", " degrees Celsius"),
    _rule(r"(?<=\d)\s?°\s?F\b", " degrees Fahrenheit"),
    _rule(r"(?<![\w)])[-−](?=\d)", "minus "),
    _rule(r"(?<!\w)~\s?(?=\d)", "about "),
    _rule(r"\s?≥\s?", " at least "),
    _rule(r"\s?≤\s?", " at most "),
    _rule(r"\s*(?:→|->|=>)\s*", " to "),
    _rule(r"(?<=\s)&(?=\s)", "and"),
    _rule(r"(?<=\w)\s?[–—]\s?(?=\w)", ", "),
    _rule(r"[*_|#`•]+(?=\s|$)|(?<=\s)[*_|#`•]+", " "),
)
