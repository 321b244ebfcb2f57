"""What the job gives to the process that parses, and what it takes back: limits, files, documents of plain values."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from langchain_core.documents import Document

from ragvoice.datatypes import Place

REASON_CHARACTERS = 300
_PLACE_KINDS = ("page", "slide", "sheet", "time_s", "line")


@dataclass(frozen=True)
class ParseLimits:
    """For one file each."""

    unit_timeout_s: float = 120
    """Longest time without a page."""
    file_timeout_s: float = 3600
    memory_bytes: int = 4 * 2**30
    """Of the worker; a child process of a parser has as much again."""
    text_bytes: int = 256 * 2**20
    """Of all pages together; they stay in memory until the file is done."""
    temporary_bytes: int = 2 * 2**30
    """Of one temporary file."""
    open_files: int = 1024
    files_per_worker: int = 300
    """A worker is replaced after so many, or when it stays at half its memory: parsers leak."""


@dataclass(frozen=True)
class ParsedFile:
    path: Path
    documents: tuple[Document, ...]
    error: str | None
    """Why the file cannot be read, in one line for its owner; then there are no documents."""
    seconds: float = 0.0
    peak_bytes: int = 0
    """Most memory that the worker was using meanwhile, its libraries and models included."""


def message_of(document: Document) -> dict[str, Any]:
    """What JSON can carry; `document_of` makes the document of it again."""
    metadata = {name: asdict(value) if isinstance(value, Place) else value for name, value in document.metadata.items()}
    return {"text": document.page_content, "metadata": metadata}


def document_of(message: dict[str, Any]) -> Document:
    """Of plain values only. :raises KeyError, TypeError, ValueError, AttributeError: for anything else."""
    text = message["text"]
    metadata: dict[str, Any] = {}
    if not isinstance(text, str):
        raise TypeError("the text is none")
    for name, value in message["metadata"].items():
        if name == "place" and value is not None:
            if value["kind"] not in _PLACE_KINDS or not isinstance(value["value"], str | int | float):
                raise ValueError("no place")
            metadata[name] = Place(value["kind"], value["value"])
        elif value is None or isinstance(value, str | int | float):
            metadata[name] = value
    return Document(text, metadata=metadata)


def one_line(reason: str) -> str:
    """Without control characters: the words may come from the file, and are shown on a terminal."""
    printable = "".join(character if character.isprintable() else " " for character in reason)
    words = " ".join(printable.split())
    return words if len(words) <= REASON_CHARACTERS else words[: REASON_CHARACTERS - 1] + "…"


def size_words(size_bytes: int) -> str:
    unit, name = (2**30, "GiB") if size_bytes >= 2**30 else (2**20, "MiB")
    return f"{size_bytes / unit:.3g} {name}"
