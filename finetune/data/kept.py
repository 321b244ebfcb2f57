"""Which candidates may become examples: retrieval finds their passage, and their answer stands in it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Protocol

from finetune.data.candidates import Candidate
from finetune.data.twins import DENIES, says
from ragvoice.datatypes import Passage
from ragvoice.evaluation.datasets import is_gold
from ragvoice.generation.answering import checked
from ragvoice.generation.followup import search_follow_up
from ragvoice.generation.grounding import content_words
from ragvoice.sentences import split_sentences

SAME_TEXT = 0.8
"""Share of the shorter text's content words that the other one holds, from which a passage is the gold text's."""
GROUNDED = 0.6
"""Least share of a sentence's content words that its source holds (`Support.score`). At serving the confidence decides
instead, which needs the model's probabilities."""

_CATCH_ALL = re.compile(
    r"^\|\s*(?:(?:all|any|every|the) )?(?:others?|elsewhere|rest|everywhere|any|all)\b", re.I | re.M
)
"""Begins a row such as `| Other countries | ask the travel desk |`."""


class Search(Protocol):
    """`HybridRetriever` is one."""

    def search(self, query: str, k: int | None = None, groups: Iterable[str] | None = None) -> list[Passage]: ...


def kept(
    candidates: Sequence[Candidate],
    retriever: Search,
    k: int = 5,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[list[Candidate], Counter[str]]:
    """The candidates that pass, in their order, and how many do not for which reason.

    :param k: Passages among which the gold one must be, as the question (a follow-up with its history) finds them.
    """
    passed, dropped = list[Candidate](), Counter[str]()
    for done, candidate in enumerate(candidates, start=1):
        search = partial(retriever.search, k=k, groups=candidate.groups)
        _, found = search_follow_up(candidate.question, candidate.history, search)
        reason = _reason(candidate, found)
        if reason is None:
            passed.append(candidate)
        else:
            dropped[reason] += 1
        progress(done, len(candidates))
    return passed, dropped


def holds(passage: Passage, gold_text: str) -> bool:
    """Whether the passage is the one of the gold text, or of one of its lines; with table headers and headings."""
    words = set(content_words(passage.text))
    around = words | set(content_words(f"{passage.table_header} {passage.title} {passage.section}"))
    for text in (gold_text, *gold_text.split("\n")):
        gold = set(content_words(text))
        if gold and (len(gold & around) >= SAME_TEXT * len(gold) or len(gold & words) >= SAME_TEXT * len(words) > 0):
            return True
    return False


def may_answer(candidate: Candidate, found: Sequence[Passage]) -> bool:
    """Whether an unanswerable twin has an answer after all: a passage says what was put into it.

    For `not` that is a sentence with half of the question's words that denies something, too; for a row of a table a
    row for whatever has none of its own.
    """
    if candidate.absent == "not":
        asked = set(content_words(candidate.question))
        sentences = (p.text[start:end] for p in found for start, end in split_sentences(p.text))
        return any(DENIES.search(s) and 2 * len(asked & set(content_words(s))) >= len(asked) for s in sentences)
    if not candidate.absent:
        return False
    if candidate.gold_text.startswith("|") and any(_CATCH_ALL.search(passage.text) for passage in found):
        return True
    return any(says(f"{p.title} {p.section} {p.table_header} {p.text}", candidate.absent) for p in found)


def _reason(candidate: Candidate, found: Sequence[Passage]) -> str | None:
    """Why the candidate is dropped; None when it is not."""
    if not candidate.answerable:
        return "the unanswerable may be answered" if may_answer(candidate, found) else None
    gold = [p for p in found if not candidate.gold_doc_ids or any(is_gold(p, id_) for id_ in candidate.gold_doc_ids)]
    gold = [passage for passage in gold if not candidate.gold_text or holds(passage, candidate.gold_text)]
    if not gold:
        return "passage not found"
    asked = " ".join([candidate.question, *(line.text for line in candidate.history[-2:] if line.speaker == "user")])
    if not any(_grounded(answer, asked, gold) for answer in candidate.answers):
        return "answer not grounded"
    return None


def _grounded(answer: str, asked: str, passages: Sequence[Passage]) -> bool:
    """By the rule that a served answer must fulfil, sentence by sentence, and most of its words from the source."""
    checks = [checked(answer[start:end], asked, passages) for start, end in split_sentences(answer)]
    return bool(checks) and all(may_be_said and support.score >= GROUNDED for support, may_be_said in checks)
