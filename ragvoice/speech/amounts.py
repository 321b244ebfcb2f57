"""Money, measures, ranges and fractions, as they are said in English."""

from __future__ import annotations

import re

from ragvoice.speech.rules import TO, Rule, any_of, rule, spelt

_CENTS = ("cent", "cents")
_MONEY = {  # symbol or code: (one, several, one of the hundredths, several of them)
    **dict.fromkeys(("$", "US$", "USD"), ("dollar", "dollars", *_CENTS)),
    **dict.fromkeys(("€", "EUR"), ("euro", "euros", *_CENTS)),
    **dict.fromkeys(("£", "GBP"), ("pound", "pounds", "penny", "pence")),
    **dict.fromkeys(("¥", "JPY"), ("yen", "yen", "sen", "sen")),
    **dict.fromkeys(("₹", "INR"), ("rupee", "rupees", "paisa", "paise")),
    **dict.fromkeys(("A$", "AUD"), ("Australian dollar", "Australian dollars", *_CENTS)),
    **dict.fromkeys(("C$", "CAD"), ("Canadian dollar", "Canadian dollars", *_CENTS)),
    **dict.fromkeys(("zł", "PLN"), ("zloty", "zlotys", "grosz", "groszy")),
    "CHF": ("franc", "francs", "centime", "centimes"),
    "SEK": ("Swedish krona", "Swedish kronor", "öre", "öre"),
    "NOK": ("Norwegian krone", "Norwegian kroner", "øre", "øre"),
    "DKK": ("Danish krone", "Danish kroner", "øre", "øre"),
    "CZK": ("Czech crown", "Czech crowns", "haléř", "haléřů"),
    "CNY": ("yuan", "yuan", "fen", "fen"),
}  # fmt: skip
_LARGE = {"k": "thousand", "m": "million", "mn": "million", "mio": "million", "b": "billion", "bn": "billion",
          "t": "trillion"}  # fmt: skip
_PER = {"yr": "year", "y": "year", "mo": "month", "mth": "month", "wk": "week", "d": "day", "hr": "hour", "h": "hour",
        "pp": "person", "pax": "person", "min": "minute", "s": "second", "sec": "second",
        "km": "kilometer",
    "kg": "kilogram",
    **{name: name for name in "year month week day hour person user night mile employee head".split()},
        }  # fmt: skip
_UNITS = {
    "kg": "kilogram", "g": "gram", "mg": "milligram", "km": "kilometer", "cm": "centimeter", "mm": "millimeter",
    "m": "meter", "mi": "mile", "ft": "foot", "lb": "pound", "lbs": "pound", "oz": "ounce", "l": "liter", "L": "liter",
    "ml": "milliliter", "kB": "kilobyte", "KB": "kilobyte", "MB": "megabyte", "GB": "gigabyte", "TB": "terabyte",
    "ms": "millisecond", "min": "minute", "mins": "minute", "h": "hour", "hr": "hour", "hrs": "hour", "sec": "second",
    "W": "watt", "kW": "kilowatt", "MW": "megawatt", "kWh": "kilowatt hour", "V": "volt", "Hz": "hertz",
    "kHz": "kilohertz", "GHz": "gigahertz", "MHz": "megahertz", "dB": "decibel",
    "Mbps": "megabit per second", "mbps": "megabit per second", "Mbit/s": "megabit per second",
    "Gbps": "gigabit per second", "Gbit/s": "gigabit per second", "MB/s": "megabyte per second",
    "km/h": "kilometer per hour", "kph": "kilometer per hour", "mph": "mile per hour", "m/s": "meter per second",
    "m²": "square meter", "m2": "square meter", "sqm": "square meter", "km²": "square kilometer",
    "km2": "square kilometer",
    "cm²": "square centimeter", "sq ft": "square foot", "m³": "cubic meter", "m3": "cubic meter",
    "km³": "cubic kilometer", "cm³": "cubic centimeter",
}  # fmt: skip
_DENOMINATORS = {"2": ("half", "halves"), "3": ("third", "thirds"), "4": ("quarter", "quarters"),
                 **{str(n): (f"{n}th", f"{n}ths") for n in (*range(5, 11), 12, 16, 20, 100)}}  # fmt: skip
