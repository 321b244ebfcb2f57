"""Dates, years, quarters and times of day, as they are said in English."""

from __future__ import annotations

import re

from ragvoice.speech.rules import TO, Rule, any_of, rule

_MONTHS = "January February March April May June July August September October November December".split()
_WEEK = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
_WEEKDAY = r"(?:Mon|Tues?|Wed(?:nes)?|Thu(?:rs)?|Fri|Sat(?:ur)?|Sun)(?:day)?\b"
_NUMBERS = {"1": "first", "2": "second", "3": "third", "4": "fourth"}
_YEAR = r"(?:1[5-9]|20)\d\d"
_NAMES = [*_MONTHS, *(month[:3] for month in _MONTHS), "Sept"]
_SURE = any_of(
    [*_NAMES, *(n.upper() for n in _NAMES), *(n.lower() for n in _NAMES if n not in ("March", "Mar", "May"))]
)
_MONTH = any_of([*_NAMES, *(n.upper() for n in _NAMES), *(n.lower() for n in _NAMES)])
"""In lower case, may and march are verbs where no year follows."""
_DAY = r"(?P<day>[12]?\d|3[01])(?:st|nd|rd|th)?"
_HALF = r"(?P<half>[aApP](?:\.[mM]\b(?:\.(?!\s+[A-Z]|\s*$))?|[mM]\b))"
_ZONE = r"(?P<zone>(?:\s?(?:CES?T|[ECMP][SD]T|GMT|UTC|BST|EET|[ecmp]\.?[sd]\.?t|cet|gmt|utc)\b)?)"
_BEFORE_YEAR = "[Ii]n|[Ss]ince|[Uu]ntil|[Bb]y|[Ff]rom|[Dd]uring|[Tt]o|[Bb]efore|[Aa]fter|year|of|and|for"


def said_year(year: str) -> str:
    """1999 -> 19 99; 1906 -> 19 oh 6; 2005 and 1900 stay, espeak-ng says two thousand five."""
    if year[1:3] == "00" or year[2:] == "00":
        return year
    return f"{year[:2]} oh {year[3]}" if year[2] == "0" else f"{year[:2]} {year[2:]}"


def _full(name: str, names: list[str]) -> str:
    """Sept -> September."""
    return next(one for one in names if one[:3] == name[:3].title())


def _ordinal(day: int) -> str:
    return f"{day}{'th' if 10 < day < 14 else {1: 'st', 2: 'nd', 3: 'rd'}.get(day % 10, 'th')}"


def _date(match: re.Match[str]) -> str:
    """2025-03-01, March 1 2025 -> March 1st, 20 25; 1 Mar. 2025 -> the 1st of March, 20 25."""
    month, year = match["month"], match["year"]
    name = _MONTHS[int(month) - 1] if month.isdigit() else _full(month, _MONTHS)
    day = _ordinal(int(match["day"]))
    said = f"the {day} of {name}" if "article" in match.groupdict() else f"{name} {day}"
    return said + (f", {said_year(year)}" if year else "")


def _days(match: re.Match[str]) -> str:
    """May 1-5, 2025 -> May 1st to 5th, 20 25; 24-31 December -> the 24th to 31 December, whose rest is a date."""
    first, last = int(match["first"]), int(match["last"])
    if first >= last:
        return match[0]
    if "year" not in match.groupdict():
        return f"the {_ordinal(first)} to {last}"
    year = f", {said_year(match['year'])}" if match["year"] else ""
    return f"{_full(match['month'], _MONTHS)} {_ordinal(first)} to {_ordinal(last)}{year}"


def _numeric_date(match: re.Match[str]) -> str:
    """13/06/2025, 1.6.2025 -> June 13th, 1st. Where both could be the month, only the numbers are said."""
    first, second, year = int(match["first"]), int(match["second"]), match["year"]
    full = said_year(year) if len(year) == 4 else f"oh {year[1]}" if year[0] == "0" else year
    if first > 12 >= second or (match["sign"] == "." and second <= 12):
        return f"{_MONTHS[second - 1]} {_ordinal(first)}, {full}"
    if second > 12 >= first:
        return f"{_MONTHS[first - 1]} {_ordinal(second)}, {full}"
    return f"{first}, {second}, {full}" if first != second else f"{_MONTHS[first - 1]} {_ordinal(first)}, {full}"


