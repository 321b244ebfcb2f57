"""Questions that a first visitor can try, from what the documents themselves are about. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ragvoice.datatypes import Passage

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


def example_questions(passages: Iterable[Passage], count: int = 3) -> list[str]:
    """Headings that ask, then titles with one of their sections; at most one question a document.

    :param passages: As a broad search gives them, the best first; only from what this person may read.
    """
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
    found = [*asking.values(), *(text for doc_id, text in about.items() if doc_id not in asking)]
    return list(dict.fromkeys(found))[:count]


def _inside(words: str) -> str:
    """As it stands within a sentence: `Employee handbook` begins small, `IT policy` and `Helbig AG` do not."""
    first, _, rest = words.partition(" ")
    is_name = first[1:] != first[1:].lower() or any(word[:1].isupper() for word in rest.split())
    return words if is_name else f"{first.lower()} {rest}".strip()
