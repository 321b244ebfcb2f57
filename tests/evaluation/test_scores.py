"""Figures of a set from results whose arithmetic can be done by hand."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
from scripted import result

from ragvoice.datatypes import Message
from ragvoice.evaluation.results import QuestionResult
from ragvoice.evaluation.scores import BY_NAME, MEASURES, Figure, confidence_and_right, summarise

UNANSWERABLE: dict[str, Any] = {"answerable": False, "kind": "unanswerable", "right": None, "right_draft": False}


def refused(**changes: Any) -> QuestionResult:
    return result(**{"outcome": "abstained", "right": False, "right_draft": False, "f1": 0.0, **changes})


@cache
def figures() -> dict[str, Figure]:
    return summarise(rows())


def rows() -> list[QuestionResult]:
    """Answerable: right, wrong, refused, failed. Not answerable: answered, refused, asked back (underspecified)."""
    return [
        result(right=True, right_draft=True, f1=1.0, grounded=1.0, confidence=0.9, evidence={"margin": 0.0}),
        result(right=False, right_draft=False, f1=0.5, grounded=0.0, confidence=0.6, evidence={"margin": 0.0}),
        refused(confidence=0.1, evidence={"margin": 0.0}),
        result(outcome="failed", error="x", right=False, f1=0.0),
        result(**UNANSWERABLE, leaked=True, confidence=0.8, evidence={"margin": 0.0}),
        refused(**{**UNANSWERABLE, "f1": None}, leaked=False),
        refused(**{**UNANSWERABLE, "kind": "underspecified", "outcome": "clarify", "f1": None}),
    ]


@pytest.mark.parametrize(
    ("name", "value", "n"),
    [
        ("right", 1 / 4, 4),  # a failed question is no answer
        ("f1", 1.5 / 4, 4),
        ("right_when_answered", 1 / 3, 3),
        ("grounded", 1 / 2, 2),
        ("refused_answerable", 1 / 3, 3),  # an error is no refusal
        ("refused_unanswerable", 1 / 2, 2),
        ("refused_underspecified", 1, 1),
        ("asked_back_underspecified", 1, 1),
        ("asked_back_answerable", 0, 3),
        ("balanced", (1 / 3 + 2 / 3) / 2, 6),  # right 1 of 3, declined 2 of 3; without the failed one
        ("refusal_precision", 2 / 3, 6),
        ("refusal_recall", 2 / 3, 6),
        ("refusal_f1", 2 / 3, 6),
        ("leak_rate", 1 / 2, 2),
        ("failed", 1 / 7, 7),
        # Drafts by confidence: .9 right, .8 wrong, .6 wrong, .1 wrong: risks 0, 1/2, 2/3, 3/4.
        ("aurc", (0 + 1 / 2 + 2 / 3 + 3 / 4) / 4, 4),
        ("ece", (0.1 + 0.8 + 0.6 + 0.1) / 4, 4),
        ("auroc", 1, 4),
    ],
)
def test_figures(name: str, value: float, n: int) -> None:
    figure = figures()[name]
    assert figure.value == pytest.approx(value, abs=1e-4)
    assert figure.n == n
    assert figure.low is not None
    assert figure.high is not None
    assert figure.low <= figure.value <= figure.high


def test_a_figure_that_no_question_defines_is_not_there() -> None:
    found = summarise([result(right=True)])
    assert found.keys().isdisjoint({"hit@5", "leak_rate", "refused_unanswerable", "judge_correct", "total_p50", "f1"})
    assert summarise([]) == {}


def test_confidence_of_a_system_without_drafts_is_that_of_what_it_said() -> None:
    taken = [result(right=True, confidence=0.7), refused(confidence=0.2), result(**UNANSWERABLE, confidence=0.5)]
    assert confidence_and_right(taken) == ([0.7, 0.5], [True, False])


def test_a_held_back_draft_counts_with_its_confidence() -> None:
    taken = [refused(confidence=0.2, right_draft=True, evidence={"margin": 0.0})]
    assert confidence_and_right(taken) == ([0.2], [True])


def test_follow_ups_are_compared_with_their_words_alone() -> None:
    names = ("hit@1", "hit@5", "mrr")
    good, bad = dict.fromkeys(names, 1.0), dict.fromkeys(names, 0.0)
    history = (Message("user", "Leave?"),)
    first = result(history=history, retrieval=good, retrieval_without_history=bad, retrieval_of_standalone=good)
    alone = result(retrieval=bad)
    figures = {
        name: measure.rows([first, alone]) for name, measure in BY_NAME.items() if name.startswith("followup_hit@1")
    }
    assert figures == {
        "followup_hit@1": [first], "followup_hit@1_without_history": [first], "followup_hit@1_of_standalone": [first],
    }  # fmt: skip
    assert BY_NAME["followup_hit@1_without_history"].of(first) == 0
    assert BY_NAME["followup_hit@1"].of(first) == 1


def test_percentiles_of_the_stages() -> None:
    seconds = [result(timings={"total": float(n), "retrieve": None}) for n in range(1, 22)]
    found = summarise(seconds)
    assert (found["total_p50"].value, found["total_p95"].value) == (11, 20)
    assert "retrieve_p50" not in found


def test_bleu_is_of_the_whole_set_and_a_refusal_is_an_empty_answer() -> None:
    said = "employees get twenty five days of leave"
    one = result(answer=said, golds=(said,), bleu=1.0)
    assert summarise([one])["corpus_bleu"].value == 1
    both = summarise([one, refused(answer="That is not in the documents.", golds=(said,), bleu=0.0)])
    # Precision 1 for every order; brevity penalty exp(1 - 14/7).
    assert both["corpus_bleu"].value == pytest.approx(2.718281828**-1, abs=1e-3)


def test_names_are_unique() -> None:
    assert len(BY_NAME) == len(MEASURES)
