"""Does a passage support a sentence, and with which words? Pure functions, no model, no judge."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from ragvoice.datatypes import Citation, Passage
from ragvoice.sentences import split_sentences

_WORD = re.compile(r"\d+(?:[.,:/-]\d+)*|[^\W\d_]+(?:['’][^\W\d_]+)?")
_PLACE = re.compile(r"\b([Ii]n|[Ff]or|[Aa]t|[Ff]rom)\s+(?:the\s+)?([A-Z][\w’'-]*(?:\s+[A-Z][\w’'-]*)*)")
"""A preposition and the name behind it."""
_WRITTEN_WORD = re.compile(r"\w+(?:['’-]\w+)*")
_NUMBER = re.compile(r"\d+(?:[.,:/-]\d+)*")

STOP_WORDS = frozenset(
    """
    a about after all also am an and any are as at be because been before being but by can could did do does doing
    for from had has have having he her hers him his how i if in into is it its itself just may me might more most
    must my no nor not of off on once only or other our ours out over own per same shall she should so some such
    than that the their theirs them then there these they this those through to too under until up us very was we
    were what when where which while who whom whose why will with would you your yours
    """.split()
)
"""Words too common to show what a sentence is about."""

_YES_NO = re.compile(r"\W*(yes|no)\b", re.IGNORECASE)

_NUMBER_WEIGHT = 3.0
"""Of a number that the claim adds, in words: the sentence that states it is the source, if it shares a word as well."""
_LONGEST_QUOTE = 320
"""Characters; a longer sentence is quoted from its start to the last word that fits."""


@dataclass(frozen=True)
class Support:
    """How well the best sentence of the passages supports a claim."""

    score: float
    """Share of the claim's content words that the quote, its headings or the question hold, 0 to 1."""
    numbers_found: bool
    """Every number of the claim stands in the passage that is quoted."""
    names_found: bool
    """So does every name."""
    adds: bool
    """The claim says more than the question did: a word or number of its own, or yes or no."""
    citation: Citation | None


def content_words(text: str) -> list[str]:
    """Stemmed words that carry meaning, numbers without thousands separators, in order."""
    words = (match[0] for match in _WORD.finditer(text.lower().replace("’", "'")))
    return [_stem(_number(word)) for word in words if word not in STOP_WORDS]


def support(claim: str, question: str, passages: Sequence[Passage]) -> Support:
    """The sentence of the passages that holds most of what the claim adds to the question.

    Words that the question brought count only half: repeating it is not evidence. Numbers must stand in the quoted
    sentence, in its headings or in the one next to it, which is quoted with it then.
    """
    claimed, asked = set(content_words(claim)), set(content_words(question))
    fresh = claimed - asked
    fresh_numbers = numbers(claim) - numbers(question)
    words = {word for word in claimed if not word[0].isdigit()}
    adds = bool(fresh or fresh_numbers) or _YES_NO.match(claim) is not None
    best, best_value = Support(0.0, not numbers(claim), not names(claim) - asked, adds, None), 0.0
    for passage in passages:
        headings = f"{passage.title} {passage.section} {passage.table_header}"
        names_found = names(claim) <= set(content_words(f"{headings} {passage.text}")) | asked
        for start, end in _quotable(passage.text, fresh_numbers - numbers(headings)):
            columns = column_names(passage, start)
            around = set(content_words(f"{headings} {columns}"))
            said = set(content_words(passage.text[start:end]))
            stated = numbers(passage.text[start:end])
            numbers_found = fresh_numbers <= stated | numbers(f"{headings} {columns}")
            value = len(fresh & said) + 0.5 * len(claimed & asked & said) + 0.25 * len(claimed & around - said)
            if words & (said | around):
                value += _NUMBER_WEIGHT * len(fresh_numbers & stated)
            value = value if numbers_found else 0.5 * value
            if value > best_value:
                covered = claimed & (said | around | asked)
                score = len(covered) / len(claimed) if not fresh or fresh & (said | around) else 0.0
                best = Support(score, numbers_found, names_found, adds, _citation(passage, start, end))
                best_value = value
    return best


