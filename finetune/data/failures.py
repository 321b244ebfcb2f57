"""Candidates out of a report of `ragvoice evaluate --json`: what the model gets wrong today.

A set that is trained on measures nothing any more: evaluate the adapter on others, or on other documents of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from finetune.data.candidates import Candidate
from ragvoice.evaluation.baseline import read_baseline
from ragvoice.evaluation.results import QuestionResult

_WRONG_ANSWERS = frozenset({"wrong refusal", "wrong passage used", "unsupported claim", "wrong answer"})
_WRONGLY_ANSWERED = frozenset({"leak", "answered the unanswerable"})
"""Kinds of `ragvoice.evaluation.failures.KINDS`. The other ones are failures of the retrieval or the recogniser, which
another adapter does not mend."""
_SENTENCE_WORDS = 6
"""A shorter gold answer is a fact, not what would be said."""


def from_report(file: Path, weight: int = 1) -> tuple[list[Candidate], Counter[str]]:
    """The failures that the model could have done better, and how many questions are left out for which reason.

    :param weight: How often each one is given, under different ids: 3 shows a failure three times as often.
    :raises UsageError: when the file is no such report.
    """
    found, dropped = dict[str, Candidate](), Counter[str]()
    for (name, _), results in read_baseline(file).items():
        for result in results:
            reason = _unusable(result)
            candidate = _candidate(name, result)
            if reason is None and candidate.id in found:
                reason = "the same question in another style"
            if reason is not None:
                dropped[reason] += 1
            else:
                found[candidate.id] = candidate
    return [copy for candidate in found.values() for copy in _copies(candidate, weight)], dropped


def _unusable(result: QuestionResult) -> str | None:
    if result.failure is None:
        return "no failure"
    if result.failure in _WRONGLY_ANSWERED:
        return "the right reply asks back" if result.kind == "underspecified" else None
    if result.failure not in _WRONG_ANSWERS:
        return result.failure
    return None if result.golds else "no gold answer"


def _candidate(name: str, result: QuestionResult) -> Candidate:
    golds = result.golds if result.answerable else ()
    said = all(len(gold.split()) >= _SENTENCE_WORDS for gold in golds)
    style = result.style if said else "short"
    return Candidate(
        id=f"{name}:{result.id}:{style}",
        question=result.question,
        answers=golds,
        answerable=result.answerable,
        gold_doc_ids=tuple(dict.fromkeys(passage.doc_id for passage in result.passages if passage.gold)),
        gold_text=_gold_text(result, golds),
        history=result.history,
        style=style,
        source="failure",
        groups=result.groups,
    )


def _gold_text(result: QuestionResult, golds: Sequence[str]) -> str:
    """Of the gold passages the first with a gold answer in it, else the best one."""
    texts = [passage.text for passage in result.passages if passage.gold]
    return next((text for text in texts if any(gold in text for gold in golds)), texts[0] if texts else "")


def _copies(candidate: Candidate, weight: int) -> list[Candidate]:
    return [candidate, *(replace(candidate, id=f"{candidate.id}#{n}") for n in range(2, weight + 1))]
