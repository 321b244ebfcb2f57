"""Exact match and F1 by the rules of SQuAD (Rajpurkar et al. 2016, arXiv 1606.05250). Pure functions."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Sequence

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)


def normalise(text: str) -> str:
    """Lower case, without punctuation, articles and double spaces."""
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_NO_PUNCTUATION)).split())


def exact_match(answer: str, golds: Sequence[str]) -> float:
    """1 when the normalised answer equals one of the gold answers, else 0."""
    return float(any(normalise(answer) == normalise(gold) for gold in golds))


def f1(answer: str, golds: Sequence[str]) -> float:
    """Best token F1 against any gold answer, 0 to 1."""
    return max((_f1(normalise(answer).split(), normalise(gold).split()) for gold in golds), default=0.0)


def contains(answer: str, golds: Sequence[str]) -> float:
    """1 when the words of a gold answer stand in the answer in one piece, else 0; fit for spoken sentences."""
    padded = f" {normalise(answer)} "
    return float(any(normalise(gold) and f" {normalise(gold)} " in padded for gold in golds))


def _f1(answer: list[str], gold: list[str]) -> float:
    common = sum((Counter(answer) & Counter(gold)).values())
    if common == 0:
        return float(answer == gold)
    precision, recall = common / len(answer), common / len(gold)
    return 2 * precision * recall / (precision + recall)
