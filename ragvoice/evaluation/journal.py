"""What an evaluation has been answered so far, so that a run which was killed goes on.

One JSON object a line, `{"key": ..., ...}`, appended as soon as it is there. A line that was cut off by the kill is
dropped when the file is opened again.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from ragvoice.errors import UsageError


class Journal:
    def __init__(self, file: Path | None):
        """:param file: None keeps nothing.
        :raises UsageError: when the file is not a journal.
        """
        self._file = file
        self._records: dict[str, dict[str, Any]] = {}
        if file is None:
            return
        file.parent.mkdir(parents=True, exist_ok=True)
        if file.is_file():
            self._read(file)

    def get(self, key: str) -> dict[str, Any] | None:
        return self._records.get(key)

    def put(self, key: str, record: dict[str, Any]) -> None:
        """The newest record of a key counts."""
        self._records[key] = record
        if self._file is not None:
            with self._file.open("a", encoding="utf-8") as out:
                out.write(json.dumps({"key": key, **record}, ensure_ascii=False) + "\n")

    def _read(self, file: Path) -> None:
        data = file.read_bytes()
        whole = data.rfind(b"\n") + 1
        if whole < len(data):
            os.truncate(file, whole)
        for number, line in enumerate(data[:whole].split(b"\n")[:-1], start=1):
            try:
                record = json.loads(line)
                self._records[record.pop("key")] = record
            except (ValueError, KeyError, AttributeError) as error:
                raise UsageError(
                    f"{file.name}, line {number} is not a record of an evaluation: {error!r}. "
                    "Run again with --fresh to begin anew."
                ) from error
