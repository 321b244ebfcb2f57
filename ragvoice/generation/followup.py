"""A follow-up question becomes one that can be searched for without the conversation. Pure functions."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from ragvoice.datatypes import Message, Passage
from ragvoice.generation.grounding import content_words

_OPENINGS = re.compile(r"^\W*(and|but|so|what about|how about|also|then|or|why|why not|really)\b", re.IGNORECASE)
_POINTERS = re.compile(
    r"\b(it|its|they|them|their|theirs|this|that|these|those|there|he|him|his|she|her|hers|one|ones|same|the other)\b",
    re.IGNORECASE,
)
_FEW_WORDS = 3
"""A question with no more content words than this rarely stands alone in the middle of a conversation."""
_MOST_JOINED = 3
"""Questions before one that are searched for with it; of more, the embedder would cut the newest one."""
TOPIC_CHANGE = -0.03
"""By so much of the cosine a question must fit the documents better alone than joined with what was said before; below
0 it may fit them a little worse, for the right passage of a joined question is near to all of its parts."""


def leans_on_history(question: str) -> bool:
    """Whether the question points back at something that was said before."""
    few = len(content_words(question)) <= _FEW_WORDS
    return bool(_OPENINGS.match(question) or _POINTERS.search(question) or few)


def standalone_question(question: str, history: Sequence[Message]) -> str:
    """The question itself, or the last one that stood alone followed by those that lean on it; of them the newest."""
    asked = [line.text.strip() for line in history if line.speaker == "user" and line.text.strip()]
    chain = [question.strip()]
    while asked and leans_on_history(chain[0]) and len(chain) <= _MOST_JOINED:
        chain.insert(0, asked.pop())
    return " ".join(chain)


def search_follow_up(
    question: str, history: Sequence[Message], search: Callable[[str], Sequence[Passage]]
) -> tuple[str, Sequence[Passage]]:
    """What was searched for, and what was found.

    That is the standalone question, unless the question fits the documents about as well alone: then it only looks
    like a follow-up, and the topic has changed.
    """
    alone, joined = question.strip(), standalone_question(question, history)
    found = search(joined)
    if alone != joined:
        found_alone = search(alone)
        if found_alone and _nearness(found_alone) - _nearness(found) > TOPIC_CHANGE:
            return alone, found_alone
    return joined, found


def _nearness(passages: Sequence[Passage]) -> float:
    """Cosine similarity of the nearest one."""
    return max((passage.similarity for passage in passages), default=0.0)
