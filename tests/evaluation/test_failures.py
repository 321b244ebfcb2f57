"""One case for each kind of failure, and for none."""

from __future__ import annotations

from typing import Any

import pytest
from scripted import result

from ragvoice.evaluation.failures import KINDS, classify, count, passages_read
from ragvoice.evaluation.results import Cited, ReadPassage


def found(*golds: bool) -> tuple[ReadPassage, ...]:
    """Passages with falling scores: 0.9, 0.8, 0.7 ..."""
    return tuple(ReadPassage(f"d{n}", "", None, 0.9 - 0.1 * n, "", gold) for n, gold in enumerate(golds))


WRONG: dict[str, Any] = {"right": False, "passages": found(True, False), "grounded": 1.0}
CITES_OTHER = (Cited("b", "", None, "", False),)
CITES_GOLD = (Cited("b", "", None, "", False), Cited("a", "", None, "", True))
UNANSWERABLE: dict[str, Any] = {"answerable": False, "kind": "unanswerable", "right": None}


@pytest.mark.parametrize(
    ("kind", "case"),
    [
        (None, {"right": True, "grounded": 1.0, "passages": found(False)}),
        (None, {"right": True, "grounded": None}),
        (None, {**UNANSWERABLE, "outcome": "abstained"}),
        (None, {**UNANSWERABLE, "kind": "underspecified", "outcome": "clarify"}),
        (None, {"right": None, "passages": found(False, True)}),
        ("error", {"error": "GenerationError: x", "outcome": "failed", "right": False}),
        ("leak", {**UNANSWERABLE, "leaked": True}),
        ("answered the unanswerable", {**UNANSWERABLE, "leaked": False}),
        ("answered the unanswerable", {**UNANSWERABLE, "kind": "underspecified"}),
        ("misheard", {**WRONG, "heard": "How many daisies?"}),
        ("wrong answer", {**WRONG, "heard": "how many days"}),
        ("retrieval miss", {**WRONG, "passages": found(False, False)}),
        ("retrieval miss", {**WRONG, "passages": (), "outcome": "abstained"}),
        ("retrieval miss", {"right": None, "passages": found(False)}),
        ("gold not read", {**WRONG, "passages": found(False, False, True), "evidence": {"read": 2.0}}),
        ("wrong refusal", {**WRONG, "outcome": "abstained", "grounded": None}),
        ("wrong refusal", {**WRONG, "outcome": "clarify", "grounded": None}),
        ("wrong passage used", {**WRONG, "citations": CITES_OTHER}),
        ("unsupported claim", {**WRONG, "citations": CITES_GOLD, "grounded": 0.5}),
        ("unsupported claim", {"right": True, "grounded": 0.5}),
        ("wrong answer", {**WRONG, "citations": CITES_GOLD}),
        ("wrong answer", {**WRONG, "gold_ids": (), "citations": CITES_OTHER}),
    ],
)
def test_kinds(kind: str | None, case: dict[str, Any]) -> None:
    assert classify(result(**case)) == kind
    assert kind is None or kind in KINDS


def test_what_the_model_read_are_the_first_passages() -> None:
    passages = found(False, True, False)
    assert passages_read(result(passages=passages, evidence={"read": 2.0})) == passages[:2]
    assert passages_read(result(passages=passages)) is None


def test_counts_are_in_the_order_of_the_kinds() -> None:
    failures = ["wrong answer", None, "error", "wrong answer"]
    assert list(count([result(failure=kind) for kind in failures]).items()) == [("error", 1), ("wrong answer", 2)]
