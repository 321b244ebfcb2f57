"""Who may read which document, and what its owner says of it: the `access.toml` of a folder.

    [[rule]]
    path = "hr/restricted/**"     # pattern on the path below the file's folder; ** crosses folders
    groups = ["hr"]
    owner = "Ada Holm"            # these are optional, as is groups
    tags = ["pay", "2026"]
    language = "en"
    valid_from = 2026-01-01       # dates of TOML, without quotes
    valid_until = 2026-12-31

For each of these the last matching rule that says it wins; the file of a subfolder counts as coming after that of the
folder around it. Files above the ingested folder count too, so that a restricted folder does not open up when it is
ingested alone. No rule means everyone. A rules file that cannot be understood means nobody, because the safe mistake is
to hide too much.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from ingest.sources import RULES_FILE, Root
from ragvoice.datatypes import EVERYONE

_SAYS = ("owner", "tags", "language", "valid_from", "valid_until")


@dataclass(frozen=True)
class Rule:
    pattern: re.Pattern[str]
    path: str
    """The pattern as it is written."""
    groups: tuple[str, ...] | None
    """None: says nothing of who may read it."""
    says: dict[str, Any]
    """Of owner, tags, language, valid_from, valid_until what is given; dates as ISO 8601."""


@dataclass(frozen=True)
class RulesFile:
    """One `access.toml`."""

    folder: Path
    rules: tuple[Rule, ...] = ()
    problem: str | None = None
    """Why the file could not be used; then nobody may read anything below its folder."""


@dataclass(frozen=True)
class Ruling:
    """What the rules say of one file."""

    groups: tuple[str, ...]
    """Empty when nobody may read it."""
    says: dict[str, Any]


class AccessRules:
    """The rules for the documents of one root; a subfolder's file is read when its first document is asked for."""

    def __init__(self, root: Root):
        self._root = root.path if root.path.is_dir() else root.path.parent
        self._files: dict[Path, RulesFile | None] = {}
        self._matched: set[int] = set()

    def of(self, file: Path) -> Ruling:
        """:param file: Absolute path."""
        groups: tuple[str, ...] = (EVERYONE,)
        says: dict[str, Any] = {}
        for rules_file in self._around(file):
            if rules_file.problem:
                return Ruling((), {})
            relative = _composed(file.relative_to(rules_file.folder).as_posix())
            for rule in rules_file.rules:
                if rule.pattern.fullmatch(relative):
                    self._matched.add(id(rule))
                    groups = groups if rule.groups is None else rule.groups
                    says |= rule.says
        return Ruling(groups, says)

    def changed(self) -> bool:
        """Whether a rules file says something else now than when it was read, or came or went."""
        return any(read_rules(folder) != file for folder, file in self._files.items())

    def problems(self) -> list[tuple[str, str]]:
        """(path of the rules file below the root, what is wrong with it), of the files read so far."""
        return [
            ((folder / RULES_FILE).relative_to(self._root).as_posix(), file.problem)
            if folder.is_relative_to(self._root)
            else (RULES_FILE, file.problem)
            for folder, file in sorted(self._files.items())
            if file and file.problem
        ]

    def unmatched(self) -> list[str]:
        """A sentence for each rule below the root that no file has matched: a slip of the pen leaves a secret open."""
        return [
            f"{(folder / RULES_FILE).relative_to(self._root).as_posix()}: the rule for {rule.path!r} matches no file"
            for folder, file in sorted(self._files.items())
            if file and folder.is_relative_to(self._root)
            for rule in file.rules
            if id(rule) not in self._matched
        ]

    def _around(self, file: Path) -> Iterator[RulesFile]:
        """Outermost first."""
        for folder in reversed(file.parents):
            if folder not in self._files:
                self._files[folder] = read_rules(folder)
            if found := self._files[folder]:
                yield found


def read_rules(folder: Path) -> RulesFile | None:
    """None when the folder has no rules file; one that cannot be used says so in `problem`."""
    file = folder / RULES_FILE
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        if isinstance(error, FileNotFoundError) and not file.is_symlink():
            return None
        return RulesFile(folder, problem=_problem(str(error)))
    try:
        return RulesFile(folder, parse_rules(text))
    except ValueError as error:
        return RulesFile(folder, problem=_problem(str(error)))


def parse_rules(text: str) -> tuple[Rule, ...]:
    """:raises ValueError: saying what is wrong."""
    rows = tomllib.loads(text).get("rule")
    if not isinstance(rows, list):
        raise ValueError("it has no [[rule]] tables")
    return tuple(_rule(row) for row in rows)


def _problem(reason: str) -> str:
    return f"{RULES_FILE} cannot be used ({reason}); until it is mended nobody may read these documents"


def _rule(row: object) -> Rule:
    if not isinstance(row, dict) or not {"path"} < row.keys() <= {"path", "groups", *_SAYS}:
        raise ValueError(f'a rule takes "path" and some of "groups", {", ".join(_SAYS)}; got {row!r}')
    path = row["path"]
    if not isinstance(path, str) or not path.strip("./\\ "):
        raise ValueError(f"path must be a pattern such as hr/**, got {path!r}")
    groups = tuple(sorted(set(_names("groups", row["groups"])))) if "groups" in row else None
    says = {name: _said(name, row[name]) for name in _SAYS if name in row}
    return Rule(_pattern(path), path, groups, says)


def _said(name: str, value: object) -> object:
    if name == "tags":
        return _names(name, value)
    if name.startswith("valid_"):
        if not isinstance(value, date):
            raise ValueError(f"{name} must be a date such as 2026-01-31, without quotes; got {value!r}")
        return value.isoformat()
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{name} must be a text, got {value!r}")
    return value.strip()


def _names(name: str, value: object) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(one, str) and one.strip() for one in value):
        raise ValueError(f"{name} must be a list of names, got {value!r}")
    return [one.strip() for one in value]


def _composed(path: str) -> str:
    """One spelling of each letter: the names of files that come from macOS have accents as characters of their own."""
    return unicodedata.normalize("NFC", path)


def _pattern(glob: str) -> re.Pattern[str]:
    """`*` stays within a folder, `**` crosses folders, `?` is one character; a plain path covers all below it too."""
    glob = re.sub(r"^(\./|/)+", "", _composed(glob).strip().replace("\\", "/")).rstrip("/")
    parts = re.split(r"(\*\*/?|\*|\?)", glob)
    replaced = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    below = "" if re.search(r"[*?]", glob.rsplit("/", 1)[-1]) else "(?:/.*)?"
    return re.compile("".join(replaced.get(part, re.escape(part)) for part in parts) + below, re.DOTALL)
