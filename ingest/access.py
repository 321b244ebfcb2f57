"""Who may read which document: the `access.toml` of a folder.

    [[rule]]
    path = "hr/restricted/**"     # pattern on the path below the file's folder; ** crosses folders
    groups = ["hr"]

The last matching rule wins; the file of a subfolder counts as coming after that of the folder around it. Files above
the ingested folder count too, so that a restricted folder does not open up when it is ingested alone. No rule means
everyone. A rules file that cannot be understood means nobody, because the safe mistake is to hide too much.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ingest.sources import RULES_FILE, Root
from ragvoice.datatypes import EVERYONE


@dataclass(frozen=True)
class RulesFile:
    """One `access.toml`."""

    folder: Path
    rules: tuple[tuple[re.Pattern[str], tuple[str, ...]], ...] = ()
    problem: str | None = None
    """Why the file could not be used; then nobody may read anything below its folder."""


class AccessRules:
    """The rules for the documents of one root; a subfolder's file is read when its first document is asked for."""

    def __init__(self, root: Root):
        self._root = root.path if root.path.is_dir() else root.path.parent
        self._files: dict[Path, RulesFile | None] = {}

    def groups(self, file: Path) -> tuple[str, ...]:
        """Groups that may read the file at this absolute path; empty when nobody may."""
        allowed: tuple[str, ...] = (EVERYONE,)
        for rules_file in self._around(file):
            if rules_file.problem:
                return ()
            relative = file.relative_to(rules_file.folder).as_posix()
            for pattern, groups in rules_file.rules:
                if pattern.fullmatch(relative):
                    allowed = groups
        return allowed

    def problems(self) -> list[tuple[str, str]]:
        """(path of the rules file below the root, what is wrong with it), of the files read so far."""
        return [
            ((folder / RULES_FILE).relative_to(self._root).as_posix(), file.problem)
            if folder.is_relative_to(self._root)
            else (RULES_FILE, file.problem)
            for folder, file in sorted(self._files.items())
            if file and file.problem
        ]

    def _around(self, file: Path) -> Iterator[RulesFile]:
        """Outermost first."""
        for folder in reversed(file.parents):
            if folder not in self._files:
                self._files[folder] = _read(folder)
            if found := self._files[folder]:
                yield found


def _read(folder: Path) -> RulesFile | None:
    file = folder / RULES_FILE
    try:
        text = file.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        return RulesFile(folder, problem=_problem(str(error)))
    try:
        rows = tomllib.loads(text).get("rule")
        if not isinstance(rows, list):
            raise ValueError("it has no [[rule]] tables")
        return RulesFile(folder, tuple(_rule(row) for row in rows))
    except ValueError as error:
        return RulesFile(folder, problem=_problem(str(error)))


def _problem(reason: str) -> str:
    return f"{RULES_FILE} cannot be used ({reason}); until it is mended nobody may read these documents"


def _rule(row: object) -> tuple[re.Pattern[str], tuple[str, ...]]:
    if not isinstance(row, dict) or row.keys() != {"path", "groups"}:
        raise ValueError(f'a rule takes "path" and "groups", got {row!r}')
    path, groups = row["path"], row["groups"]
    if not isinstance(path, str) or not path.strip("./\\ "):
        raise ValueError(f"path must be a pattern such as hr/**, got {path!r}")
    if not isinstance(groups, list) or not all(isinstance(group, str) and group.strip() for group in groups):
        raise ValueError(f"groups must be a list of names, got {groups!r}")
    return _pattern(path), tuple(sorted({group.strip() for group in groups}))


def _pattern(glob: str) -> re.Pattern[str]:
    """`*` stays within a folder, `**` crosses folders, `?` is one character; a plain path covers all below it too."""
    glob = re.sub(r"^(\./|/)+", "", glob.strip().replace("\\", "/")).rstrip("/")
    parts = re.split(r"(\*\*/?|\*|\?)", glob)
    replaced = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    below = "" if re.search(r"[*?]", glob.rsplit("/", 1)[-1]) else "(?:/.*)?"
    return re.compile("".join(replaced.get(part, re.escape(part)) for part in parts) + below, re.DOTALL)
