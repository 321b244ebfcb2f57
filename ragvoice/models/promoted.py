"""Which adapter is in service for a language model: a pointer, `RAGVOICE_HOME/adapters/<slug of the model>.json`.

{"adapter": folder, "promoted": time, "evidence": {...}, "previous": [the same three of each earlier one, newest first]}

Running processes look at the file's stamp before each turn; it is replaced as a whole, so they read the old or the new.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock

from ragvoice.errors import ModelError, UsageError
from ragvoice.files import write_json
from ragvoice.lora import CONFIG


@dataclass(frozen=True)
class Promotion:
    adapter: Path
    promoted: str
    """ISO 8601, UTC."""
    evidence: Mapping[str, Any] = field(default_factory=dict)
    """Figures for which it was promoted."""


class PromotedAdapters:
    """Of one language model."""

    def __init__(self, home: Path, slug: str):
        """
        :param home: RAGVOICE_HOME.
        :param slug: `ModelStore.slug` of the language model.
        """
        self.pointer = home / "adapters" / f"{slug}.json"

    def current(self) -> Promotion | None:
        """:raises ModelError: when the pointer is damaged."""
        return next(iter(self.history()), None)

    def history(self) -> list[Promotion]:
        """The one in service and those before it, newest first; empty when none was promoted.

        :raises ModelError: when the pointer is damaged.
        """
        try:
            data = json.loads(self.pointer.read_text(encoding="utf-8"))
            return [_promotion(row) for row in (data, *data.get("previous", []))]
        except FileNotFoundError:
            return []
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ModelError(
                f"{self.pointer} is damaged ({error!r}). Delete the file, and promote an adapter again: until then the "
                "adapter that comes with the package is used, if there is one."
            ) from error

    def promote(self, folder: Path, evidence: Mapping[str, Any]) -> Promotion:
        """Put an adapter into service; the present one, unless it is the same, becomes the first of the previous ones.

        :raises UsageError: when the folder holds no adapter.
        """
        folder = folder.expanduser().resolve()
        if not (folder / CONFIG).is_file():
            raise UsageError(f"{folder} is no folder of an adapter: it has no {CONFIG}.")
        new = Promotion(folder, datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"), dict(evidence))
        with self._locked():
            history = self.history()
            self._write([new, *(history[1:] if history and history[0].adapter == folder else history)])
        return new

    def rollback(self) -> Promotion | None:
        """Go back to the adapter before this one; None when there is none: the packaged one or the bare model serves.

        :raises UsageError: when no adapter is promoted.
        """
        with self._locked():
            history = self.history()
            if not history:
                raise UsageError("No adapter is promoted for this model, so there is nothing to go back to.")
            if history[1:]:
                self._write(history[1:])
                return history[1]
            self.pointer.unlink()
            return None

    def _write(self, history: list[Promotion]) -> None:
        first, *rest = (
            {"adapter": str(one.adapter), "promoted": one.promoted, "evidence": dict(one.evidence)} for one in history
        )
        write_json(self.pointer, {**first, "previous": rest})

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self.pointer.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(self.pointer.with_suffix(".lock")):
            yield


def _promotion(row: Mapping[str, Any]) -> Promotion:
    return Promotion(Path(row["adapter"]), str(row.get("promoted", "")), dict(row.get("evidence", {})))
