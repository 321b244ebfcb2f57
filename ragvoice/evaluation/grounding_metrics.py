"""Is what was said in what was cited? By rule, without a judge. Pure functions.

The rule shares stemmed words, numbers and the rule for negation with the gate that decides what may be said
(`generation.grounding`, `generation.negation`), but none of its thresholds, and it also reads number words.
How often it errs: benchmarks/grounding_rule.py. Known limits: a paraphrase in other words counts as unsupported,
swapped roles ("A pays B") as supported, and a yes or no is taken on trust.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

from ragvoice.datatypes import Answer, Citation, Passage
from ragvoice.evaluation.datasets import is_gold
from ragvoice.generation.grounding import column_names, content_words, numbers
from ragvoice.generation.negation import contradicts
from ragvoice.sentences import split_sentences

_COVERED = 0.7
"""Share of a sentence's own words that the cited texts must hold."""

_YES_NO = re.compile(r"^\W*(?:yes|no)\s*(?:[,.:;!]\s*|$)", re.IGNORECASE)
_NO_NUMBER = re.compile(r"\b(?:first|second)\b|[^\w\s.,:/%$€£'’-]|[.,:/](?!\d)")
"""Punctuation around numbers, and words that are seldom one."""
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}\b)")


def sentence_supported(sentence: str, cited_texts: Sequence[str], question: str) -> bool:
    """Whether the cited texts say what the sentence says; the question's own words need no support.

    All of: at least 0.7 of the content words that the sentence adds to the question are in the texts; so is every
    number, in digits or in words, and every name (a capital letter, not at the start); and it is not negated where
    the texts are not, or the other way round. A sentence that adds no word, such as `Yes.`, is supported where the
    texts hold 0.7 of the question's words.

    :param cited_texts: Quotes, passages, headings.
    """
    bare = _YES_NO.sub("", sentence)
    claim = bare if content_words(bare) else question
    claimed, asked = _words(claim), _words(question)
    held = _union(_words(text) for text in cited_texts)
    own = claimed - asked or claimed
    if not own or len(own & held) < _COVERED * len(own):
        return False
    if not numbers(_plain(claim)) <= _union(numbers(_plain(text)) | numbers(text) for text in (*cited_texts, question)):
        return False
    known = _union(content_words(text) for text in (*cited_texts, question))
    return _names(claim) <= known and not contradicts(claim, question, cited_texts)


def groundedness(answer: Answer) -> float | None:
    """Share of the answer's sentences that the cited passages support, 0 to 1; None when nothing was answered."""
    if answer.abstained:
        return None
    texts = [text for citation in answer.citations for text in _passage_texts(citation, answer.passages)]
    return _share([sentence_supported(said, texts, answer.standalone_question) for said in _sentences(answer)])


def citation_precision(answer: Answer) -> float | None:
    """Share of the citations whose quote, read below its headings, supports a sentence of the answer by itself, 0 to 1
    (as in ALCE, Gao et al. 2023, arXiv 2305.14627); None when nothing was cited.

    An answer does not say which citation stands for which of its one or two sentences, so any will do.
    """
    said = _sentences(answer)
    return _share(
        [
            any(
                sentence_supported(sentence, _shown(citation, answer.passages), answer.standalone_question)
                for sentence in said
            )
            for citation in answer.citations
        ]
    )


def citation_recall(answer: Answer, gold_ids: Sequence[str]) -> float | None:
    """Share of the gold documents, or gold pages, that are cited, 0 to 1; None unless something was answered and there
    are gold documents. The share of sentences with a supporting citation is `groundedness`.
    """
    if answer.abstained:
        return None
    cited = [Passage(c.doc_id, "", "", "", c.page, None, "", 0, 0.0) for c in answer.citations]
    return _share([any(is_gold(passage, gold) for passage in cited) for gold in gold_ids])


def quote_found(citation: Citation, passages: Sequence[Passage]) -> bool:
    """Whether the quote stands word for word in one of the passages of the document that it names."""
    return _passage_of(citation, passages) is not None


def _passage_of(citation: Citation, passages: Sequence[Passage]) -> Passage | None:
    quoted = (p for p in passages if p.doc_id == citation.doc_id and citation.quote and citation.quote in p.text)
    return next(quoted, None)


def _shown(citation: Citation, passages: Sequence[Passage]) -> list[str]:
    """The quote, its headings and, from a table, the names of the columns."""
    passage = _passage_of(citation, passages)
    if passage is None:
        return [citation.quote, citation.title, citation.section]
    columns = column_names(passage, passage.text.index(citation.quote))
    return [citation.quote, citation.title, citation.section, passage.table_header, columns]


def _passage_texts(citation: Citation, passages: Sequence[Passage]) -> list[str]:
    passage = _passage_of(citation, passages)
    return [*_shown(citation, passages), *([passage.text] if passage else [])]


def _sentences(answer: Answer) -> list[str]:
    return [answer.answer[start:end] for start, end in split_sentences(answer.answer)]


def _names(text: str) -> set[str]:
    """Stems of capitalised words, without the first of a sentence unless another one follows it."""
    names = set[str]()
    for start, end in split_sentences(text):
        words = re.findall(r"[\w'’.-]*\w", text[start:end])
        for number, word in enumerate(words):
            alone = number == 0 and not "".join(words[1:2])[:1].isupper()
            if word[0].isupper() and not alone:
                names.update(content_words(word))
    return names


@lru_cache(maxsize=16384)
def _words(text: str) -> frozenset[str]:
    return frozenset(content_words(_plain(text)))


@lru_cache(maxsize=16384)
def _plain(text: str) -> str:
    """Lower case, numbers in digits: `Twenty-five days` -> `25 days`; 1 becomes `one`, which is seldom a number."""
    return str(_number_words()(_NO_NUMBER.sub(" | ", _THOUSANDS.sub("", text.lower())).replace("-", " ")))


@lru_cache(maxsize=1)
def _number_words() -> Any:
    from whisper_normalizer.english import EnglishNumberNormalizer

    return EnglishNumberNormalizer()


def _union(sets: Iterable[Iterable[str]]) -> set[str]:
    return set[str]().union(*sets)


def _share(found: Sequence[bool]) -> float | None:
    return sum(found) / len(found) if found else None
