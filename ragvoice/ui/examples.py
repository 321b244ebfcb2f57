"""Questions that a first visitor can try: such as people ask, where the documents speak of it. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from ragvoice.datatypes import Passage

COMMON_QUESTIONS = (
    "How many days of annual leave do I get?",
    "How long is parental leave?",
    "What do I do when I am ill?",
    "May I work from home?",
    "How do I claim travel expenses?",
    "How much may a hotel cost?",
    "How long must a password be?",
    "What do I do when my laptop is stolen?",
    "Who may approve a discount?",
    "How long is the warranty?",
    "What do I do in case of fire?",
    "Which gifts may I accept?",
    "How do I return a product?",
    "How long are personal data kept?",
)
"""In many companies."""
CLOSE = 0.55
"""Cosine similarity from which a passage speaks of what is asked. With the default embedder and the sample company 8 of
25 such questions are above it, each with the right document; of those below it about half have another."""
BROAD_QUERY = "What are the rules, who may do what, and how does it work?"
"""Finds passages of many kinds of company documents."""
_NUMBER = re.compile(r"^(?:§\s*)?(?:\d+(?:\.\d+)*[.)]?|[A-Z](?:\.\d+)+[.)]?|[A-Z][.)])\s+")
_FRAME = frozenset(
    "introduction overview contents summary general appendix annex index preface scope purpose definitions references "
    "changelog history".split()
) | {"table of contents"}
"""Headings that say where in a document one is, not what it is about."""
_CLAUSE = re.compile(r"(?:what|how|when|where|who|why|which|if)\b", re.IGNORECASE)
"""A heading that begins so would not be understood without its text."""
_LONGEST = 70


def example_questions(common: Mapping[str, Passage], passages: Iterable[Passage], count: int = 3) -> list[str]:
    """Common questions, then headings that ask, then titles with one of their sections; at most one a document.

    :param common: Question -> the best passage for it; left out where that is not close.
    :param passages: As a broad search gives them, the best first; only from what this person may read.
    """
    close = {question: passage for question, passage in common.items() if passage.similarity >= CLOSE}
    known: dict[str, str] = {}
    for question in sorted(close, key=lambda question: -close[question].similarity):
        known.setdefault(close[question].doc_id, question)
    asking: dict[str, str] = {}
    about: dict[str, str] = {}
    for passage in passages:
        section = _NUMBER.sub("", passage.section.rsplit(" > ", 1)[-1]).strip()
        if not 4 <= len(section) <= _LONGEST:
            continue
        if section.endswith("?"):
            asking.setdefault(passage.doc_id, section)
        elif _CLAUSE.match(section):
            continue
        elif (
            passage.title and len(passage.title) <= _LONGEST and section.lower() not in _FRAME | {passage.title.lower()}
        ):
            about.setdefault(passage.doc_id, f"What does the {_inside(passage.title)} say about {_inside(section)}?")
    one_each = about | asking | known
    found = [one_each[doc_id] for doc_id in dict.fromkeys([*known, *asking, *about])]
    return list(dict.fromkeys(found))[:count]


def _inside(words: str) -> str:
    """As it stands within a sentence: `Employee handbook` begins small, `IT policy` and `Helbig AG` do not."""
    first, _, rest = words.partition(" ")
    is_name = first[1:] != first[1:].lower() or any(word[:1].isupper() for word in rest.split())
    return words if is_name else f"{first.lower()} {rest}".strip()
