"""What a file states about itself, in one form for all formats: title, author, dates as ISO 8601, language."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime

_MEANINGLESS_TITLES = {"", "untitled", "document", "word document", "powerpoint presentation", "presentation", "title",
                       "slide 1", "olympus digital camera"}  # fmt: skip
_FILE_NAME = re.compile(
    r"(?:microsoft (?:word|excel|powerpoint) - .*|.*\.(?:docx?|pdf|xlsx?|pptx?|odt|rtf|txt|tex|dvi|indd|qxd))", re.I
)
_ISO_DATE = re.compile(r"\d{4}(?:-\d\d(?:-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?)?)?")
_PDF_DATE = re.compile(r"(?:D:)?(\d{4})(\d\d)(\d\d)(?:(\d\d)(\d\d)(\d\d)?)?(?:(Z)|([+-]\d\d)'?(\d\d)?'?)?.{0,7}")
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8})*")
_NO_LANGUAGE = {"und", "zxx", "mul", "x-none"}


def kept_properties(stated: Mapping[str, str | None]) -> dict[str, str]:
    """Without what is empty or no date or language, and without titles that programs write by themselves."""
    kept = {name: " ".join(value.split()) for name, value in stated.items() if value and value.strip()}
    if kept.get("title", "").casefold() in _MEANINGLESS_TITLES or _FILE_NAME.fullmatch(kept.get("title", "")):
        kept.pop("title", None)
    for name in ("created", "modified"):
        if name in kept:
            kept[name] = iso_date(kept[name])
    if not _LANGUAGE.fullmatch(kept.get("language", "").replace("_", "-")) or kept["language"].lower() in _NO_LANGUAGE:
        kept.pop("language", None)
    else:
        kept["language"] = kept["language"].replace("_", "-")
    return {name: value for name, value in kept.items() if value}


def iso_date(stated: str) -> str:
    """Of a date as HTML, mail and office programs or PDF write it; empty for anything else."""
    stated = stated.strip()
    if _ISO_DATE.fullmatch(stated):
        try:
            datetime.fromisoformat(stated.replace("Z", "+00:00") if len(stated) >= 10 else "2000-01-01")
        except ValueError:
            return ""
        return stated.replace(" ", "T")
    if match := _PDF_DATE.fullmatch(stated):
        year, month, day, hour, minute, second, utc, zone, zone_minutes = match.groups()
        written = f"{year}-{month}-{day}"
        if hour:
            offset = f"{zone}:{zone_minutes or '00'}" if zone else "Z" if utc else ""
            written += f"T{hour}:{minute}:{second or '00'}{offset}"
        return iso_date(written)
    try:
        return parsedate_to_datetime(stated).isoformat()
    except (ValueError, TypeError):
        return ""


def most_text(characters: Counter[str]) -> str:
    """Of the languages that a file marks its text with, the one that most of it has."""
    return max(characters, key=lambda language: characters[language], default="")
