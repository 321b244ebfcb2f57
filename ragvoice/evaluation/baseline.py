"""An earlier report to compare with."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from ragvoice.datatypes import Style
from ragvoice.errors import UsageError
from ragvoice.evaluation.comparison import Comparison, asked, compare
from ragvoice.evaluation.datasets import Dataset
from ragvoice.evaluation.report import SCHEMA, SetReport
from ragvoice.evaluation.results import QuestionResult, question_result

Baseline = Mapping[tuple[str, str], Sequence[QuestionResult]]
"""(set, style) -> questions."""


def read_baseline(file: Path) -> Baseline:
    """(set, style) -> questions of an earlier `--json`.

    :raises UsageError: when the file is none.
    """
    try:
        report = json.loads(file.read_text(encoding="utf-8"))
        if report["schema"] != SCHEMA:
            raise UsageError(
                f"{file} has schema {report['schema']} of the report; this version reads {SCHEMA}. "
                "Make the baseline again."
            )
        return {
            (row["set"], row["style"]): [question_result(question) for question in row["questions"]]
            for row in report["sets"]
        }
    except OSError as error:
        raise UsageError(f"The baseline {file} cannot be read: {error.strerror or error}.") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(
            f"{file} is not a report of ragvoice evaluate --json ({type(error).__name__}: {error})."
        ) from error


def check_comparable(before: Baseline, datasets: Sequence[Dataset], styles: Sequence[Style]) -> None:
    """Before hours are spent on answers.

    :raises UsageError: when the baseline holds none of the questions in one of the styles.
    """
    for dataset in datasets:
        questions = {asked(question) for question in dataset.questions}
        for style in styles:
            if any(asked(result) in questions for result in before.get((dataset.name, style), ())):
                return
    held = ", ".join(f"{name} ({style})" for name, style in before)
    raise UsageError(
        "The baseline has none of these questions, with the same gold answers, in this style. "
        f"It holds: {held or 'nothing'}."
    )


def compared(before: Baseline, reports: Sequence[SetReport]) -> list[Comparison]:
    """One for each report, also where the baseline has none of its questions."""
    return [compare(r.name, r.style, before.get((r.name, r.style), ()), r.results) for r in reports]
