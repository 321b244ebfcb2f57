"""Does a sentence deny what a text affirms, or the other way round? English, by rule. Pure functions."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ragvoice.generation.grounding import content_words
from ragvoice.sentences import split_sentences

_NEGATION = re.compile(r"\b(?:not(?! only)|no|never|cannot|without|neither|nor|none|nobody)\b|n['’]t\b", re.IGNORECASE)
_DENIAL = re.compile(
    rf"{_NEGATION.pattern}|\b(?:forb[ia]d|prohibit|exclu|except|unless|refus|declin|lack|fail|only\b)", re.IGNORECASE
)
"""What may stand in a text where a sentence drawn from it says `not`."""
_CLAUSE_END = re.compile(r"[.,;:!?]")
_COVERED = 0.7
"""Share of a sentence's own words that an affirming clause must hold."""


def contradicts(claim: str, question: str, texts: Sequence[str]) -> bool:
    """Whether the claim is negated where the texts are not, or the other way round.

    It is compared with the sentence that shares most words; a negated claim also with those that hold half of its
    words. Where that sentence negates a word of the claim, its other clauses may still affirm the claim.
    """
    claimed = set(content_words(claim))
    own = claimed - set(content_words(question)) or claimed
    said = [
        (text[start:end], set(content_words(text[start:end]))) for text in texts for start, end in split_sentences(text)
    ]
    nearest, _ = max(said, key=lambda row: (len(row[1] & own), len(row[1] & claimed)), default=("", set[str]()))
    if negated := _negated(claim):
        near = [sentence for sentence, words in said if negated & words and len(own & words) >= 0.5 * len(own)]
        return not any(_DENIAL.search(sentence) for sentence in [nearest, *near])
    if _NEGATION.search(claim) or not _negated(nearest) & claimed:
        return False
    clauses = (clause for clause in _CLAUSE_END.split(nearest) if not _NEGATION.search(clause))
    affirmed = {word for clause in clauses for word in content_words(clause)}
    return len(own & affirmed) < _COVERED * len(own)


def negates(text: str) -> bool:
    return bool(_NEGATION.search(text))


def _negated(sentence: str) -> set[str]:
    """The content word after each negation, in the same clause: `is not allowed to smoke` -> allow.

    None of `not without approval`: with approval, then.
    """
    found = list(_NEGATION.finditer(sentence))
    if len(found) > 1 and any(match[0].lower() == "without" for match in found):
        return set()
    clauses = (_CLAUSE_END.split(sentence[match.end() :], maxsplit=1)[0] for match in found)
    return {word for clause in clauses for word in content_words(clause)[:1]}
