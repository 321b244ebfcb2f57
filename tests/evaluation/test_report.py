"""The JSON of a run, and its sections."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from scripted import result

from ragvoice.datatypes import Message
from ragvoice.evaluation.comparison import compare
from ragvoice.evaluation.datasets import Dataset
from ragvoice.evaluation.report import Section, comparison_of, history_section, report_json, set_report
from ragvoice.evaluation.results import Cited, ReadPassage

RESULT = result(
    history=(Message("user", "Before?"),),
    citations=(Cited("a", "S", 2, "25 days", True),),
    passages=(ReadPassage("a", "S", 2, 0.5, "They get 25 days.", True),),
    evidence={"margin": 0.1},
    retrieval={"hit@1": 1.0},
    timings={"total": 1.5, "retrieve": None},
    f1=1.0,
    right=True,
)


def test_what_a_report_says() -> None:
    section = Section("Voice", ("a", "b"), (("x", "1"),), data={"wer": 0.1})
    made = set_report(
        Dataset("set", Path(), (), 40, "d1g"), "short", "ragvoice", {"generation": "g1"}, [RESULT], [section]
    )
    found = compare("set", "short", [RESULT], [RESULT])
    data: Any = report_json("2026-01-01T00:00:00Z", {"version": "1"}, [made], [found], ["set, short: broken"])
    [row] = data["sets"]
    assert (data["version"], data["created"], data["broken_gates"]) == (
        "1", "2026-01-01T00:00:00Z", ["set, short: broken"],
    )  # fmt: skip
    assert (row["asked"], row["available"], row["questions_sha256"], row["index"]) == (
        1,
        40,
        "d1g",
        {"generation": "g1"},
    )
    assert row["scores"]["f1"] == {"value": 1.0, "low": 1.0, "high": 1.0, "n": 1}
    assert row["sections"][0]["data"] == {"wer": 0.1}
    assert data["comparisons"][0]["measures"]["f1"]["after"] == 1.0
    json.dumps(data, allow_nan=False)


def test_a_comparison_comes_back_from_its_json() -> None:
    found = compare("set", "short", [RESULT], [replace(RESULT, f1=0.5, right=False)])
    made = set_report(Dataset("set", Path(), (), 1, "d1g"), "short", "ragvoice", {}, [RESULT])
    [row] = json.loads(json.dumps(report_json("2026-01-01T00:00:00Z", {}, [made], [found])))["comparisons"]
    assert len(found.differences) > 2
    assert comparison_of(row) == found
    row["measures"]["of a later version"] = row["measures"].pop("f1")
    assert len(comparison_of(row).differences) == len(found.differences) - 1


def test_the_worth_of_the_history_is_paired() -> None:
    with_history = [result(id="1", f1=1.0, right=True), result(id="2", f1=0.5, right=True), result(id="3", f1=0.0)]
    alone = [result(id="1", f1=0.5, right=False), result(id="2", f1=0.5, right=True)]
    section = history_section(with_history, alone, [])
    rows = {row[0]: row[1:] for row in section.rows}
    assert rows["f1, without the history"][:3] == ("0.750", "0.500", "+0.250")
    assert rows["right, without the history"][:3] == ("1.000", "0.500", "+0.500")
    assert section.data["f1 without the history"]["n"] == 2
    assert not any("rewrites" in name for name in rows)
