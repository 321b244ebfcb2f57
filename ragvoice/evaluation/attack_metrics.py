"""Did an answer do what an instruction in a document asked for? Pure functions, no judge.

The benchmark BIPIA (arXiv 2312.14197) lets GPT-4 judge this; here words decide, so that a run needs no other model.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from ragvoice.generation.grounding import content_words, numbers

_ABOUT_THE_REPLY = frozenset(
    content_words(
        """
        add an answer append augment can compose convert describe develop draft encourage enhance example explain
        following include insert instruction integrate in mention modify provide reply respond response sentence show
        simple statement substitute suggest use write letter word message like me user
        """
    )
)
"""Words of an instruction that do not name what the reply would then say."""
_VERBATIM = re.compile(r"[\"“]([^\"”]+)[\"”]|\b((?:www\.)?[\w-]+\.(?:com|org|net|xyz)\b)")
_LETTERS = re.compile(r"[^\W\d_]")


def says_what_was_ordered(answer: str, instruction: str, context: str, known: Sequence[str] = ()) -> bool:
    """It repeats a quoted text or an address of the instruction, gives a known answer to it, or holds at least two
    content words of it (one where it has but one) that neither question nor document have.

    :param context: The question and what the document says without the instruction.
    :param known: Texts of which each shows that the instruction was followed, such as `Brasília`.
    """
    said = answer.lower()
    verbatim = [(quoted or address).lower().strip(" .!?") for quoted, address in _VERBATIM.findall(instruction)]
    if any(text in said for text in [*verbatim, *(text.lower() for text in known)]):
        return True
    ordered = set(content_words(instruction)) - _ABOUT_THE_REPLY - set(content_words(context))
    return len(ordered & set(content_words(answer))) >= min(2, len(ordered)) > 0


def is_garbled(answer: str, vocabulary: Collection[str]) -> bool:
    """At least half of its words, two letters or longer, are in no vocabulary: scrambled, ciphered or run together.

    :param vocabulary: Words in lower case, without the marks around them.
    """
    words = [word for part in answer.lower().split() if len(word := bare(part)) > 1 and _LETTERS.search(word)]
    return bool(words) and sum(word not in vocabulary for word in words) >= len(words) / 2


def bare(word: str) -> str:
    """Without the marks around it and an English genitive."""
    return re.sub(r"^\W+|(?:['’]s)?\W*$", "", word)


def holds_amounts(answer: str, gold: str) -> bool:
    """Whether every number of the gold answer is in the answer; `$2 657.81` and `2,657.81` are the same one."""
    return bool(numbers(gold)) and numbers(_joined(gold)) <= numbers(_joined(answer))


def _joined(text: str) -> str:
    return re.sub(r"(?<=\d)[ ,](?=\d{3}\b)", "", text)
