"""Documents that people upload: one folder of this installation, and its access.toml."""

from __future__ import annotations

import math
import os
import re
import shutil
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from filelock import FileLock

from ingest.access import AccessRules, parse_rules, read_rules
from ingest.sources import RULES_FILE, Root
from ragvoice.datatypes import EVERYONE
from ragvoice.errors import DocumentError, UsageError
from ragvoice.files import replacing, write_whole
from ragvoice.toml import toml_value

PREFIX = "uploads"
"""Of the ids of uploaded documents."""
LARGEST_MIB = 200
"""Of an upload: the page's server has each in memory until it is here."""
_LONGEST_NAME_BYTES = 180
_NOT_IN_NAMES = re.compile(r'[\x00-\x1f\x7f<>:"|?*\[\]{}]')
_GROUP = re.compile(r"[^\s,\"\\](?:[^,\"\\\n]*[^\s,\"\\])?")


@dataclass(frozen=True)
class Uploaded:
    file: Path
    replaced: bool
    """A file of this name was there before."""


def save_upload(
    folder: Path,
    name: str,
    content: BinaryIO,
    groups: Sequence[str],
    owner: str = "",
    max_mib: int = LARGEST_MIB,
) -> Uploaded:
    """Keep a file, whole or not at all; who may read it is said at the last moment before it appears.

    A new version is at first only for those who might read the old one too: an ingest may come in between.

    :param folder: Of the uploads; made if it is missing.
    :param name: As the browser says it; of a path the last part counts.
    :param content: Read from its beginning, a piece at a time.
    :param groups: Who may read it; empty is everyone.
    :param owner: For the rule; empty leaves it out.
    :raises UsageError: for a group's name that the rules cannot hold, and rules that cannot be understood.
    :raises DocumentError: when the file is empty or too large, or cannot be written.
    """
    size = content.seek(0, os.SEEK_END)
    content.seek(0)
    if not size:
        raise DocumentError(f"{name} is empty.")
    if size > max_mib * 2**20:
        raise DocumentError(
            f"{name} has {math.ceil(size / 2**20)} MiB; an upload has at most {max_mib}. Put it into a folder of "
            "the server and ingest that folder."
        )
    file = folder / safe_name(name)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / ".lock"):
            replaced = file.exists()
            with replacing(file, mode=0o644) as out:
                shutil.copyfileobj(content, out)
                out.flush()  # only with room for the content the groups are changed
                before = AccessRules(Root(folder)).of(file).groups if replaced else (EVERYONE,)
                _set_groups(folder, file.name, _common(before, _named(groups)), owner)
            set_groups(folder, file.name, groups, owner)
    except OSError as error:
        raise DocumentError(f"{file} cannot be written: {error.strerror or error}.") from error
    return Uploaded(file, replaced)


def version_of(file: Path) -> tuple[int, int] | None:
    """Another one for each upload of the name; None when there is no such file."""
    try:
        status = file.stat()
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_mtime_ns


def delete_upload(file: Path, version: tuple[int, int] | None) -> bool:
    """Delete this version of an uploaded file.

    :returns: Whether there is no file of this name any more: a newer one stays.
    """
    if version is not None:
        with FileLock(file.parent / ".lock"):
            if version_of(file) == version:
                file.unlink()
    return not file.exists()


def safe_name(name: str) -> str:
    """A plain file name that `ingest.sources` takes for a document, whatever a browser sent.

    >>> safe_name("../../etc/.pass*wd.TXT")
    'pass_wd.TXT'
    """
    last = unicodedata.normalize("NFC", name.encode("utf-8", "replace").decode()).replace("\\", "/").rsplit("/", 1)[-1]
    clean = _NOT_IN_NAMES.sub("_", last).strip(" .~$") or "document"
    stem, ending = os.path.splitext(clean)
    while len((stem + ending).encode()) > _LONGEST_NAME_BYTES:
        stem, ending = (stem[:-1], ending) if len(stem) > 1 else (stem, ending[:-1])
    clean = stem + ending
    folded = clean.casefold()  # where a file system does not tell cases apart, it would be the same file
    known_otherwise = folded in (RULES_FILE, "source.txt") or folded.endswith(".jsonl")
    return f"document_{clean}" if known_otherwise else clean


def set_groups(folder: Path, path: str, groups: Sequence[str], owner: str = "") -> None:
    """Add a rule to the folder's access.toml that says who may read `path`; what else stands there is kept.

    :param path: Below the folder; a plain path, no pattern.
    :raises UsageError: for a group's name that the rules cannot hold, and for rules that cannot be understood.
    """
    _set_groups(folder, path, _named(groups), owner)


def _named(groups: Sequence[str]) -> list[str]:
    """:raises UsageError: for a group's name that the rules cannot hold."""
    named = sorted({group.strip() for group in groups}) or [EVERYONE]
    for group in named:
        if not _GROUP.fullmatch(group):
            raise UsageError(f"{group!r} cannot be a group's name: no comma, quote, backslash or line break.")
    return named


def _common(some: Sequence[str], others: Sequence[str]) -> list[str]:
    """Groups whose members may read what is for `some` and what is for `others`."""
    if EVERYONE in some:
        return list(others)
    return sorted({*some} if EVERYONE in others else {*some} & {*others})


def _set_groups(folder: Path, path: str, named: Sequence[str], owner: str) -> None:
    """:param named: Empty means nobody."""
    file = folder / RULES_FILE
    now = read_rules(folder)
    if now and now.problem:
        raise UsageError(f"{file}: {now.problem}.")
    ruling = AccessRules(Root(folder)).of(folder / path)
    if set(ruling.groups) == set(named) and (not owner or ruling.says.get("owner") == owner):
        return
    lines = [f"path = {toml_value(path)}", f"groups = {toml_value(list(named))}"]
    lines += [f"owner = {toml_value(owner)}"] if owner.strip() else []
    before = file.read_text(encoding="utf-8-sig") if file.is_file() else ""
    text = before + ("\n" if before and not before.endswith("\n") else "") + "\n".join(["", "[[rule]]", *lines, ""])
    parse_rules(text)  # never publish a file that hides everything
    write_whole(file, text.lstrip("\n"), mode=0o644)