def speaks_of_another(claim: str, source: str) -> bool:
    """Whether the claim says "in Poland" where its source says "in the United Kingdom" and knows no Poland.

    :param source: The quoted sentence with its headings.
    """
    known = set(content_words(source))
    there = _places(source)
    return any(not stems & known and there.get(preposition) for preposition, stems in _places(claim).items())


def _places(text: str) -> dict[str, set[str]]:
    """Preposition -> stems of the names that follow it."""
    found: dict[str, set[str]] = {}
    for match in _PLACE.finditer(text):
        found.setdefault(match[1].lower(), set()).update(content_words(match[2]))
    return {preposition: stems for preposition, stems in found.items() if stems}


def column_names(passage: Passage, start: int) -> str:
    """The header of the table in which the row at `start` stands; empty when it is no row, or the header itself."""
    text = passage.text
    if not text.startswith("|", start):
        return ""
    first = start
    while first > 0 and text.startswith("|", text.rfind("\n", 0, first - 1) + 1):
        first = text.rfind("\n", 0, first - 1) + 1
    return "" if first == start else text[first : text.find("\n", first)]


def _quotable(text: str, wanted: set[str]) -> Iterator[tuple[int, int]]:
    """Offsets of each sentence that states something, and of two in a row where only together they hold the numbers."""
    spans = split_sentences(text)
    # A question states nothing, and may have been put there for its words.
    stating = [not text[:end].endswith("?") for _, end in spans]
    held = [wanted & numbers(text[start:end]) for start, end in spans]
    for place, (start, end) in enumerate(spans):
        if stating[place]:
            yield start, end
        if place == 0 or not (stating[place - 1] and stating[place]):
            continue
        together = held[place - 1] | held[place]
        if held[place - 1] < together or held[place] < together:
            before = spans[place - 1][0]
            if wanted <= together and end - before <= _LONGEST_QUOTE:
                yield before, end


def coverage(question: str, passages: Sequence[Passage]) -> float:
    """Share of the question's content words found in the passages or their headings, 0 to 1; 1 if it has none."""
    asked = set(content_words(question))
    found = set(content_words(" ".join(f"{p.title} {p.section} {p.text}" for p in passages)))
    return len(asked & found) / len(asked) if asked else 1.0


def numbers(text: str) -> set[str]:
    """Numbers of a text; 1,250.00 and 1250.00 are the same one."""
    return {_number(match[0]) for match in _NUMBER.finditer(text)}


def names(text: str) -> set[str]:
    """Stems of the words written as names: capitals within a sentence, or capitals and digits within a word."""
    found = set[str]()
    for start, end in split_sentences(text):
        for number, match in enumerate(_WRITTEN_WORD.finditer(text, start, end)):
            word = match[0]
            inner = any(letter.isupper() or letter.isdigit() for letter in word[1:])
            if word[0].isalpha() and (inner or (number and word[0].isupper())):
                found.update(content_words(word))
    return found


def _number(word: str) -> str:
    return re.sub(r"(?<=\d),(?=\d{3}\b)", "", word)


def _citation(passage: Passage, start: int, end: int) -> Citation:
    quote = passage.text[start:end]
    if len(quote) > _LONGEST_QUOTE:
        quote = quote[:_LONGEST_QUOTE].rsplit(" ", 1)[0]
    return Citation(
        passage.doc_id,
        passage.source,
        passage.title,
        passage.section,
        passage.page,
        passage.place,
        quote,
        passage.start_index + start,
    )


@lru_cache(maxsize=65536)
def _stem(word: str) -> str:
    return _stemmer().stemWord(word)  # type: ignore[no-any-return]


@lru_cache(maxsize=1)
def _stemmer():  # type: ignore[no-untyped-def]
    import Stemmer

    return Stemmer.Stemmer("english")
