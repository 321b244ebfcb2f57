"""Questions -> pairs to train on: the passage that answers, and passages that the retriever takes for it.

A hard negative may be a passage that answers, too, and nobody marked. So one counts only while its similarity to the
question stays below `margin` times that of the right passage (TopK-PercPos of Moreira et al. 2024, arXiv 2407.15831).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from glob import escape
from itertools import cycle, islice
from typing import Protocol

from ingest.embedded_text import embedded_text
from ragvoice.datatypes import Passage
from ragvoice.evaluation.answer_metrics import contains
from ragvoice.evaluation.datasets import Question, is_gold
from ragvoice.generation.followup import standalone_question
from ragvoice.retrieval.scope import Scope

DEPTH = 50
"""Passages of a ranking that are looked at."""


@dataclass(frozen=True)
class Pair:
    """One question to train on; texts as the index embeds them."""

    question_id: str
    question: str
    positive: str
    negatives: tuple[str, ...]
    document: str
    """doc_id of the right passage."""


class Searches(Protocol):
    """`HybridRetriever.search`."""

    def __call__(
        self, query: str, k: int | None = None, groups: Sequence[str] | None = None, scope: Scope | None = None
    ) -> list[Passage]: ...


def mine(
    questions: Sequence[Question],
    search: Searches,
    hidden: frozenset[str],
    *,
    negatives: int = 1,
    margin: float = 0.95,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[list[Pair], Counter[str]]:
    """Pairs in the order of the questions, and for how many questions there is none, by reason.

    The right passage is the best-ranked one of a gold document that holds a gold answer, else its best-ranked one.

    :param hidden: Documents that must not be seen; no negative comes from one.
    :param negatives: How many each question gets; with fewer different ones they repeat.
    :param margin: Share of the right passage's similarity that a negative may have at most.
    """
    pairs: list[Pair] = []
    left_out: Counter[str] = Counter()
    for number, question in enumerate(questions):
        progress(number, len(questions))
        query = standalone_question(question.text, question.history)
        found = search(query, k=DEPTH, groups=question.groups)
        right = _right(question, found) or _right(question, _below_gold(question, query, search))
        if right is None:
            left_out["gold document not in the index"] += 1
            continue
        wrong = [passage for passage in found if _is_wrong(passage, question, right, hidden, margin)][:negatives]
        if not wrong:
            left_out["no negative below the margin"] += 1
            continue
        texts = tuple(islice(cycle([_text(passage) for passage in wrong]), negatives))
        pairs.append(Pair(question.id, query, _text(right), texts, right.doc_id))
    progress(len(questions), len(questions))
    return pairs, left_out


def _below_gold(question: Question, query: str, search: Searches) -> list[Passage]:
    scope = Scope(sources=tuple(escape(gold) for gold in question.gold_ids))
    return search(query, k=DEPTH, groups=question.groups, scope=scope)


def _right(question: Question, found: Sequence[Passage]) -> Passage | None:
    gold = [passage for passage in found if any(is_gold(passage, id_) for id_ in question.gold_ids)]
    answering = (passage for passage in gold if question.answers and contains(passage.text, question.answers))
    return next(answering, gold[0] if gold else None)


def _is_wrong(passage: Passage, question: Question, right: Passage, hidden: frozenset[str], margin: float) -> bool:
    return (
        not any(is_gold(passage, gold) for gold in question.gold_ids)
        and passage.doc_id not in hidden
        and passage.content_hash != right.content_hash
        and passage.similarity <= margin * right.similarity
    )


def _text(passage: Passage) -> str:
    return embedded_text(passage.title, passage.section, passage.text, passage.table_header)