def _clock(match: re.Match[str]) -> str:
    hour, minute, half = int(match["hour"]), match["minute"], _letters(match["half"])
    if minute in (None, "00"):
        said = f"{hour}" if half else f"{hour} o'clock"
    else:
        said = f"{hour} oh {minute[1]}" if minute[0] == "0" else f"{hour} {minute}"
    return " ".join(filter(None, (said, half, _letters(match["zone"]))))


def _letters(abbreviation: str | None) -> str:
    """p.m. -> PM; a letter alone is never read as a word."""
    return (abbreviation or "").replace(".", "").upper().strip()


def _duration(match: re.Match[str]) -> str:
    """14:10:30 -> 14 hours, 10 minutes and 30 seconds."""
    parts = (int(match[unit]) for unit in ("hour", "minute", "second"))
    hours, minutes, seconds = (
        f"{n} {unit}{'' if n == 1 else 's'}" for n, unit in zip(parts, ("hour", "minute", "second"), strict=True)
    )
    return " ".join(filter(None, (f"{hours}, {minutes} and {seconds}", _letters(match["half"]))))


def _period(match: re.Match[str]) -> str:
    """Q3 2025, 3Q25, H1'26, FY25; the year may be missing for quarters."""
    kind, number, year = match["kind"].upper(), match["number"], match["year"]
    name = f"the {_NUMBERS[number]} {'quarter' if kind == 'Q' else 'half'}"
    if not year:
        return name
    return f"{name} of {said_year(year) if len(year) == 4 else f'20 {year}'}"


def _fiscal_year(match: re.Match[str]) -> str:
    year = said_year(match["year"]) if len(match["year"]) == 4 else match["year"]
    return f"fiscal year {year}" + (f" to {match['end']}" if match["end"] else "")


def _decade(decade: str, end: str | None) -> str:
    return f"{decade} to {end}s" if end else decade


