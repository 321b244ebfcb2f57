"""Questions that cannot be answered as they were asked: a question back, and what its reply means. Pure functions.

Only what is certain is asked back: a question that points at something ("this library", "it") that nobody has named,
while several documents fit equally well. "The library" is left to retrieval, since a company mostly has one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from ragvoice.datatypes import Message, Passage
from ragvoice.generation.grounding import STOP_WORDS, content_words

_POINTED = re.compile(
    r"\b(?:this|these|(?:of|in|for|at|on|about|to|from|with|by|does|did) (?:that|those)) ((?:[\w'’-]+[ ]?){1,4})",
    re.IGNORECASE,
)
_PRONOUN = re.compile(r"\b(it|its|he|him|his|she|her|hers)\b", re.IGNORECASE)
"""Not `they`, which people say of anybody: `where do they test the alarm?`"""
_EXPLETIVE = re.compile(
    r"\b(?:is|was|be|been|get) it\b|\bit (?:is|was|be|take|takes|cost|costs|mean|means|rain|called)\b", re.I
)
"""`It` that points at nothing: `how long does it take`."""
_VERBS = frozenset(
    "mean means apply applies work works cost costs include exist change happen affect say help be".split()
)
_ALWAYS_CLEAR = frozenset(
    (
        "year month week day morning afternoon evening quarter time moment case way company document handbook policy "
        "information question point end kind sort type matter reason regard purpose context site website place page one"
    ).split()
)
"""`This year`, `this company`: the listener knows which."""

_AS_GOOD = 0.9
"""A document counts as a candidate when its best passage has this share of the best score."""
_CHOICES = 3

_WHICH = "Which one do you mean: {choices}?"
_MEANT = 'Did you mean: "{question}"?'
_ASKED_WHICH = re.compile(r"^Which one do you mean: (.+)\?$")
_ASKED_MEANT = re.compile(r'^Did you mean: "(.+)"\?$', re.DOTALL)
_YES = re.compile(
    r"^\W*(yes|yeah|yep|yup|right|correct|exactly|sure|i did|that's right|that is right)\b", re.IGNORECASE
)
_ORDINALS = (r"\b(first|former|1st)\b", r"\b(second|2nd)\b", r"\b(third|last|latter|3rd)\b")


def which_one(question: str, history: Sequence[Message], passages: Sequence[Passage]) -> str | None:
    """The question back when it points at nothing that was said and several documents fit; else None."""
    if not points_nowhere(question, history):
        return None
    titles = list[str]()
    for passage in passages:
        title = passage.title or passage.source
        if passage.score >= _AS_GOOD * passages[0].score and title not in titles:
            titles.append(title)
    if len(titles) < 2:
        return None
    *most, last = titles[:_CHOICES]
    return _WHICH.format(choices=f"{', '.join(most)} or {last}")


def points_nowhere(question: str, history: Sequence[Message]) -> bool:
    """Whether it points at a thing that neither the question nor the conversation names."""
    named = set(content_words(" ".join(line.text for line in history)))
    for match in _POINTED.finditer(question):
        noun = _noun_phrase(match[1])
        if noun and not noun & (named | _ALWAYS_CLEAR | set(content_words(question[: match.start()]))):
            return True
    pronoun = _PRONOUN.search(question)
    alone = pronoun is not None and not history and not _EXPLETIVE.search(question)
    return alone and pronoun is not None and not content_words(question[: pronoun.start()])


def did_you_mean(question: str) -> str:
    """The question back when the recogniser was not sure."""
    return _MEANT.format(question=question.strip())


def resolved(question: str, history: Sequence[Message]) -> str:
    """What a reply to our question back asks for: `yes` or `the second one` becomes what it stands for."""
    if not history or history[-1].speaker != "agent":
        return question
    line = history[-1].text.strip()
    if (meant := _ASKED_MEANT.match(line)) and _YES.match(question):
        return meant[1]
    if (which := _ASKED_WHICH.match(line)) and (choice := _chosen(question, re.split(r", | or ", which[1]))):
        before = next((said.text for said in reversed(history) if said.speaker == "user"), "")
        return f"{before} {choice}".strip()
    return question


def _noun_phrase(text: str) -> set[str]:
    """Stems of the words up to the first one that is no noun or adjective, as far as a word list can tell."""
    words = list[str]()
    for word in text.split():
        if word.lower() in STOP_WORDS or (not words and word.lower() in _VERBS):
            break
        words.append(word)
    return set(content_words(" ".join(words))) | {word.lower() for word in words} if words else set()


def _chosen(reply: str, choices: Sequence[str]) -> str | None:
    said = set(content_words(reply))
    shared = [len(said & set(content_words(choice))) for choice in choices]
    if max(shared) > 0 and shared.count(max(shared)) == 1:
        return choices[shared.index(max(shared))]
    for number, pattern in enumerate(_ORDINALS[: len(choices)]):
        if re.search(pattern, reply, re.IGNORECASE) and len(reply.split()) <= 5:
            return choices[number]
    return None
