"""Failures of an evaluation that the model could have done better."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from finetune.data.failures import from_report
from ragvoice.errors import UsageError
from ragvoice.evaluation.report import SCHEMA
from ragvoice.evaluation.results import QuestionResult, ReadPassage

OTHER = ReadPassage("b", "", None, 0.9, "Something else.", False)
GOLD = ReadPassage("a", "", None, 0.8, "Leave is generous.", True)
HOLDS = ReadPassage("a", "", None, 0.7, "There are 25 days of leave.", True)


def result(id_: str, failure: str | None, **changes: Any) -> dict[str, Any]:
    values: dict[str, Any] = {
        "style": "short", "question": f"Question {id_}?", "history": (), "groups": ("hr",), "standalone_question": "",
        "answerable": True, "kind": "answerable", "outcome": "abstained", "answer": "", "draft": "",
        "golds": ("25 days",), "gold_ids": ("a#p1",), "confidence": 0.1, "evidence": {},
        "passages": (OTHER, GOLD, HOLDS),
    }  # fmt: skip
    return QuestionResult(id=id_, failure=failure, **{**values, **changes}).as_json()


def report(folder: Path, *rows: dict[str, Any], others: tuple[dict[str, Any], ...] = ()) -> Path:
    file = folder / "report.json"
    sets = [{"set": "s", "style": "short", "questions": rows}, {"set": "s", "style": "spoken", "questions": others}]
    file.write_text(json.dumps({"schema": SCHEMA, "sets": sets}))
    return file


def test_a_wrong_refusal_has_the_gold_answer_and_the_passage_that_holds_it(tmp_path: Path) -> None:
    (found,), dropped = from_report(report(tmp_path, result("1", "wrong refusal")))
    assert (found.id, found.answers, found.answerable, found.gold_doc_ids, found.gold_text) == (
        "s:1:short", ("25 days",), True, ("a",), "There are 25 days of leave.",
    )  # fmt: skip
    assert (found.style, found.groups, found.source) == ("short", ("hr",), "failure")
    assert not dropped


@pytest.mark.parametrize("kind", ["leak", "answered the unanswerable"])
def test_what_should_have_been_refused_is_unanswerable(tmp_path: Path, kind: str) -> None:
    row = result("1", kind, answerable=False, kind="unanswerable", golds=("a wrong one",), passages=(OTHER,))
    (found,), _ = from_report(report(tmp_path, row))
    assert (found.answers, found.answerable, found.gold_doc_ids, found.gold_text) == ((), False, (), "")


def test_what_another_adapter_does_not_mend_is_counted(tmp_path: Path) -> None:
    rows = [
        result("1", None),
        result("2", "retrieval miss"),
        result("3", "gold not read"),
        result("4", "error"),
        result("5", "wrong answer", golds=()),
        result("6", "answered the unanswerable", answerable=False, kind="underspecified"),
    ]
    found, dropped = from_report(report(tmp_path, *rows))
    assert found == []
    assert dropped == {
        "no failure": 1, "retrieval miss": 1, "gold not read": 1, "error": 1, "no gold answer": 1,
        "the right reply asks back": 1,
    }  # fmt: skip


def test_a_short_gold_answer_stays_short_in_the_spoken_style(tmp_path: Path) -> None:
    said = "Everybody gets 25 days of leave a year."
    short, long = (
        result("1", "wrong answer", style="spoken"),
        result("2", "wrong answer", style="spoken", golds=(said,)),
    )
    file = report(tmp_path, result("1", "wrong answer"), others=(short, long))
    found, dropped = from_report(file)
    assert [(candidate.id, candidate.style) for candidate in found] == [
        ("s:1:short", "short"),
        ("s:2:spoken", "spoken"),
    ]
    assert dropped == {"the same question in another style": 1}


def test_a_weight_repeats_under_other_ids(tmp_path: Path) -> None:
    found, _ = from_report(report(tmp_path, result("1", "wrong answer")), weight=3)
    assert [candidate.id for candidate in found] == ["s:1:short", "s:1:short#2", "s:1:short#3"]
    assert len({candidate.question for candidate in found}) == 1


def test_another_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("{}")
    with pytest.raises(UsageError, match="not a report"):
        from_report(tmp_path / "x.json")
