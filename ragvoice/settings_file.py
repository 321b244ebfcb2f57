"""RAGVOICE_HOME/config.toml as the page writes it: validated, whole or not at all; what else stands there is kept."""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from filelock import FileLock
from pydantic import ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from ragvoice.errors import UsageError
from ragvoice.files import write_whole
from ragvoice.people.person import Person
from ragvoice.settings import HOME_FILE, WORKING_FOLDER_FILE, Settings, home
from ragvoice.toml import toml_value

REINGEST = frozenset({"ocr", "recordings", "captioner", "max_file_mib", "stt", "language"})
"""Take effect on documents when they are read again; the next ingest does that by itself where it must."""
REBUILD = frozenset({"embedder", "embedder_runtime", "chunk_tokens", "overlap_tokens", "vector_store"})
"""The index must be built anew before anything is found again."""


class _FileAlone(Settings):
    """The settings as the file alone makes them: what the environment adds must not hide a mistake in it."""

    @classmethod
    def settings_customise_sources(
        cls, settings_cls: type[BaseSettings], init_settings: PydanticBaseSettingsSource, *_: Any, **__: Any
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)


def set_elsewhere(name: str) -> str | None:
    """What keeps config.toml from deciding this setting, in words; None when nothing does."""
    if f"RAGVOICE_{name.upper()}" in os.environ:
        return f"set by the environment variable RAGVOICE_{name.upper()}"
    if Path(WORKING_FOLDER_FILE).is_file():
        return f"{WORKING_FOLDER_FILE} in the working folder is read instead of {HOME_FILE}"
    return None


def save_settings(person: Person, changes: Mapping[str, Any]) -> Path:
    """:param changes: Name -> value; None takes the setting out, so that its default counts.
    :returns: The file.
    :raises AccessError: when the person may not change settings.
    :raises UsageError: for a value that cannot be, a setting that this file does not decide, or a file that cannot be
        written.
    """
    person.require("settings")
    for name in changes:
        if reason := set_elsewhere(name):
            raise UsageError(f"{name} is not changed: {reason}.")
    file = home() / HOME_FILE
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(file.with_name(f".{HOME_FILE}.lock")):
            _save(file, changes)
    except OSError as error:
        raise UsageError(f"{file} cannot be written: {error.strerror or error}. Nothing was saved.") from error
    return file


def _save(file: Path, changes: Mapping[str, Any]) -> None:
    before = _text(file)
    after = changed_text(before, changes)
    expected = {**_parsed(before), **changes}
    expected = {name: value for name, value in expected.items() if value is not None}
    found = _parsed(after)
    if found != json.loads(json.dumps(expected)):  # tuples are lists there
        raise UsageError(f"{file} cannot be changed without harm to what else it says. Change it by hand.")
    _check(found)
    write_whole(file, after)


def changed_text(text: str, changes: Mapping[str, Any]) -> str:
    """A flat TOML file with some values changed, added at its end or (None) taken out; every other line stays.

    :raises UsageError: when the text is not valid TOML.
    """
    left = dict(changes)
    lines = []
    for statement, names in _statements(text):
        name = next(iter(names), None)
        if name not in changes:
            lines.append(statement)
        elif name in left and left[name] is not None:
            lines.append(f"{name} = {toml_value(left.pop(name))}")
    lines += [f"{name} = {toml_value(value)}" for name, value in left.items() if value is not None]
    return "\n".join(lines).rstrip("\n") + "\n" if lines else ""


def _statements(text: str) -> list[tuple[str, dict[str, Any]]]:
    """Each statement, over as many lines as it has, and what it says alone; comments and blank lines say nothing."""
    lines, found, begin = text.replace("\r\n", "\n").removesuffix("\n").split("\n") if text else [], [], 0
    while begin < len(lines):
        for end in range(begin + 1, len(lines) + 1):
            statement = "\n".join(lines[begin:end])
            try:
                found.append((statement, tomllib.loads(statement)))
            except tomllib.TOMLDecodeError as error:
                if end == len(lines):
                    raise UsageError(f"{HOME_FILE} is not valid TOML: {error}") from error
            else:
                break
        begin = end
    return found


def _check(values: Mapping[str, Any]) -> None:
    try:
        _FileAlone(**values)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        what = f"{name} cannot be {first.get('input')!r}" if name else "These settings do not go together"
        raise UsageError(f"{what}: {first['msg']}. Nothing was saved.") from error


def _parsed(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{home() / HOME_FILE} is not valid TOML: {error}") from error


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{file} cannot be read: {error}") from error
