"""What went wrong with a question, so that one knows where to look. Pure functions.

The first kind that applies counts; the earlier in the chain from question to answer, the sooner it is asked for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from ragvoice.evaluation.answer_metrics import normalise
from ragvoice.evaluation.results import QuestionResult, ReadPassage

KINDS = {
    "error": "no answer at all: a part failed",
    "leak": "an unanswerable question was answered from the model's own knowledge",
    "answered the unanswerable": "the documents do not answer, or it was not clear what was meant, and it was answered",
    "misheard": "the recogniser understood something else",
    "retrieval miss": "no gold document among the passages",
    "gold not read": "a gold document was found, but not among the passages that the model read",
    "wrong refusal": "the model had the gold document before it, and nothing was answered",
    "wrong passage used": "the answer is wrong and cites documents that are not gold",
    "unsupported claim": "a sentence of the answer is not supported by what it cites",
    "wrong answer": "anything else that is not the gold answer",
}
"""Kind of failure -> what it means, from the worst to understand first to the mildest."""


def classify(result: QuestionResult) -> str | None:
    """One of `KINDS`, or None when nothing is wrong, or nothing says what would be right."""
    if result.error is not None:
        return "error"
    if not result.answerable:
        if result.leaked:
            return "leak"
        return "answered the unanswerable" if result.answered else None
    unsupported = result.answered and result.grounded is not None and result.grounded < 1
    if result.right:
        return "unsupported claim" if unsupported else None
    if result.heard is not None and normalise(result.heard) != normalise(result.question):
        return "misheard"
    missed = bool(result.gold_ids) and not any(passage.gold for passage in result.passages)
    if result.right is None:  # a set for retrieval, without gold answers
        return "retrieval miss" if missed else None
    if missed:
        return "retrieval miss"
    read = passages_read(result)
    if result.gold_ids and read is not None and not any(passage.gold for passage in read):
        return "gold not read"
    if not result.answered:
        return "wrong refusal"
    if result.gold_ids and result.citations and not any(citation.gold for citation in result.citations):
        return "wrong passage used"
    return "unsupported claim" if unsupported else "wrong answer"


def passages_read(result: QuestionResult) -> Sequence[ReadPassage] | None:
    """Those that the model read: the first ones, down to the one whose score the evidence's `margin` is measured to.

    None when the evidence has no margin, because the model was not asked or the system is another one.
    """
    margin = result.evidence.get("margin")
    if margin is None or not result.passages:
        return None
    lowest = result.passages[0].score - margin
    return [passage for passage in result.passages if passage.score >= lowest - 1e-5]


def count(results: Sequence[QuestionResult]) -> dict[str, int]:
    """Kind -> questions, in the order of `KINDS`, without the kinds that did not occur."""
    found = Counter(result.failure for result in results)
    return {kind: found[kind] for kind in KINDS if found[kind]}
