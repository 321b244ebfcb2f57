"""Texts that say nearly the same: none may stand on both sides of a split. Pure functions.

Resemblance is the Jaccard similarity of word shingles (Broder 1997, On the resemblance and containment of documents).
It is computed, not estimated: an inverted index finds the pairs that share a shingle at all.
`ragvoice.retrieval.duplicates` compares sets of single words at 0.9, for results that would be shown twice; a text that
gives a test away is much less alike.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Sequence

from finetune.data.examples import Example
from ragvoice.datatypes import Passage

_WORD = re.compile(r"\w+")
_ROUNDING = 1e-9

PASSAGE_WORDS, PASSAGE_ALIKE = 3, 0.5
"""Words of a shingle, and the resemblance from which two passages are the same one."""
QUESTION_WORDS, QUESTION_ALIKE = 1, 0.8
"""Questions are short: one word makes a shingle."""


def resembling(texts: Sequence[str], held_out: Sequence[str], words: int, alike: float) -> list[bool]:
    """Whether each text is a near-duplicate of a held-out one.

    :param words: Of a shingle; a shorter text is one shingle.
    :param alike: Least Jaccard similarity, above 0 to 1.
    """
    others = [_shingles(text, words) for text in held_out]
    holders = Counter(shingle for shingles in others for shingle in shingles)

    def rarest(shingles: set[str]) -> list[str]:
        """Of which two texts that are alike share at least one (Chaudhuri et al. 2006, prefix filter)."""
        order = sorted(shingles, key=lambda shingle: (holders[shingle], shingle))
        return order[: len(order) - math.ceil(alike * len(order) - _ROUNDING) + 1]

    index: dict[str, list[int]] = defaultdict(list)
    for number, shingles in enumerate(others):
        for shingle in rarest(shingles):
            index[shingle].append(number)
    found = []
    for text in texts:
        shingles = _shingles(text, words)
        near = {number for shingle in rarest(shingles) for number in index.get(shingle, ())}
        found.append(any(_resemblance(shingles, others[number]) >= alike - _ROUNDING for number in near))
    return found


def without_leaks(examples: Sequence[Example], held_out: Sequence[Example]) -> tuple[list[Example], Counter[str]]:
    """The examples whose question and own passages are not those of a held-out one, and why others are left out.

    Own passages are those of the example's document; of a refusal without one only the question counts.
    """
    asked = resembling(
        [_asked(example) for example in examples],
        [_asked(example) for example in held_out],
        QUESTION_WORDS,
        QUESTION_ALIKE,
    )
    theirs = list({passage.text for example in held_out for passage in _own(example)})
    mine = list({passage.text for example in examples for passage in _own(example)})
    leaked = {
        text
        for text, is_leak in zip(mine, resembling(mine, theirs, PASSAGE_WORDS, PASSAGE_ALIKE), strict=True)
        if is_leak
    }
    kept, dropped = list[Example](), Counter[str]()
    for example, same_question in zip(examples, asked, strict=True):
        if any(passage.text in leaked for passage in _own(example)):
            dropped["its passage is held out, too"] += 1
        elif same_question:
            dropped["its question is held out, too"] += 1
        else:
            kept.append(example)
    return kept, dropped


def _resemblance(one: set[str], other: set[str]) -> float:
    return len(one & other) / len(one | other)


def _asked(example: Example) -> str:
    """A follow-up with what it follows: `And in Poland?` is another question in another conversation."""
    return " ".join([*(line.text for line in example.history if line.speaker == "user"), example.question])


def _own(example: Example) -> list[Passage]:
    return [passage for passage in example.passages if passage.doc_id == example.document]


def _shingles(text: str, words: int) -> set[str]:
    found = _WORD.findall(text.lower())
    if len(found) <= words:
        return {" ".join(found)} if found else set()
    return {" ".join(found[i : i + words]) for i in range(len(found) - words + 1)}
