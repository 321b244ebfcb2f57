"""Does a question negate what its passages only affirm? Pure, no model.

"What is not covered?" is not answered by a passage that only says what is covered, though all of its words stand there.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from ragvoice.datatypes import Passage
from ragvoice.generation.grounding import content_words
from ragvoice.sentences import split_sentences

_NEGATION = re.compile(
    r"""\b(?:not|never|no|none|nobody|nothing|nor|neither|without|cannot|unable|unlike|impossible|except
      |exclud\w+|forbid\w*|prohibit\w*|den(?:y|ie[sd])|refus\w+|reject\w*|lack\w*|fail\w*|avoid\w*|prevent\w*|bans?|banned
      |un(?:successful|important|known|necessary|related)\w*)\b
      |n['’]t\b""",
    re.IGNORECASE | re.VERBOSE,
)
_CONDITION_OR_ASKER = re.compile(r"\b(?:[Ii]f|[Ww]hen|[Bb]ecause|[Ss]ince|I|[Mm]y|[Ww]e|[Oo]ur)\b")
"""`Can I get it if I do not work full time?` says who asks; the answer need not negate anything."""


def unmet_negation(question: str, passages: Sequence[Passage]) -> bool:
    """Whether the question negates, and the sentence that has most of its content words does not.

    False where a condition or the asker may be what is negated, and where no sentence shares a word with the question.
    """
    if not _NEGATION.search(question) or _CONDITION_OR_ASKER.search(question):
        return False
    asked = set(content_words(question))
    most, nearest = 0, ""
    for passage in passages:
        for start, end in split_sentences(passage.text):
            sentence = passage.text[start:end]
            shared = len(asked & set(content_words(sentence)))
            if shared > most:
                most, nearest = shared, sentence
    return most > 0 and not _NEGATION.search(nearest)
