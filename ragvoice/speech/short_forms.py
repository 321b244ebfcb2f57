"""Addresses, telephone numbers, abbreviations, Roman numerals and signs, as they are said in English."""

from __future__ import annotations

import re

from ragvoice.speech.rules import Rule, any_of, rule, spelt

_SHORT = {
    "e.g.": "for example", "i.e.": "that is", "etc.": "et cetera", "approx.": "approximately", "vs.": "versus",
    "incl.": "including", "excl.": "excluding", "dept.": "department", "Dept.": "Department", "w/o": "without",
    "w/": "with", "resp.": "respectively", "Dr.": "Doctor", "Mr.": "Mister", "Mrs.": "Misses", "Ms.": "Miz",
    "Prof.": "Professor", "max.": "maximum", "min.": "minimum", "cf.": "compare", "p.a.": "per year",
    "a.k.a.": "also known as",
    "Ltd.": "Limited", "Inc.": "Incorporated", "Corp.": "Corporation", "Jr.": "Junior", "Sr.": "Senior",
    "N/A": "not applicable",
    "n/a": "not applicable", "YoY": "year on year", "QoQ": "quarter on quarter", "tbd": "to be decided",
    "C.E.O.": "CEO", "U.S.": "US", "U.K.": "UK", "E.U.": "EU",
}  # fmt: skip
_CLOSING = ("etc.", "p.a.", "Ltd.", "Inc.", "Corp.", "Jr.", "Sr.")
"""Their full stop may be that of the sentence."""
# Before a number only: a word of its own ("Art", "no", "p.") means something else.
_BEFORE_NUMBER = {
    "No.": "number", "no.": "number", "Nr.": "number", "ext.": "extension", "ext": "extension", "Ext.": "extension",
    "p.": "page",
    "pp.": "pages", "Fig.": "figure", "fig.": "figure", "Sec.": "section", "sec.": "section", "Art.": "article",
    "art.": "article", "para.": "paragraph", "vol.": "volume", "Vol.": "volume", "ch.": "chapter", "Ch.": "chapter",
    "ca.": "about", "c.": "about", "App.": "appendix", "Tel.": "telephone", "tel.": "telephone",
}  # fmt: skip
# Read by espeak-ng as words, or in another way than offices say them.
_LETTERS = ("PTO", "FAQ", "FAQs", "ETA", "ESPP", "RFID", "AED", "EAP")
_STRUCTURE = (
    "Chapter|Part|Section|Annex|Appendix|Article|Title|Phase|Volume|Schedule|Level|Tier|Type|Class|Grade|Stage|Book|Act"
)
_ROMAN = {"I": 1, "V": 5, "X": 10, "L": 50}
_STREETS = {"St": "Street", "Ave": "Avenue", "Rd": "Road", "Blvd": "Boulevard", "Ln": "Lane", "Ct": "Court",
            "Hwy": "Highway", "Expy": "Expressway", "Pkwy": "Parkway", "Sq": "Square"}  # fmt: skip
_COMPASS = {"N": "North", "S": "South", "E": "East", "W": "West"}
_COMMON_ENDINGS = r"com|org|net|io|eu|info|gov|edu|int|app|dev|ai|co\.uk|ac\.uk|[a-z]{2}"


def _telephone(match: re.Match[str]) -> str:
    groups = re.findall(r"\d+", match[0].replace("(0)", " "))
    said = ", ".join("800" if group == "800" else spelt(group) for group in groups)
    return f"plus {said}" if match[0].startswith("+") else said


def _address(match: re.Match[str]) -> str:
    """Without the scheme and www, which nobody types; a country's two letters one by one."""
    address = re.sub(r"^(?:https?://)?(?:www\.)?", "", match[0])
    tail = re.search(r"[.,;:!?)/]*$", address)
    end = tail[0].replace("/", "").replace(")", "") if tail else ""
    address = address[: tail.start()] if tail else address
    host, slash, path = address.partition("/")
    host = re.sub(r"\.([a-z]{2})$", lambda m: f".{m[1][0]} {m[1][1]}".upper(), host)
    address = re.sub(r"\d+", lambda m: f" {spelt(m[0])} ", host + slash + path)
    for sign, said in (("@", " at "), (".", " dot "), ("/", " slash "), ("_", " underscore "), ("-", " dash ")):
        address = address.replace(sign, said)
    return " ".join(re.sub(r"[?#=&%:~+]+", " ", address).split()) + end


def _street(match: re.Match[str]) -> str:
    number = match["number"]
    number = f"{number[:2]} {number[2:]}" if len(number) == 4 and number[2] != "0" else number
    compass = _COMPASS.get((match["compass"] or "").strip(" ."), "")
    return " ".join(filter(None, (number, compass, match["name"].strip(), _STREETS[match["kind"].title()])))


