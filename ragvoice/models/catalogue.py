"""The catalogue: which models there are, what their files hash to, and where the bytes come from.

`catalogue.toml` beside this module is the built-in one; its head describes the format.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from ragvoice.errors import ModelError, UsageError
from ragvoice.models.sources import Source, parse_source

Task = Literal["embedding", "speech-to-text", "text-generation", "text-to-speech"]

NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")
RESERVED = {"converted"}
"""Folders of the store that are not models."""


@dataclass(frozen=True)
class ModelFile:
    path: str
    """Relative, `/` between folders."""
    size: int
    """Bytes."""
    sha256: str


@dataclass(frozen=True)
class CatalogueEntry:
    name: str
    task: Task
    licence: str
    upstream: str
    files: tuple[ModelFile, ...]
    sources: tuple[Source, ...]
    """In the order in which they are tried."""
    convert: tuple[str, ...] = ()
    default: bool = False

    @property
    def size_bytes(self) -> int:
        return sum(file.size for file in self.files)


@dataclass(frozen=True)
class Catalogue:
    entries: Mapping[str, CatalogueEntry]

    @classmethod
    def load(cls, user_file: Path | None = None) -> Catalogue:
        """Read the built-in catalogue and, over it, the user's, if that file exists.

        A key that the user gives replaces the built-in one of the same model; so two lines are enough to point a
        known model at another source, and its hashes still hold.

        Raises:
            UsageError: the file is not TOML, or an entry is not complete; the message names the entry.
        """
        tables = _read(Path(__file__).with_name("catalogue.toml"))
        if user_file is not None and user_file.is_file():
            for name, table in _read(user_file).items():
                tables[name] = {**tables.get(name, {}), **table}
        return cls({name: _parse(name, table) for name, table in tables.items()})

    def __contains__(self, name: object) -> bool:
        return name in self.entries

    def __iter__(self) -> Iterator[CatalogueEntry]:
        return iter(self.entries.values())

    def get(self, name: str) -> CatalogueEntry:
        """Raises ModelError, with the names there are."""
        try:
            return self.entries[name]
        except KeyError:
            known = ", ".join(sorted(self.entries))
            raise ModelError(f"no model is called {name!r}. The catalogue has: {known}.") from None


def _read(file: Path) -> dict[str, dict[str, Any]]:
    try:
        tables = tomllib.loads(file.read_text(encoding="utf-8-sig")).get("models", {})
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{file} is not valid TOML: {error}.") from error
    if not isinstance(tables, dict) or not all(isinstance(table, dict) for table in tables.values()):
        raise UsageError(f"{file}: expected tables of the form [models.NAME].")
    return tables


def _parse(name: str, table: Mapping[str, Any]) -> CatalogueEntry:
    if not NAME.fullmatch(name) or name in RESERVED:
        raise UsageError(f"catalogue: {name!r} cannot be a model's name: use a-z, 0-9, '.', '_' and '-'.")
    try:
        files = tuple(_parse_file(file) for file in table["files"])
        entry = CatalogueEntry(
            name=name,
            task=table["task"],
            licence=table["licence"],
            upstream=table["upstream"],
            files=files,
            sources=tuple(parse_source(source, [file.path for file in files]) for source in table["sources"]),
            convert=tuple(table.get("convert", ())),
            default=bool(table.get("default", False)),
        )
    except KeyError as error:
        raise UsageError(f"catalogue, model {name!r}: the key {error} is missing.") from error
    except (TypeError, ValueError, AttributeError) as error:
        raise UsageError(f"catalogue, model {name!r}: {error}.") from error
    if entry.task not in get_args(Task):
        raise UsageError(f"catalogue, model {name!r}: task {entry.task!r} is none of {', '.join(get_args(Task))}.")
    if not entry.files or not entry.sources:
        raise UsageError(f"catalogue, model {name!r}: at least one file and one source are needed.")
    return entry


def _parse_file(table: Mapping[str, Any]) -> ModelFile:
    file = ModelFile(table["path"], int(table["size"]), str(table["sha256"]).lower())
    parts = file.path.split("/")
    if any(part in ("", ".", "..") for part in parts) or "\\" in file.path or ":" in file.path:
        raise ValueError(f"{file.path!r} is not a plain relative path")
    if not re.fullmatch(r"[0-9a-f]{64}", file.sha256):
        raise ValueError(f"sha256 of {file.path!r} is not 64 hexadecimal digits")
    return file
