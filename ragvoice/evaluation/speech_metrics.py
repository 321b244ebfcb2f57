"""What a recogniser lost: words, numbers, names; and whether a spoken answer still means the same. Pure functions.

Texts are compared after Whisper's English normaliser (Radford et al. 2022, arXiv 2212.04356, appendix C), so that
"twenty five" is 25 and "don't" is "do not".
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from ragvoice.generation.prompts import is_refusal
from ragvoice.sentences import split_sentences
from ragvoice.speech.speakable import speakable

NEGATIONS = frozenset("no not never none nobody nothing nowhere neither nor cannot without".split())

_NUMBER = re.compile(r"[$€£]?(-?\d+(?:\.\d+)?)(?:%|¢|st|nd|rd|th|s)?")
_ORDINAL = re.compile(r"(?:st|nd|rd|th)$")
_NAME = re.compile(r"\w+(?:[-./&'’]\w+)*")
_OWNER = re.compile(r"['’]s\b")


@dataclass(frozen=True)
class Errors:
    """`wrong` of `total`; sums over questions, so that a long one weighs more."""

    wrong: int
    total: int

    @property
    def rate(self) -> float | None:
        """None where there was nothing to get wrong."""
        return self.wrong / self.total if self.total else None


@dataclass(frozen=True)
class KeptMeaning:
    """What of an answer is still there when its sound is transcribed."""

    numbers: bool
    """The same numbers, each as often."""
    negations: bool
    """As many negations."""
    refusal: bool
    """It is heard as a refusal if it is one, and only then."""

    @property
    def whole(self) -> bool:
        return self.numbers and self.negations and self.refusal


def pooled(errors: Iterable[Errors]) -> Errors:
    counted = list(errors)
    return Errors(sum(one.wrong for one in counted), sum(one.total for one in counted))


def normalise(text: str) -> str:
    """Lower case, no punctuation, numbers in digits, American spelling, contractions written out."""
    return str(_normaliser()(text))


def word_errors(reference: str, hypothesis: str) -> Errors:
    """Substitutions, deletions and insertions of the words after normalisation, over the reference's words."""
    import jiwer

    spoken, heard = normalise(reference), normalise(hypothesis)
    if not spoken:  # jiwer wants a reference; every word heard is an insertion
        return Errors(len(heard.split()), 0)
    found = jiwer.process_words(spoken, heard)
    wrong = found.substitutions + found.deletions + found.insertions
    return Errors(wrong, found.hits + found.substitutions + found.deletions)


def wer(reference: str, hypothesis: str) -> float:
    """Word error rate, 0 to any; 1 when something is heard where nothing was said."""
    errors = word_errors(reference, hypothesis)
    return float(errors.wrong > 0) if errors.rate is None else errors.rate


def number_errors(reference: str, hypothesis: str) -> Errors:
    """Numbers of the reference that the hypothesis does not have, written or spoken."""
    spoken, heard = Counter(numbers(reference)), Counter(numbers(hypothesis))
    return Errors((spoken - heard).total(), spoken.total())


def entity_errors(reference: str, hypothesis: str) -> Errors:
    """Names of the reference that the hypothesis does not have; one word heard as two (KB 200, Mail Trap) is kept."""
    heard = _canonical(hypothesis).split()
    named = [_canonical(name).replace(" ", "") for name in names(reference)]
    return Errors(sum(name not in _joined(heard, len(name)) for name in named if name), len(named))


def vocabulary_errors(reference: str, hypothesis: str, words: Iterable[str]) -> Errors:
    """Uses of `words` in the reference that the hypothesis does not have; a plural or 's is a form of the word."""
    spoken, heard = _canonical(reference).split(), _canonical(hypothesis).split()
    wrong = total = 0
    for word in {_canonical(word).replace(" ", "") for word in words} - {""}:
        asked = _uses(spoken, word)
        total += asked
        wrong += max(0, asked - _uses(heard, word)) if asked else 0
    return Errors(wrong, total)


def _uses(words: list[str], name: str) -> int:
    """How often neighbouring words, written as one, are the name."""
    forms = (name, f"{name}s")
    return sum(
        any("".join(words[start:end]) in forms for end in range(start + 1, min(start + 5, len(words) + 1)))
        for start in range(len(words))
    )


def kept_meaning(said: str, heard: str) -> KeptMeaning:
    """Whether a listener who hears `heard` is told what `said` says."""
    return KeptMeaning(
        numbers=Counter(numbers(said)) == Counter(numbers(heard)),
        negations=_negations(said) == _negations(heard),
        refusal=is_refusal(said) == is_refusal(heard),
    )


def numbers(text: str) -> list[str]:
    """Numbers in order: "1,250.50 EUR", "1250 euros and 50 cents" -> 1250.5; "10:30", "ten thirty" -> 1030.

    Neighbours are one number, because a year or a telephone number is said and written in groups; an ordinal counts as
    its number and ends it (March 1st 2025).
    """
    found: list[str] = []
    open_number = False
    for word in _canonical(text).split():
        match = _NUMBER.fullmatch(word)
        digits = match[1] if match else "1" if word == "one" else ""
        if digits and open_number:
            found[-1] += digits
        elif digits:
            found.append(digits)
        open_number = bool(digits) and not _ORDINAL.search(word)
    return [_plain(number) for number in found]


def names(text: str) -> list[str]:
    """Acronyms, codes with digits in them, and capitalised words that do not begin a sentence."""
    spoken = _OWNER.sub("", speakable(text))  # EUR is no name once it is said
    return [name for start, end in split_sentences(spoken) for name in _names(spoken[start:end])]


def _plain(number: str) -> str:
    """1250.50 -> 1250.5; 01632 -> 1632, because a first zero is not always written."""
    return number.rstrip("0").rstrip(".") if "." in number else number.lstrip("0") or "0"


def _names(sentence: str) -> Iterator[str]:
    for place, match in enumerate(_NAME.finditer(sentence)):
        word = match[0]
        capitals = sum(sign.isupper() for sign in word)
        code = any(sign.isdigit() for sign in word) and capitals
        if code or capitals > 1 or (place and word[0].isupper() and not re.fullmatch(r"I(?:['’]\w+)?", word)):
            yield word


def _canonical(text: str) -> str:
    """Normalised as it is said, so that "Q3" and "the third quarter" meet."""
    return normalise(speakable(text).replace("o'clock", "oclock"))  # the normaliser would read the o as a zero


def _joined(words: list[str], longest: int) -> set[str]:
    """Every run of neighbouring words, written as one, up to a length in characters."""
    runs = set()
    for start in range(len(words)):
        run = ""
        for word in words[start:]:
            run += word
            if len(run) > longest:
                break
            runs.add(run)
    return runs


def _negations(text: str) -> int:
    return sum(word in NEGATIONS for word in normalise(text).split())


@lru_cache(maxsize=1)
def _normaliser() -> Any:
    from whisper_normalizer.english import EnglishTextNormalizer

    return EnglishTextNormalizer()
