"""Figures of a whole run, from answers that the test wrote."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest

from ragvoice.datatypes import Answer, Citation, Passage
from ragvoice.evaluation.datasets import Dataset, Question
from ragvoice.evaluation.runner import evaluate, hits_at, report_json, summarise
from ragvoice.voicebot import VoiceBot


def passage(doc_id: str, page: int | None = None) -> Passage:
    return Passage(doc_id, doc_id, "", "", page, None, "", 0, 0.5)


def test_several_chunks_of_one_document_take_one_place() -> None:
    found = [passage(name) for name in ("a", "a", "a", "b", "a", "gold")]
    assert hits_at(found, ["gold"]) == {1: 0, 3: 1, 5: 1, 10: 1}  # a, b, gold
    assert hits_at(found, ["a"]) == {1: 1, 3: 1, 5: 1, 10: 1}
    assert hits_at(found, ["zzz", "b"]) == {1: 0, 3: 1, 5: 1, 10: 1}
    assert hits_at([], ["a"]) == {1: 0, 3: 0, 5: 0, 10: 0}


def test_a_gold_page_is_told_from_the_rest_of_its_file() -> None:
    found = [passage("f.pdf", 1), passage("f.pdf", 2), passage("x"), passage("f.pdf", 8)]
    assert hits_at(found, ["f#p7"]) == {1: 0, 3: 1, 5: 1, 10: 1}  # f.pdf, x, the gold page


class ScriptedBot:
    def __init__(self, answers: dict[str, Answer]):
        self._answers = answers

    def ask(self, question: str, *_: object) -> Answer:
        return self._answers[question]


def answered(text: str, *cited: str) -> Answer:
    citations = tuple(Citation(doc_id, doc_id, "", "", None, None, "", 0) for doc_id in cited)
    return Answer("t", "q", "q", "answered", text, 0.9, citations)


def test_the_figures_of_a_run() -> None:
    questions = (
        Question("1", "right", ("25 days",), ("a",), True),
        Question("2", "wrong", ("25 days",), ("a",), True),
        Question("3", "refused", ("25 days",), ("a",), True),
        Question("4", "unanswerable, refused", (), (), False),
        Question("5", "unanswerable, answered", (), (), False),
    )
    refusal = Answer("t", "q", "q", "abstained", "That is not in the documents.", 0.1)
    bot = ScriptedBot(
        {
            "right": answered("25 days", "a", "b"),
            "wrong": answered("26 days", "b"),
            "refused": refusal,
            "unanswerable, refused": refusal,
            "unanswerable, answered": answered("25 days", "a"),
        }
    )
    dataset = Dataset("set", Path("."), questions)
    results = evaluate(dataset, cast(VoiceBot, bot), lambda query, groups: [passage("b"), passage("a")])
    scores = summarise(results)
    assert scores.questions == 5
    assert scores.hit_at == {1: 0, 3: 1, 5: 1, 10: 1}
    assert scores.exact_match == pytest.approx(1 / 3, abs=1e-4)
    assert scores.f1 == pytest.approx((1 + 0.5 + 0) / 3, abs=1e-4)  # "26 days" shares one word of two
    assert scores.refused_unanswerable == pytest.approx(1 / 2)
    assert scores.refused_answerable == pytest.approx(1 / 3, abs=1e-4)
    assert scores.cites_gold == pytest.approx((0.5 + 0) / 2)
    assert [result.golds for result in results[3:]] == [(), ()]
    report = report_json(dataset, "short", results)
    assert report["dataset"] == "set"
    assert len(cast(list[object], report["questions"])) == 5


def test_an_empty_run_has_no_figures() -> None:
    scores = summarise([])
    assert (scores.questions, scores.f1, scores.seconds_median) == (0, None, None)
