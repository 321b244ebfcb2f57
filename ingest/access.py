"""Who may read which document: the `access.toml` of a root.

    [[rule]]
    path = "hr/restricted/**"     # pattern on the path below the root; ** crosses folders
    groups = ["hr"]

The last matching rule wins. No rule means everyone. A rules file that cannot be understood means nobody,
because the safe mistake is to hide too much.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass

from ingest.sources import RULES_FILE, Root
from ragvoice.datatypes import EVERYONE


@dataclass(frozen=True)
class AccessRules:
    rules: tuple[tuple[re.Pattern[str], tuple[str, ...]], ...] = ()
    problem: str | None = None
    """Why the file could not be used; then nobody may read anything of this root."""

    def groups(self, relative: str) -> tuple[str, ...]:
        if self.problem:
            return ()
        allowed: tuple[str, ...] = (EVERYONE,)
        for pattern, groups in self.rules:
            if pattern.fullmatch(relative):
                allowed = groups
        return allowed


def read_rules(root: Root) -> AccessRules:
    folder = root.path if root.path.is_dir() else root.path.parent
    file = folder / RULES_FILE
    if not file.exists():
        return AccessRules()
    try:
        rows = tomllib.loads(file.read_text(encoding="utf-8"))["rule"]
        return AccessRules(tuple((_pattern(str(row["path"])), _groups(row["groups"])) for row in rows))
    except (OSError, ValueError, KeyError, TypeError) as error:
        return AccessRules(
            problem=f"{RULES_FILE} cannot be used ({error}); until it is mended nobody may read these documents"
        )


def _groups(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(group, str) and group for group in value):
        raise ValueError(f"groups must be a list of names, got {value!r}")
    return tuple(sorted(set(value)))


def _pattern(glob: str) -> re.Pattern[str]:
    """`*` stays within a folder, `**` crosses folders, `?` is one character."""
    parts = re.split(r"(\*\*/?|\*|\?)", glob)
    replaced = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return re.compile("".join(replaced.get(part, re.escape(part)) for part in parts))
