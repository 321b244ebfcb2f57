"""Flags that several commands share."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ragvoice.errors import UsageError

if TYPE_CHECKING:
    from ragvoice.datatypes import Style
    from ragvoice.retrieval.scope import Scope

Index = Annotated[Path | None, typer.Option("--index", help="Folder of the index. Default: RAGVOICE_HOME/index")]
Groups = Annotated[str | None, typer.Option("--groups", help="Who asks, besides everyone: A,B", metavar="A,B")]
Person = Annotated[
    str | None,
    typer.Option("--person", help="Who asks, for the turn log and stored conversations.", metavar="NAME"),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, one object a line.")]
Input = Annotated[
    Path | None,
    typer.Option("--input", help='JSON lines: {"id", "question" or "audio", "history"}; one result a line.'),
]
Sources = Annotated[
    list[str] | None,
    typer.Option("--source", help="Only documents like this: hr, 'hr/*.pdf'; may be repeated.", metavar="PATTERN"),
]
Since = Annotated[
    datetime | None,
    typer.Option(
        formats=["%Y-%m-%d"],
        help="Only documents valid from, else written on, this day or later.",
        metavar="YYYY-MM-DD",
    ),
]
Until = Annotated[
    datetime | None,
    typer.Option(formats=["%Y-%m-%d"], help="The same, this day or earlier.", metavar="YYYY-MM-DD"),
]
Tags = Annotated[
    list[str] | None, typer.Option("--tag", help="Only documents with this tag; may be repeated.", metavar="TAG")
]
Wait = Annotated[
    float, typer.Option("--wait", min=0, help="Seconds to wait for another writer of the index.", metavar="SECONDS")
]


def described(metadata: dict[str, Any]) -> str:
    """`owner: Ada Holm; tags: pay, 2026`"""
    return "; ".join(
        f"{name.replace('_', ' ')}: {', '.join(value) if isinstance(value, list) else value}"
        for name, value in metadata.items()
    )


def group_names(groups: str | None, configured: tuple[str, ...]) -> tuple[str, ...]:
    return configured if groups is None else tuple(name.strip() for name in groups.split(",") if name.strip())


def scope_of(
    sources: list[str] | None, since: datetime | None, until: datetime | None, tags: list[str] | None
) -> Scope:
    from ragvoice.retrieval.scope import Scope

    return Scope(
        tuple(sources or ()), since.date() if since else None, until.date() if until else None, tuple(tags or ())
    )


def style_name(style: str) -> Style:
    """:raises UsageError: for anything but spoken and short."""
    if style == "spoken":
        return "spoken"
    if style == "short":
        return "short"
    raise UsageError(f"The style is spoken or short, not {style!r}.")
