"""What a judge says of the answers of a run, kept in a journal like the answers themselves."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Protocol

from ragvoice.datatypes import Passage
from ragvoice.errors import GenerationError
from ragvoice.evaluation.journal import Journal
from ragvoice.evaluation.judge import JudgeScore
from ragvoice.evaluation.provenance import without_folders
from ragvoice.evaluation.results import QuestionResult


class Judges(Protocol):
    """`Judge` does."""

    def score(self, question: str, answer: str, golds: Sequence[str], passages: Sequence[Passage]) -> JudgeScore: ...


def judged(
    results: Sequence[QuestionResult],
    judge: Judges,
    journal: Path | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[QuestionResult]:
    """The results with the judge's grades; only what was answered is judged.

    A judge that fails leaves the question without grades and with the reason; the next run asks it again.

    :param journal: A file for this judge only; None keeps nothing.
    """
    kept = Journal(journal)
    graded = []
    for number, result in enumerate(results):
        progress(number, len(results))
        graded.append(_graded(result, judge, kept) if result.answered else result)
    progress(len(results), len(results))
    return graded


def _graded(result: QuestionResult, judge: Judges, kept: Journal) -> QuestionResult:
    golds = result.golds if result.answerable else ()
    passages = [Passage(p.doc_id, p.doc_id, "", p.section, p.page, None, p.text, 0, p.score) for p in result.passages]
    material = [result.standalone_question, result.answer, golds, [passage.text for passage in passages]]
    key = hashlib.sha256(json.dumps(material).encode()).hexdigest()
    record = kept.get(key)
    if record is None:
        try:
            record = asdict(judge.score(result.standalone_question, result.answer, golds, passages))
        except GenerationError as error:
            return replace(result, judge_reason=without_folders(f"the judge failed: {error}"))
        kept.put(key, record)
    return replace(
        result, judge_correct=record["correct"], judge_faithful=record["faithful"], judge_reason=record["reason"]
    )
