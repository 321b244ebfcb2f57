"""The evaluation reports that are kept, for who looks after the quality: every call takes the right `quality`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from ragvoice.errors import UsageError
from ragvoice.evaluation.baseline import Baseline, read_baseline
from ragvoice.evaluation.comparison import Comparison, compare
from ragvoice.evaluation.report import SCHEMA
from ragvoice.evaluation.results import QuestionResult
from ragvoice.people.person import Person


@dataclass(frozen=True)
class SetSummary:
    """One set of one report, asked in one style."""

    report: str
    """Name of the report."""
    created: str
    """ISO 8601, UTC."""
    set: str
    style: str
    asked: int
    questions_sha256: str
    """Of the file of questions, of which `asked` were taken."""
    scores: Mapping[str, Mapping[str, float | int | None]]
    """Measure -> value, low, high, n."""
    failures: Mapping[str, int]
    broken: tuple[str, ...]
    """Gates that the whole report breaks, a sentence each."""

    @property
    def sample(self) -> tuple[str, str, str, int]:
        """Equal for the same questions in the same style."""
        return self.set, self.style, self.questions_sha256, self.asked


class Reports:
    def __init__(self, person: Person, folder: Path):
        """:param folder: RAGVOICE_HOME/reports. :raises AccessError: when the person may not read them."""
        person.require("quality")
        self._folder = folder

    def summaries(self) -> list[SetSummary]:
        """Of all reports, newest first; a file that is no report of this version is left out."""
        files = sorted(self._folder.glob("*.json"))
        found = [summary for file in files for summary in _summaries(file, _changed_ns(file))]
        return sorted(found, key=lambda summary: summary.created, reverse=True)

    def questions(self, report: str, set_: str, style: str) -> Sequence[QuestionResult]:
        """:raises UsageError: when there is no such report, or it has no such set."""
        file = self._file(report, ".json")
        baseline = _baseline(file, _changed_ns(file))
        if (set_, style) not in baseline:
            raise UsageError(f"The report {report} has no {set_} in the style {style}.")
        return baseline[set_, style]

    def compare(self, before: SetSummary, after: SetSummary) -> Comparison:
        """Question by question, over those that both have asked."""
        return compare(
            after.set,
            after.style,
            self.questions(before.report, before.set, before.style),
            self.questions(after.report, after.set, after.style),
        )

    def html(self, report: str) -> bytes | None:
        """The page of a report, if one was made."""
        file = self._file(report, ".html")
        return file.read_bytes() if file.is_file() else None

    def delete(self, report: str) -> None:
        """:raises UsageError: when there is no such report."""
        self._file(report, ".json").unlink(missing_ok=True)
        self._file(report, ".html").unlink(missing_ok=True)

    def _file(self, report: str, ending: str) -> Path:
        if report not in {file.stem for file in self._folder.glob("*.json")}:
            raise UsageError(f"There is no report {report!r}.")
        return self._folder / f"{report}{ending}"


def _changed_ns(file: Path) -> int:
    """Part of what a report is known by, so that one is read again when it has changed, and not at every click."""
    try:
        return file.stat().st_mtime_ns
    except OSError:
        return 0


@lru_cache(4)
def _baseline(file: Path, changed_ns: int) -> Baseline:
    return read_baseline(file)


@lru_cache(500)
def _summaries(file: Path, changed_ns: int) -> list[SetSummary]:
    try:
        report: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        if report["schema"] != SCHEMA:
            return []
        return [
            SetSummary(
                file.stem,
                report["created"],
                row["set"],
                row["style"],
                row["asked"],
                row["questions_sha256"],
                row["scores"],
                row["failures"],
                tuple(report["broken_gates"]),
            )
            for row in report["sets"]
        ]
    except (OSError, ValueError, KeyError, TypeError):
        return []