def _roman(match: re.Match[str]) -> str:
    values = [_ROMAN[sign] for sign in match["roman"]]
    number = sum(-one if one < after else one for one, after in zip(values, [*values[1:], 0], strict=True))
    return f"{match['before']} {number}"


PLACES: tuple[Rule, ...] = (
    rule(r"\b[\w.+-]+@[\w-]+(?:\.[\w-]+)+(?:/[^\s<>\"']*)?", _address),
    rule(r"(?:https?://|\bwww\.)[^\s<>\"']+", _address),
    rule(rf"(?<![\w@./-])[a-z][a-z\d-]*(?:\.[a-z\d-]+)*\.(?:{_COMMON_ENDINGS})/[^\s<>\"']+", _address),
    rule(
        r"(?<![\d.])(\d{1,3}(?:\.\d{1,3}){3})(?:/(\d\d?)\b)?(?![\d.]\d)",
        lambda m: " dot ".join(map(spelt, m[1].split("."))) + (f" slash {m[2]}" if m[2] else ""),
    ),
    rule(
        r"(?:(?:\+\d{1,3}|(?<![\w-])1)[\s.-]?)?(?:\(\d{2,5}\)[\s.-]?|(?<![\w.,-])\d{3}[.-]|(?<=1[-. ])\d{3}[.-])"
        r"\d{3,4}[\s.-]\d{3,5}(?:-\d+)?(?![\w-])"
        r"|\+\d{1,3}\s?\(0\)\s?\d{2,8}(?:[\s./-]\d{2,8}){1,4}\b"
        r"|(?<![\w.,/-])0\d{2,4}[ /]\d{3,8}(?:[ -]\d{2,5})?(?![\w-])"
        r"|\+\d{1,3}(?:[\s./-]\(?\d{2,8}\)?){2,5}\b|(?<![\w-])\d{3}-\d\d-\d{4}(?![\w-])",
        _telephone,
    ),
    rule(
        r"(?<![\w.,])(?P<number>\d{1,5})(?P<compass> [NSEW]\b\.?)?"
        r"(?P<name>(?: (?:\d+(?:st|nd|rd|th)|[A-Z][a-z]+)){1,3})"
        rf" (?P<kind>{any_of([*_STREETS, *map(str.lower, _STREETS)])})\b\.?(?=[,\s.]|$)",
        _street,
    ),
    rule(r"\b([A-Z]{2}),? (\d{5})\b(?=$|[\s,.])", lambda m: f"{m[1]} {spelt(m[2])}"),
)
SHORT_FORMS: tuple[Rule, ...] = (
    rule(r"§§\s?(?=\d)", "sections "),
    rule(r"§\s?(?=\d)", "section "),
    rule(r"(?<=\d)\.(?=\d+\.\d)|(?<=\d\.\d)\.(?=\d)", " point "),
    rule(rf"(?<![\w.])({any_of(_BEFORE_NUMBER)})\s?(?=\d)", lambda m: f"{_BEFORE_NUMBER[m[1]]} "),
    rule(r"(?<![\w#])#(?=\d)", "number "),
    rule(r"\b[vV](?=\d+\.\d)", "version "),
    rule(rf"(?<!\w)({any_of(_CLOSING)})(?=\s+[A-Z]|\s*$)", lambda m: f"{_SHORT[m[1]]}."),
    rule(rf"(?<!\w)({any_of(_SHORT)})(?![^\W\d_])", lambda m: _SHORT[m[1]]),
    rule(rf"\b({any_of(_LETTERS)})\b", lambda m: " ".join(m[1].removesuffix("s")) + ("'s" if m[1][-1] == "s" else "")),
    rule(rf"\b(?P<before>{_STRUCTURE}) (?P<roman>[IVX]{{1,5}})\b", _roman),
    rule(r"\b(?P<before>[A-Z][a-z]+) (?P<roman>(?:X{1,2}(?:IX|IV|V?I{0,3})|IX|IV|VI{1,3}|I{2,3}))\b", _roman),
)
SIGNS: tuple[Rule, ...] = (
    rule(r"\s*(?:→|->|=>|⇒)\s*", " to "),
    rule(r"✓|✔|☑", " yes "),
    rule(r"✗|✘|☒", " no "),
    rule(r"(?<=\b[A-Z])&(?=[A-Z]\b)|(?<=\s)&(?=\s)", " and "),
    rule(r"(?<=\w)\s?[–—]\s?(?=\w)|(?<=\w) - (?=\w)", ", "),
    rule(r"[*_|#`•]+(?=\s|$)|(?<=\s)[*_|#`•]+", " "),
)
