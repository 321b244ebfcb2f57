"""Answers against gold answers. Pure functions.

Exact match and F1 by the rules of SQuAD (Rajpurkar et al. 2016, arXiv 1606.05250); ROUGE-L (Lin 2004) by rouge-score,
which drops letters outside a-z; BLEU (Papineni et al. 2002) and chrF (Popovic 2015) by sacrebleu with its defaults.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from ragvoice.datatypes import Style
from ragvoice.generation.grounding import content_words, numbers

_LONG_WORDS = 15
"""A gold answer of so many words is a text to be quoted from, not a fact to be matched."""
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


def rouge_l(answer: str, golds: Sequence[str]) -> float:
    """Best ROUGE-L F against any gold answer, words not stemmed, 0 to 1."""
    return max((float(_rouge().score(gold, answer)["rougeL"].fmeasure) for gold in golds), default=0.0)


def bleu(answer: str, golds: Sequence[str]) -> float:
    """Sentence BLEU against all gold answers together, exponential smoothing, effective order, 0 to 1."""
    return _share(_bleu().sentence_score(answer, list(golds))) if golds else 0.0


def chrf(answer: str, golds: Sequence[str]) -> float:
    """Sentence chrF2 (characters, up to 6 at a time) against the best gold answer, 0 to 1."""
    return _share(_chrf().sentence_score(answer, list(golds))) if golds else 0.0


def corpus_bleu(answers: Sequence[str], golds: Sequence[Sequence[str]]) -> float:
    """BLEU of all answers together, 0 to 1; this is the figure to report, the mean of sentences is not.

    :param golds: Gold answers of each answer.
    :raises ValueError: when there are no answers, or one has no gold answer.
    """
    return _share(_bleu().corpus_score(list(answers), _streams(answers, golds)))


def corpus_chrf(answers: Sequence[str], golds: Sequence[Sequence[str]]) -> float:
    """chrF2 of all answers together, 0 to 1; parameters and errors as in `corpus_bleu`."""
    return _share(_chrf().corpus_score(list(answers), _streams(answers, golds)))


def is_right(answer: str, golds: Sequence[str], style: Style) -> bool:
    """What the confidence is an estimate of. A lenient rule, for answers of a sentence or two.

    The answer holds a gold answer; or it is `short`, its F1 with one is at least 0.5 and it has that one's numbers; or
    a gold answer is a long text (15 words) and at least 0.7 of the answer's content words come from it.
    """
    if not answer.strip():
        return False
    close = (gold for gold in golds if style == "short" and f1(answer, [gold]) >= 0.5)
    if contains(answer, golds) or any(numbers(gold) <= numbers(answer) for gold in close):
        return True
    said = set(content_words(answer))
    long_texts = [set(content_words(gold)) for gold in golds if len(gold.split()) >= _LONG_WORDS]
    return bool(said) and any(len(said & text) >= 0.7 * len(said) for text in long_texts)


def _share(percent: Any) -> float:
    """A score of sacrebleu without its rounding errors above 100."""
    return min(1.0, float(percent.score) / 100)


def _streams(answers: Sequence[str], golds: Sequence[Sequence[str]]) -> list[list[str | None]]:
    """sacrebleu wants the first gold answers of all, then the second ones, with None where there is no second."""
    if not answers or not all(golds):
        raise ValueError("Nothing to score: there are no answers, or one has no gold answer.")
    most = max(len(several) for several in golds)
    return [
        [several[i] if i < len(several) else None for _, several in zip(answers, golds, strict=True)]
        for i in range(most)
    ]


@lru_cache(maxsize=1)
def _rouge() -> Any:
    from rouge_score.rouge_scorer import RougeScorer

    return RougeScorer(["rougeL"], use_stemmer=False)


@lru_cache(maxsize=1)
def _bleu() -> Any:
    from sacrebleu.metrics import BLEU

    return BLEU(effective_order=True)


@lru_cache(maxsize=1)
def _chrf() -> Any:
    from sacrebleu.metrics import CHRF

    return CHRF()


def _f1(answer: list[str], gold: list[str]) -> float:
    common = sum((Counter(answer) & Counter(gold)).values())
    if common == 0:
        return float(answer == gold)
    precision, recall = common / len(answer), common / len(gold)
    return 2 * precision * recall / (precision + recall)
