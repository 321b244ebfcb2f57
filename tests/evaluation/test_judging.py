"""A scripted judge over results: who is judged, what is kept, what a failing judge leaves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from scripted import result

from ragvoice.datatypes import Passage
from ragvoice.errors import GenerationError
from ragvoice.evaluation.judge import JudgeScore
from ragvoice.evaluation.judging import judged
from ragvoice.evaluation.results import ReadPassage


class ScriptedJudge:
    def __init__(self, fails: bool = False):
        self.fails = fails
        self.asked: list[tuple[str, str, tuple[str, ...], tuple[str, ...]]] = []

    def score(self, question: str, answer: str, golds: Sequence[str], passages: Sequence[Passage]) -> JudgeScore:
        self.asked.append((question, answer, tuple(golds), tuple(passage.text for passage in passages)))
        if self.fails:
            raise GenerationError("no server")
        return JudgeScore(1.0, 0.5, "Says the same.")


ANSWERED = result(passages=(ReadPassage("a", "", None, 0.9, "They get 25 days.", True),))


def test_only_answers_are_judged_and_world_knowledge_is_no_reference() -> None:
    judge = ScriptedJudge()
    off_topic = result(answerable=False, kind="unanswerable", golds=("Camping World",))
    found = judged([ANSWERED, off_topic, result(outcome="abstained"), result(outcome="failed", error="x")], judge)
    assert judge.asked == [
        ("How many days?", "25 days", ("25 days",), ("They get 25 days.",)),
        ("How many days?", "25 days", (), ()),
    ]
    assert [r.judge_correct for r in found] == [1.0, 1.0, None, None]
    assert (found[0].judge_faithful, found[0].judge_reason) == (0.5, "Says the same.")


def test_grades_are_kept_and_another_answer_is_judged_anew(tmp_path: Path) -> None:
    journal = tmp_path / "judge.jsonl"
    first, second = ScriptedJudge(), ScriptedJudge()
    assert judged([ANSWERED], first, journal) == judged([ANSWERED], second, journal)
    assert second.asked == []
    judged([result(answer="26 days")], second, journal)
    assert len(second.asked) == 1


def test_a_judge_that_fails_leaves_no_grade_and_is_asked_again(tmp_path: Path) -> None:
    journal = tmp_path / "judge.jsonl"
    [found] = judged([ANSWERED], ScriptedJudge(fails=True), journal)
    assert (found.judge_correct, found.judge_reason) == (None, "the judge failed: no server")
    assert judged([ANSWERED], ScriptedJudge(), journal)[0].judge_correct == 1