_DAYS = rf"(?P<first>[12]?\d|3[01])(?:st|nd|rd|th)?{TO}(?P<last>[12]?\d|3[01])(?:st|nd|rd|th)?"
_SAID_DATE = (
    rf"(?:(?:{any_of(_MONTHS)}) \d\d?(?:st|nd|rd|th)|\d(?:st|nd|rd|th) of (?:{any_of(_MONTHS)}))"
    r"(?:, (?:\d{4}|\d\d(?: oh \d| \d\d)))?"
)
_CLOCK = r"(?<![\w:.])(?P<hour>[01]?\d|2[0-4])"
DATES: tuple[Rule, ...] = (
    rule(r"\bFY ?'?(?P<year>(?:20)?\d\d)\b(?:/(?P<end>\d\d)\b)?", _fiscal_year),
    rule(r"\b(?P<year>\d{4})-(?P<month>0[1-9]|1[0-2])-(?P<day>0[1-9]|[12]\d|3[01])\b(?:T[\d:.Z+]+)?", _date),
    rule(rf"\b(?P<month>{_SURE})\.? {_DAYS}(?:,? (?P<year>{_YEAR}))?\b(?![.,:/-]?\d|\s?[%€$£])", _days),
    rule(rf"(?:\b[Tt]he )?(?<![\w.,:/-]){_DAYS}(?=(?: of)? (?:{_SURE})\b)", _days),
    rule(rf"\b(?P<month>{_SURE})\.?[ -]{_DAY}(?:,?[ -](?P<year>{_YEAR}))?\b(?![.,:]?\d)", _date),
    rule(rf"\b(?P<month>{_MONTH})\.?[ -]{_DAY},?[ -](?P<year>{_YEAR})\b", _date),
    rule(rf"(?P<article>\b[Tt]he )?\b{_DAY}(?: of)?[ -](?P<month>{_SURE})\b\.?(?:,?[ -]?(?P<year>{_YEAR}))?\b", _date),
    rule(rf"(?P<article>\b[Tt]he )?\b{_DAY}(?: of)?[ -](?P<month>{_MONTH})\b\.?,?[ -]?(?P<year>{_YEAR})\b", _date),
    rule(rf"\b({_SURE})\b\.?{TO}(?=(?:{_SURE})\b)", lambda m: f"{_full(m[1], _MONTHS)} to "),
    rule(rf"\b({_MONTH})\.? ({_YEAR})\b", lambda m: f"{_full(m[1], _MONTHS)} {said_year(m[2])}"),
    rule(
        rf"\b({_WEEKDAY})\.?{TO}({_WEEKDAY})(?:\.(?!\s+[A-Z]|\s*$))?",
        lambda m: f"{_full(m[1], _WEEK)} to {_full(m[2], _WEEK)}",
    ),
    rule(
        r"(?<![\w./-])(?P<first>0?[1-9]|[12]\d|3[01])(?P<sign>[/.-])(?P<second>0?[1-9]|[12]\d|3[01])"
        rf"(?P=sign)(?P<year>{_YEAR}|(?<=/)\d\d)(?![\w/-])",
        _numeric_date,
    ),
    rule(rf"({_SAID_DATE})(?:\s?[–—]\s?| - )(?=the \d|(?:{any_of(_MONTHS)}) \d)", r"\1 to "),
    rule(
        rf"\b({_YEAR})\s?[–—-]\s?({_YEAR})\b(?!\s?(?:kg|km|m)\b)", lambda m: f"{said_year(m[1])} to {said_year(m[2])}"
    ),
    rule(r"\b((?:19|20)\d\d)[/–-](\d\d)\b(?![-/]?\d)", lambda m: f"{said_year(m[1])} to {m[2]}"),
    rule(r"\b(1[5-9]|20)([1-9]0) ?s\b(?:-'?(?P<end>[1-9]0)s\b)?", lambda m: _decade(f"{m[1]} {m[2]}s", m["end"])),
    rule(
        rf"\b({_BEFORE_YEAR}) (19[5-9]\d|20[0-4]\d)\b(?![.,:/-]?\d|\s?[%€$£]| [a-z]+s\b| [A-Z]{{3}}\b)",
        lambda m: f"{m[1]} {said_year(m[2])}",
    ),
    rule(r"(?:\b[Tt]he )?\b(?P<number>[1-4])(?P<kind>Q)[-/ ']?(?P<year>(?:20)?\d\d)\b", _period),
    rule(
        r"(?:\b[Tt]he )?\b(?P<kind>Q)(?P<number>[1-4])(?:(?: of | ?'|[-/ ])(?P<year>20\d\d|19\d\d|(?<=')\d\d))?\b",
        _period,
    ),
    rule(rf"(?<= quarter){TO}(?=the )", " to "),
    rule(r"(?:\b[Tt]he )?\b(?P<kind>H)(?P<number>[12])(?: of | ?'|[-/ ])(?P<year>20\d\d|(?<=')\d\d)\b", _period),
    rule(
        r"(?<![\w:.])(?P<hour>\d\d?):(?P<minute>[0-5]\d):(?P<second>[0-5]\d)(?![:\d])(?:\s?" + _HALF + ")?", _duration
    ),
    rule(rf"{_CLOCK}:(?P<minute>[0-5]\d)(?![:\d])(?:\s?{_HALF})?{_ZONE}", _clock),
    rule(rf"{_CLOCK}(?:\.(?P<minute>[0-5]\d))?\s?{_HALF}{_ZONE}", _clock),
    rule(
        r"(?:(?<=o'clock)|(?<=[AP]M))\s?[–—-]\s?(?=\d)|(?<=\d)\s?[–—-]\s?(?=\d\d? (?:\d\d|oh \d|o'clock|[AP]M)\b)",
        " to ",
    ),
)
