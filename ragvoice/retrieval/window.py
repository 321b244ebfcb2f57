"""The few sentences of a passage that speak most of what a question asks: what the reader reads."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable
from functools import cache
from typing import Any

from ragvoice.sentences import split_sentences

_WORD = re.compile(r"\w+")


def best_window(question: str, text: str, count_tokens: Callable[[str], int], max_tokens: int) -> tuple[int, int]:
    """Offsets (start, end) of a run of whole sentences of `text`.

    The run with the most weight of the question's words, where the sentence that has most of it counts twice; of equal
    ones the longer. A word weighs log(1 + n / (1 + df)), over the n sentences of this passage only, so that a window
    does not depend on other documents. A first sentence of more than `max_tokens` is taken alone and whole.
    """
    sentences = split_sentences(text)
    if not sentences:
        return 0, len(text)
    words = [_stems(text[start:end]) for start, end in sentences]
    lengths = [count_tokens(text[start:end]) for start, end in sentences]
    frequency = Counter(word for sentence in words for word in sentence)
    weight = {word: math.log(1 + len(sentences) / (1 + frequency[word])) for word in _stems(question)}
    shares = [sum(weight[word] for word in weight.keys() & sentence) for sentence in words]
    best, chosen = (-1.0, 0), sentences[0]
    for first in range(len(sentences)):
        tokens, covered = 0, set[str]()
        for last in range(first, len(sentences)):
            tokens += lengths[last]
            if last > first and tokens > max_tokens:
                break
            covered |= weight.keys() & words[last]
            value = sum(weight[word] for word in covered) + max(shares[first : last + 1])
            if (value, tokens) > best:
                best, chosen = (value, tokens), (sentences[first][0], sentences[last][1])
    return chosen


def _stems(text: str) -> frozenset[str]:
    from bm25s.stopwords import STOPWORDS_EN

    words = [word for word in _WORD.findall(text.lower()) if word not in STOPWORDS_EN]
    return frozenset(_stemmer().stemWords(words))


@cache
def _stemmer() -> Any:
    import Stemmer

    return Stemmer.Stemmer("english")
