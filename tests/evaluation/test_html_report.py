"""The page: all in one file, nothing from outside, and documents stay text."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from scripted import result

from ragvoice.datatypes import Message
from ragvoice.evaluation.comparison import compare
from ragvoice.evaluation.datasets import Dataset
from ragvoice.evaluation.html_report import render, worst
from ragvoice.evaluation.report import Section, set_report
from ragvoice.evaluation.results import Cited, QuestionResult, ReadPassage

EVIL = "<script>alert('x')</script>\"&"
MADE: dict[str, Any] = {
    "version": "0", "commit": {"sha": "abcdef0123456789", "dirty": True}, "prompt_sha256": "p" * 64, "judge": None,
    "platform": {"system": "Linux", "cpus": 2, "python": "3"}, "settings": {"llm": EVIL, "adapter": None},
    "models": {"llm": {"name": EVIL, "sha256": None}},
}  # fmt: skip


def questions() -> list[QuestionResult]:
    scores = dict.fromkeys(("hit@1", "hit@3", "hit@5", "hit@10"), 1.0)
    scores |= dict.fromkeys(("recall@1", "recall@3", "recall@5", "recall@10", "mrr", "ndcg@10"), 0.5)
    evil = result(
        question=EVIL, answer=EVIL, draft=EVIL + "2", golds=(EVIL,), gold_ids=(EVIL,), history=(Message("user", EVIL),),
        standalone_question=EVIL + "3", citations=(Cited(EVIL, EVIL, 2, EVIL, False),), heard=EVIL, judge_reason=EVIL,
        passages=(ReadPassage(EVIL, EVIL, 3, 0.9, EVIL, True), ReadPassage("b", "", None, 0.5, "B", False)),
        evidence={"read": 1.0}, retrieval=scores, timings={"total": 2.0, "retrieve": 0.1}, grounded=0.0, f1=0.0,
        right=False, right_draft=False, failure="wrong answer",
    )  # fmt: skip
    good = result(id="2", right=True, right_draft=True, evidence={"read": 1.0}, retrieval=scores, f1=1.0)
    broken = result(id="3", outcome="failed", error=EVIL, failure="error", right=False)
    return [evil, good, broken]


@pytest.fixture(scope="module")
def page() -> str:
    section = Section(EVIL, ("a", EVIL), ((EVIL, EVIL),), EVIL)
    made = set_report(Dataset(EVIL, Path(), (), 3), "short", EVIL, {}, questions(), [section])
    return render("2026-01-01", MADE, [made], [compare(EVIL, "short", questions(), questions())], [EVIL])


def test_nothing_of_a_document_becomes_markup(page: str) -> None:
    assert "<script" not in page.lower()
    assert "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;" in page
    assert not re.search(r"\son\w+=", page)


def test_nothing_comes_from_outside(page: str) -> None:
    assert not re.search(r"<(?:link|img|iframe|script)\b|@import|url\((?!#)", page)
    assert set(re.findall(r"https?://[^\s\"'<>]+", page)) <= {
        "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink", "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    }  # fmt: skip


def test_the_plots_are_readable_without_seeing_them(page: str) -> None:
    drawn = re.findall(r"<svg\b.*?</svg>", page, re.DOTALL)
    assert len(drawn) == 5
    for svg in drawn:
        root = ElementTree.fromstring(svg)
        assert root.get("role") == "img"
        assert root.get("aria-label")
        assert not re.search(r"#0[1-4]0[1-4]0[1-4]", svg)  # the stand-ins for the page's colours
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    for target in re.findall(r'(?:href="#|url\(#)([^")]+)', page):
        assert target in ids


def test_tables_say_what_their_headings_belong_to(page: str) -> None:
    assert len(re.findall(r"<th\b", page)) == len(re.findall(r"<th scope=", page))


def test_what_is_shown_of_a_case(page: str) -> None:
    for text in ("at rank 1", "read by the model", "Broken gates", "abcdef0123 with changes", "wrong answer", "Before"):
        assert text in page


def test_the_worst_come_first_and_a_kind_has_a_limit() -> None:
    failed = [result(id=str(n), failure="wrong answer", confidence=n / 10, right_draft=False) for n in range(9)]
    assert [r.id for r in worst(failed, "wrong answer")] == ["8", "7", "6", "5", "4", "3"]
    refused = [result(id="a", failure="wrong refusal", confidence=0.1, right_draft=True)]
    refused.append(result(id="b", failure="wrong refusal", confidence=0.15, right_draft=False))
    assert [r.id for r in worst(refused, "wrong refusal")] == ["a", "b"]


def test_a_run_without_anything_to_show() -> None:
    made = set_report(Dataset("empty", Path(), (), 0), "short", "ragvoice", {}, [])
    assert "Nothing that this evaluation can see" in render("2026-01-01", {**MADE, "commit": None}, [made])