_FRACTIONS = {"½": "1/2", "⅓": "1/3", "⅔": "2/3", "¼": "1/4", "¾": "3/4", "⅕": "1/5", "⅛": "1/8"}

_WHOLE = r"\d{1,3}(?:,\d{3})+|\d+"
_AMOUNT = rf"(?P<whole>{_WHOLE}|(?=\.\d))(?:\.(?P<part>\d+))?"
_CONTINENTAL = r"\d{1,3}(?:\.\d{3})+(?:,\d\d)?|\d+,\d\d"
_CODE = any_of(_MONEY)
_SCALED = r"\s?(?P<scale>thousand|million|billion|trillion|[Mm]io|bn|mn|[kKmMbBtT])\b"
_SCALE = rf"(?:{_SCALED}\.?)?"


def _money(match: re.Match[str]) -> str:
    one, several, hundredth, hundredths = _MONEY[match["code"]]
    whole, part, scale = match["whole"].replace(",", "") or "0", match["part"] or "", match["scale"] or ""
    if scale:
        return f"{whole}.{part} ".replace(". ", " ") + f"{_LARGE.get(scale.lower(), scale)} {several}"
    part = part.rstrip("0") if len(part) > 2 else part
    if len(part) > 2:
        return f"{whole}.{part} {several}"
    cents = int(part.ljust(2, "0")) if part else 0
    spoken = f"{whole} {one if int(whole) == 1 else several}"
    if not cents:
        return spoken
    small = f"{cents} {hundredth if cents == 1 else hundredths}"
    return small if int(whole) == 0 else f"{spoken} and {small}"


def _continental(match: re.Match[str]) -> str:
    """1.250,50 -> 1,250.50"""
    return match[0].translate(str.maketrans(".,", ",."))


def _unit(match: re.Match[str]) -> str:
    head, *tail = _UNITS[match["unit"]].split(" per ")
    if match["number"] != "1" and match["joint"] != "-" and not head.endswith("hertz"):
        head = head.replace("foot", "feet") if head.endswith("foot") else f"{head}s"
    return f"{match['number']} " + " per ".join([head, *tail])


def _degrees(match: re.Match[str]) -> str:
    scale = {"C": " Celsius", "F": " Fahrenheit", None: ""}[match["scale"]]
    return f"{match['number']} degree{'' if match['number'] == '1' else 's'}{scale}"


def _fraction(match: re.Match[str]) -> str:
    whole, above, below = match["whole"], match["above"], match["below"]
    named = _DENOMINATORS.get(below)
    said = f"{above} {named[above != '1']}" if named else f"{above} over {below}"
    return f"{whole} and {said}" if whole else said


def _range(match: re.Match[str]) -> str:
    """10-15 is 10 to 15; where it does not rise, it is no range."""
    first, second = (float(match[name].replace(",", "")) for name in ("low", "high"))
    return f"{match['low']} to {match['high']}" if first < second else match[0]


