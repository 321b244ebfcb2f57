"""Differences over the questions that two runs share."""

from __future__ import annotations

from typing import Any

from scripted import result

from ragvoice.evaluation.comparison import compare
from ragvoice.evaluation.results import QuestionResult

UNANSWERABLE: dict[str, Any] = {"answerable": False, "kind": "unanswerable", "right": None, "golds": ()}


def asked(number: int, **changes: Any) -> QuestionResult:
    return result(id=str(number), question=f"Question {number}?", **changes)


def test_the_mean_difference_is_paired() -> None:
    before = [asked(n, f1=0.5) for n in range(4)]
    after = [asked(n, f1=value) for n, value in enumerate((0.5, 0.5, 1.0, 1.0))]
    found = compare("set", "short", before, after)
    [change] = [d for d in found.differences if d.measure.name == "f1"]
    assert (found.common, found.only_before, found.only_after) == (4, 0, 0)
    assert (change.before, change.after, change.change.value, change.change.n) == (0.5, 0.75, 0.25, 4)
    assert change.change.low is not None
    assert 0 <= change.change.low < 0.25


def test_a_statistic_is_compared_over_the_same_questions() -> None:
    before = [asked(1, **UNANSWERABLE, outcome="abstained"), asked(2, right=False, outcome="abstained")]
    after = [asked(1, **UNANSWERABLE, outcome="abstained"), asked(2, right=True)]
    changes = {d.measure.name: d for d in compare("set", "short", before, after).differences}
    precision = changes["refusal_precision"]
    assert (precision.before, precision.after, precision.change.value) == (0.5, 1.0, 0.5)
    assert changes["refused_answerable"].change.value == -1


def test_other_questions_are_left_out_and_counted() -> None:
    before = [asked(1, f1=0.0), asked(2, f1=1.0), asked(3, f1=1.0, golds=("30 days",))]
    after = [asked(2, f1=1.0), asked(3, f1=0.0, golds=("25 days",)), asked(4, f1=0.0)]
    found = compare("set", "short", before, after)  # the gold answer of 3 is another one
    assert (found.common, found.only_before, found.only_after) == (1, 2, 2)
    [change] = [d for d in found.differences if d.measure.name == "f1"]
    assert (change.before, change.after) == (1, 1)


def test_nothing_in_common() -> None:
    found = compare("set", "short", [asked(1)], [asked(2)])
    assert (found.common, found.differences) == (0, ())


def test_a_measure_that_only_one_run_defines_is_not_compared() -> None:
    names = {d.measure.name for d in compare("s", "short", [asked(1, grounded=1.0)], [asked(1)]).differences}
    assert "grounded" not in names
    assert "failed" in names
