"""Does a sentence deny what a text affirms, or the other way round? English, by rule. Pure functions.

"What is not covered?" is not answered by a passage that only says what is covered, though all of its words stand there.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from ragvoice.datatypes import Passage
from ragvoice.generation.grounding import content_words
from ragvoice.sentences import split_sentences

_NEGATION = re.compile(r"\b(?:not(?!\sonly)|no|never|cannot|without|neither|nor|none|nobody)\b|n['’]t\b", re.IGNORECASE)
_DENIAL = re.compile(
    rf"{_NEGATION.pattern}|\b(?:forb[ia]d|prohibit|exclu|except|unless|refus|declin|lack|fail|only\b)", re.IGNORECASE
)
"""What may stand in a text where a sentence drawn from it says `not`."""
_ASKS_NOT = re.compile(
    rf"""{_NEGATION.pattern}|\b(?:nothing|unable|unlike|impossible|except|exclud\w+|forbid\w*|prohibit\w*|den(?:y|ie[sd])
      |refus\w+|reject\w*|lack\w*|fail\w*|avoid\w*|prevent\w*|bans?|banned
      |un(?:successful|important|known|necessary|related)\w*)\b""",
    re.IGNORECASE | re.VERBOSE,
)
_CONDITION_OR_ASKER = re.compile(r"\b(?:[Ii]f|[Ww]hen|[Bb]ecause|[Ss]ince|I|[Mm]y|[Ww]e|[Oo]ur)\b")
"""`Can I get it if I do not work full time?` says who asks; the answer need not negate anything."""
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


def unmet_negation(question: str, passages: Sequence[Passage]) -> bool:
    """Whether the question negates, and the sentence that has most of its content words does not.

    False where a condition or the asker may be what is negated, and where no sentence shares a word with the question.
    """
    if not _ASKS_NOT.search(question) or _CONDITION_OR_ASKER.search(question):
        return False
    asked = set(content_words(question))
    most, nearest = 0, ""
    for passage in passages:
        for start, end in split_sentences(passage.text):
            sentence = passage.text[start:end]
            shared = len(asked & set(content_words(sentence)))
            if shared > most:
                most, nearest = shared, sentence
    return most > 0 and not _ASKS_NOT.search(nearest)


def _negated(sentence: str) -> set[str]:
    """The content word after each negation, in the same clause: `is not allowed to smoke` -> allow.

    None of `not without approval`: with approval, then.
    """
    found = list(_NEGATION.finditer(sentence))
    if len(found) > 1 and any(match[0].lower() == "without" for match in found):
        return set()
    clauses = (_CLAUSE_END.split(sentence[match.end() :], maxsplit=1)[0] for match in found)
    return {word for clause in clauses for word in content_words(clause)[:1]}
