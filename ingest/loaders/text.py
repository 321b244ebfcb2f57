"""Plain text and Markdown, and what every kind of text needs: its encoding, and characters that can be stored."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from pathlib import Path

from langchain_core.documents import Document

from ingest.loaders.options import LoadOptions
from ingest.loaders.properties import kept_properties

_FENCE_OF_FRONT_MATTER = re.compile(r"^(?:---|\.\.\.)[ \t]*$", re.MULTILINE)
_LINE_OF_FRONT_MATTER = re.compile(r"[\w.-]+[ \t]*:|[ \t#-]|$")
_FRONT_MATTER = {
    "title": "title", "authors": "author", "author": "author", "date": "created", "created": "created",
    "updated": "modified", "modified": "modified", "lang": "language", "language": "language",
}  # fmt: skip
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
    (codecs.BOM_UTF8, "utf-8"),
)
_CONTROLS = bytes(set(range(32)) - {7, 8, 9, 10, 12, 13, 27})
_NO_CONTROLS = dict.fromkeys([*(set(range(32)) - {9, 10}), 127])
# (encoding, bytes of a character, offsets of the bytes that are zero in Latin letters, offset of the one that is not)
_WIDE = (
    ("utf-32-le", 4, (2, 3), 0),
    ("utf-32-be", 4, (0, 1), 3),
    ("utf-16-le", 2, (1,), 0),
    ("utf-16-be", 2, (0,), 1),
)
_WESTERN = frozenset(
    "àâäáãåæçèéêëìíîïñòóôöõøœùúûüßÿÀÂÄÁÃÅÆÇÈÉÊËÌÍÎÏÑÒÓÔÖÕØŒÙÚÛÜŸ€£¥§©®°±²³´µ·¹º¼½¾¿¡ª«»‹›–—‘’‚“”„…•†‡‰™×÷¬¢¶¨¸\u00a0\u00ad"
)
_SIGN_IN_WORD = re.compile(
    r"[^\W\d_][£¥§©®°±³¹¼½¾¿¡«»‹›–—“”„…•†‡‰™×÷¬¢¶¨¸][^\W\d_]|[^\W\d_][³¹¿](?!\w)|(?<!\w)[³¹][^\W\d_]"
)
_GUESSES = [
    "cp1252", "cp1250", "iso8859_2", "cp1251", "koi8_r", "iso8859_5", "cp866", "cp1253", "cp1254", "cp1255", "cp1256",
    "cp1257", "cp874", "cp932", "euc_jp", "gb18030", "big5", "cp949", "mac_roman", "cp850",
]  # fmt: skip
_GUESSED_BYTES = 200_000
_FEWEST_GUESSED = 4
"""Bytes beyond ASCII from which on a guess is better than nothing."""


def load_text(path: Path, options: LoadOptions) -> Iterator[Document]:
    yield Document(decode_text(path.read_bytes()))


def load_markdown(path: Path, options: LoadOptions) -> Iterator[Document]:
    properties, text = without_front_matter(decode_text(path.read_bytes()))
    yield Document(text, metadata=dict(properties))


def storable(text: str) -> str:
    r"""Newlines as `\n`, and no NUL or lone surrogate: SQLite ends a text at the one and refuses the other.

    Other control characters go too: a terminal obeys them.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\f", "\n").translate(_NO_CONTROLS)
    return text.encode("utf-8", errors="replace").decode("utf-8")


def decode_text(data: bytes) -> str:
    """Bytes of a text file as text; what no encoding explains is read as Windows-1252, which old office files use."""
    text = decoded_or_none(data)
    return data.decode("cp1252", errors="replace") if text is None else text


def decoded_or_none(data: bytes, whole: bool = True) -> str | None:
    """None: the bytes are no text.

    :param whole: False when the data may end inside a character.
    """
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data[len(mark) :].decode(encoding, errors="replace")
    if b"\x00" in data:
        return _wide(data)
    if len(data.translate(None, _CONTROLS)) < 0.98 * len(data):
        return None
    if b"\x1b$" in data:
        return data.decode("iso2022_jp", errors="replace")
    try:
        return codecs.getincrementaldecoder("utf-8")().decode(data, final=whole)
    except UnicodeDecodeError:
        return _legacy(data)


def _wide(data: bytes) -> str | None:
    """UTF-16 or UTF-32 without a mark, told by where the zero bytes of spaces and line ends stand."""
    for encoding, width, zeros, letter in _WIDE:
        positions = [data[offset::width].count(0) for offset in range(width)]
        if positions[letter] or not all(positions[offset] for offset in zeros):
            continue
        text = data[: len(data) // width * width].decode(encoding, errors="replace")
        strange = sum(not (character.isprintable() or character in "\t\n\r\f") for character in text)
        if "\ufffd" not in text and strange <= len(text) * 0.02:
            return text
    return None


def _legacy(data: bytes) -> str:
    """Windows-1252 where that makes words of western Europe, else what charset-normalizer guesses.

    The guess is good for other alphabets, but takes short western texts for Baltic, Vietnamese or UTF-16.
    """
    damaged = data.decode("utf-8", errors="replace")  # UTF-8 with a slip, such as a character cut in two
    if sum(character > "\x7f" for character in damaged) >= 3 * damaged.count("\ufffd"):
        return damaged
    western = data.decode("cp1252", errors="replace")
    if "\u00a4" in western and not re.search(r"[\u20ac\u2010-\u203a\u0152-\u0192]", western):
        western = data.decode("iso8859-15", errors="replace")  # that is where the euro stands in it
    if _is_western(western) or sum(byte > 127 for byte in data) < _FEWEST_GUESSED:
        return western
    from charset_normalizer import from_bytes

    best = from_bytes(data[:_GUESSED_BYTES], cp_isolation=_GUESSES).best()
    return western if best is None else data.decode(best.encoding, errors="replace")


def _is_western(text: str) -> bool:
    high = [character for character in text if character > "\x7f"]
    letters = sum(character.isalpha() for character in text)
    return (
        _WESTERN.issuperset(high)
        and sum(character.isalpha() for character in high) <= 0.25 * letters + 1
        and not _SIGN_IN_WORD.search(text)
    )


def without_front_matter(text: str) -> tuple[dict[str, str], str]:
    """Title, author, dates and language that the YAML block at the top states, and the text below the block."""
    text = text.replace("\r\n", "\n")
    end = _FENCE_OF_FRONT_MATTER.search(text, 4) if text.startswith("---\n") else None
    if end is None or not all(_LINE_OF_FRONT_MATTER.match(line) for line in text[4 : end.start()].split("\n")):
        return {}, text
    lines = re.findall(r"^(\w+)[ \t]*:[ \t]*(\S.*)$", text[4 : end.start()], re.MULTILINE)
    stated = {name.lower(): value.strip().strip("[]").strip("\"'") for name, value in reversed(lines)}
    properties = kept_properties({key: stated[name] for name, key in _FRONT_MATTER.items() if name in stated})
    return properties, text[end.end() :]
