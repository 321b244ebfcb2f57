"""Reading of the source texts: a small header, then a simple subset of Markdown."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

Kind = Literal["heading", "paragraph", "bullets", "numbers", "table"]


@dataclass
class Block:
    """One block of a text: a heading, a paragraph, a list or a table."""

    kind: Kind
    text: str = ""
    level: int = 0
    items: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)


@dataclass
class Source:
    """A source text with its header fields."""

    header: dict[str, str]
    body: str

    @property
    def target(self) -> str:
        return self.header["target"]

    @property
    def title(self) -> str:
        return self.header.get("title", "")

    @property
    def subtitle(self) -> str:
        return self.header.get("subtitle", "")

    @property
    def author(self) -> str:
        return self.header.get("author", "")

    @property
    def date(self) -> datetime:
        """The date of the document, used as its fixed metadata date."""
        return datetime.fromisoformat(self.header["date"]).replace(hour=9, tzinfo=UTC)


def read_source(path: Path) -> Source:
    """Read one source file; the header ends at the first line that is only dashes."""
    head, _, body = path.read_text(encoding="utf-8").partition("\n---\n")
    header: dict[str, str] = {}
    for line in head.splitlines():
        key, _, value = line.partition(":")
        if key.strip():
            header[key.strip()] = value.strip()
    return Source(header=header, body=body)


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def parse_blocks(body: str) -> list[Block]:
    """Split a body into blocks."""
    blocks: list[Block] = []
    for chunk in re.split(r"\n\s*\n", body.strip()):
        lines = chunk.splitlines()
        heading = re.match(r"(#+) (.*)", lines[0])
        if heading:
            blocks.append(Block("heading", text=heading[2], level=len(heading[1])))
        elif lines[0].startswith("|"):
            rows = [_cells(line) for line in lines]
            blocks.append(Block("table", rows=[row for row in rows if not set("".join(row)) <= set("-: ")]))
        elif lines[0].startswith("- "):
            blocks.append(Block("bullets", items=[line[2:] for line in lines]))
        elif re.match(r"\d+\. ", lines[0]):
            blocks.append(Block("numbers", items=[re.sub(r"^\d+\. ", "", line) for line in lines]))
        else:
            blocks.append(Block("paragraph", text=" ".join(lines)))
    return blocks