_NOT_WITHIN = r"(?<![\w.,/:+-])"
AMOUNTS: tuple[Rule, ...] = (
    rule("|".join(_FRACTIONS), lambda m: f" {_FRACTIONS[m[0]]}"),
    rule(
        rf"(?<![\w.,])(?:{_CONTINENTAL})(?=\s?(?:{_CODE})(?!\w))|"
        rf"(?:(?<=€)|(?<=€ )|(?<=(?:EUR|PLN|CHF) ))(?:{_CONTINENTAL})(?![.,]?\d)",
        _continental,
    ),
    rule(rf"(?<=\d)(\s?(?:{_CODE})){TO}(?=\d[\d.,]*\s?(?:{_CODE})(?!\w))", r"\1 to "),
    rule(rf"(?<!\w)(?<!\d\s)(?P<code>{_CODE})(?:(?<=[$€£¥₹])|\s)-(?=\.?\d)", r"minus \g<code>"),
    rule(rf"(?P<code>(?<!\w)(?:{_CODE}))\s?(?P<low>{_WHOLE}){TO}(?=\d)", r"\g<low> to \g<code>"),
    rule(rf"(?<=[\dkmMbn]){TO}(?=(?:{_CODE})\s?\d)", " to "),
    rule(rf"(?<![\w.,-])((?:{_WHOLE})(?:\.\d+)?){TO}(?=(?:{_WHOLE})(?:\.\d+)?{_SCALE}\s?(?:{_CODE})(?!\w))", r"\1 to "),
    rule(rf"[-–]\s?(?=(?:{_CODE})\s?[\d.])", "minus "),
    rule(rf"(?<![A-Za-z])(?P<code>{_CODE})\s?{_AMOUNT}(?:{_SCALED}(?:\.(?!\s+[A-Z]|\s*$))?)?", _money),
    rule(rf"(?<![\w.,]){_AMOUNT}{_SCALE}\s?(?P<code>{_CODE})(?!\w)", _money),
    rule(rf"(?<=[a-z\d.])\s?/\s?({any_of(_PER)})\b(?!/)", lambda m: f" per {_PER[m[1]]}"),
    rule(rf"(?<![\w.,])(\d+)(?:st|nd|rd|th)?\s?/\s?({any_of(_UNITS)})\b(?!/)", lambda m: f"{m[1]} per {_UNITS[m[2]]}"),
    rule(r"(?<![\w/.,-])24/7(?![\w/])", "24 7"),
    rule(
        r"(?<![\w/.,-])(?:(?P<whole>\d+) )?(?P<above>\d{1,2})/(?P<below>[2-9]|\d\d|100)(?:th|TH)?(?![\w/.])",
        _fraction,
    ),
    rule(
        rf"{_NOT_WITHIN}(?P<low>(?:{_WHOLE})(?:\.\d+)?){TO}(?P<high>(?:{_WHOLE})(?:\.\d+)?)(?![\w/,.-]*\d|-|\s?=)",
        _range,
    ),
    rule(rf"(?<=\d)\s?%{TO}(?=\d)", " percent to "),
    rule(rf"(?<=\d){TO}(?=\d+(?:\.\d+)?\s?(?:%|percent|(?:{any_of(_UNITS)})\b))", " to "),
    rule(r"(?:(?<![\w.-])\d{9,}|(?<=\b[A-Z]{2})\d{6,})(?![\w-]|\.\d)", lambda m: f" {spelt(m[0])}"),
    rule(rf"(?<![\w.,])({_WHOLE})(?!,?\d)", lambda m: m[1].replace(",", "")),
    rule(r"(?<=\d)\s?%", " percent"),
    rule(rf"(?<![\w.,])(?P<number>\d+(?:\.\d+)?)(?P<joint>[ -]?)(?P<unit>{any_of(_UNITS)})(?![\w/²³'])", _unit),
    rule(r"(?P<number>\d+(?:\.\d+)?)\s?°(?:\s?(?P<scale>[CF])\b)?", _degrees),
    rule(r"(?<![\w)])[-−](?=\.?\d)", "minus "),
    rule(r"(?<![\w)])\+(?=\d)", "plus "),
    rule(r"\s?±\s?", " plus or minus "),
    rule(r"(?<=\d)\s?[×*]\s?(?=\d)", " times "),
    rule(r"(?<=[\w)])\s?=\s?(?=[\w(])", " equals "),
    rule(r"(?<=[\w)]) \+ ?(?=[\w(])", " plus "),
    rule(r"(?<!\w)~\s?(?=\d)", "about "),
    rule(r"\s?(?:≥|>=)\s?(?=\d)", " at least "),
    rule(r"\s?(?:≤|<=)\s?(?=\d)", " at most "),
    rule(r"\s?>\s?(?=\d)", " more than "),
    rule(r"\s?<\s?(?=\d)", " less than "),
)
