"""An earlier report, read back and compared with."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from scripted import result

from ragvoice.datatypes import Message
from ragvoice.errors import UsageError
from ragvoice.evaluation.baseline import check_comparable, compared, read_baseline
from ragvoice.evaluation.datasets import Dataset, Question
from ragvoice.evaluation.report import SetReport, report_json
from ragvoice.evaluation.results import Cited, QuestionResult, ReadPassage

RESULT = result(
    history=(Message("user", "Before?"),),
    groups=("hr",),
    citations=(Cited("a", "S", 2, "25 days", True),),
    passages=(ReadPassage("a", "S", 2, 0.5, "They get 25 days.", True),),
    evidence={"margin": 0.1},
    timings={"total": 1.5, "retrieve": None},
    f1=1.0,
    right=True,
)
ASKED = Dataset("set", Path(), (Question("1", RESULT.question, ("25 days",), ("a",), True, RESULT.history, ("hr",)),))


def report(*results: QuestionResult) -> SetReport:
    return SetReport("set", "short", "ragvoice", 40, "d1g", {}, results, {})


def test_a_report_is_read_back_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    data = report_json("2026-01-01T00:00:00Z", {"version": "1"}, [report(RESULT)])
    file.write_text(json.dumps(data))
    assert read_baseline(file) == {("set", "short"): [RESULT]}


@pytest.mark.parametrize(
    ("text", "said"),
    [("nonsense", "not a report"), ("[]", "not a report"), ('{"schema": 1}', "sets"), ('{"schema": 99}', "schema 99"),
     ('{"schema": 1, "sets": [{"set": "a", "style": "b", "questions": [{}]}]}', "not a report")],
)  # fmt: skip
def test_a_file_that_is_no_report(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "baseline.json"
    file.write_text(text)
    with pytest.raises(UsageError, match=said):
        read_baseline(file)


def test_a_baseline_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        read_baseline(tmp_path / "none.json")


def test_a_baseline_without_any_of_the_questions_is_refused() -> None:
    before = {("set", "short"): [RESULT]}
    check_comparable(before, [ASKED], ["spoken", "short"])
    [same] = ASKED.questions
    other = replace(ASKED, questions=(replace(same, text="Something else?"),))
    mended = replace(ASKED, questions=(replace(same, answers=("26 days",)),))
    for datasets, style in (
        ([replace(ASKED, name="other")], "short"), ([ASKED], "spoken"), ([other], "short"), ([mended], "short"),
    ):  # fmt: skip
        with pytest.raises(UsageError, match=r"It holds: set \(short\)"):
            check_comparable(before, datasets, [style])  # type: ignore[list-item]
    with pytest.raises(UsageError, match="nothing"):
        check_comparable({}, [ASKED], ["short"])


def test_each_report_is_compared_with_its_own_set_and_style() -> None:
    other = replace(report(RESULT), style="spoken")
    found = compared({("set", "short"): [RESULT]}, [report(RESULT), other])
    assert [(c.style, c.common, c.only_after) for c in found] == [("short", 1, 0), ("spoken", 0, 1)]
