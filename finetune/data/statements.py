"""Sentences that a template turns into a question: definitions, dates, amounts, periods. Pure, English, no model.

Few and grammatical rather than many: a sentence that does not fit a template whole gives no question.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from finetune.data.plain import plain
from finetune.data.wording import Wording
from ragvoice.sentences import split_sentences

_MOST_WORDS = 40
"""Of a sentence that is said as an answer."""
_MONEY = (
    r"(?:up to |at most |at least )?(?:[£$€]\s?|(?:EUR|GBP|USD|PLN|CHF) )\d(?:[\d.,]*\d)?"
    r"(?: (?:per|a|an|each) [a-z]+(?: [a-z]+)?)?"
)
_PERIOD = (
    r"(?:\d+|two|three|four|five|six|seven|eight|nine|ten|twelve) (?:working |calendar |business )?"
    r"(?:minute|hour|day|week|month|year)s?"
)
_MONTH = r"(?:January|February|March|April|May|June|July|August|September|October|November|December)"
_DATE = rf"(?:(?:\d{{1,2}} )?{_MONTH} )?(?:1[5-9]|20)\d\d"
_VERB = r"(?:is|are|was|were|must|may|can|has|have|and)\b"
_PLAIN_SUBJECT = rf"(?:(?:The|Our|All|Each|An?) )?[A-Za-z][\w’'-]*(?: (?!{_VERB})[\w’'-]+){{0,4}}"
_SUBJECT = rf"(?P<subject>{_PLAIN_SUBJECT})"
_NO_SUBJECT = re.compile(
    r"^(?:it|its|he|she|they|we|you|i|this|that|these|those|there|here|which|who|what|one|some|any|other|another|such"
    r"|both|most|many|if|when|as|in|on|at|by|for|with|after|before|from|to|but|and|or|so|no|not|note|yes|please|only"
    r"|your|my|his|her|their|each|typical|(?!all\b)\w+(?:ed|ly)|everything|nothing|something|example|examples|everyone|nobody|if|because|today|now)\b"
    r"|\b(?:it|this|that|these|those|they|them|his|her|their|your|my|which|who|below|above|following|former|latter)\b",
    re.IGNORECASE,
)
_PEOPLE = re.compile(
    r"\b(?:manager|officer|director|engineer|founder|author|writer|king|queen|president|head|lead|professor|lawyer"
    r"|scientist|artist|composer|philosopher|politician|player|singer|actor|person|man|woman|member|employee|teammate"
    r"|chair|chairman|leader|minister|secretary|general|bishop|poet|mathematician|physicist|inventor|duke|count|noble|explorer|economist|historian)\b"
)
_ROLE = (
    r"(?:[\w-]+ ){0,3}"
    r"(?:officer|manager|director|chair|president|controller|coordinator|representative|head of [\w ]+)"
)
_DETERMINERS = ("The", "Our", "All", "Each", "A", "An")
_PERSON = r"[A-Z][\w’'-]+(?: (?:de |van |von )?[A-Z][\w’'-]+){1,2}"


@dataclass(frozen=True)
class Statement:
    question: str
    answer: str
    """The sentence, without marks."""
    fact: str
    """The words of it that answer."""
    quote: str
    """The sentence as it stands in the text."""


Rule = tuple[re.Pattern[str], Callable[[re.Match[str], Wording], str]]
"""Groups: `fact` is the answer; the others make the question."""


def statements(text: str, wording: Wording) -> Iterator[Statement]:
    """:param text: Of a passage."""
    for start, end in split_sentences(text):
        quote = text[start:end]
        sentence = plain(quote)
        if (
            quote.startswith("|")
            or not sentence[:1].isupper()
            or not sentence.endswith(".")
            or len(sentence.split()) > _MOST_WORDS
        ):
            continue
        if sentence.count("(") != sentence.count(")") or ":" in sentence:
            continue
        for pattern, ask in _RULES:
            match = pattern.match(sentence)
            if match is None or _NO_SUBJECT.search(match["subject"]):
                continue
            if ask in (_who_is, _within) or _stands_alone(match["subject"]):
                yield Statement(ask(match, wording), sentence, match["fact"].strip(" ,"), quote)
                break


def _subject(match: re.Match[str], wording: Wording) -> str:
    """As it stands within a sentence."""
    first, *rest = match["subject"].split(" ")
    named = any(word[0].isupper() for word in rest)
    if first in _DETERMINERS or (first.istitle() and wording.is_common(first) and not named):
        first = first.lower()
    return " ".join([first, *rest])


def _stands_alone(subject: str) -> bool:
    """Not `The result`, which is one of many; `The warranty of the logger` and `The Rankine cycle` may be the only."""
    first, *rest = subject.split(" ")
    return first not in ("The", "Our") or len(rest) > 2 or any(word[0].isupper() for word in rest)


def _means(match: re.Match[str], wording: Wording) -> str:
    return f"What does {_subject(match, wording)} mean?"


def _what_is(match: re.Match[str], wording: Wording) -> str:
    person = match["subject"].split(" ")[0] not in _DETERMINERS and _PEOPLE.search(match["fact"][:40])
    who = "Who" if person else "What"
    return f"{who} is {_subject(match, wording)}?"


def _who_is(match: re.Match[str], wording: Wording) -> str:
    return f"Who is {_subject(match, wording)}?"


def _what_amount(match: re.Match[str], wording: Wording) -> str:
    return f"What {match['be']} {_subject(match, wording)}?"


def _when(match: re.Match[str], wording: Wording) -> str:
    return f"When {match['be']} {_subject(match, wording)} {match['verb']}?"


def _how_much(match: re.Match[str], wording: Wording) -> str:
    subject = _subject(match, wording)
    if match["modal"]:
        return f"How much {match['modal'].strip()} {subject} cost?"
    return f"How much {'does' if match['verb'] == 'costs' else 'do'} {subject} cost?"


def _within(match: re.Match[str], wording: Wording) -> str:
    return f"Within what time must {_subject(match, wording)} be {match['verb']}?"


def _how_many(match: re.Match[str], wording: Wording) -> str:
    return f"How many {match['things']} do {_subject(match, wording)} {match['verb']}?"


def _rule(pattern: str, ask: Callable[[re.Match[str], Wording], str]) -> Rule:
    return re.compile(rf"^{pattern}$"), ask


_RULES: tuple[Rule, ...] = (
    _rule(
        rf"{_SUBJECT}(?<! a)(?<! the)(?<! by)(?<! other)(?<! no) means (?P<fact>(?!that\b).{{8,}})\.",
        _means,
    ),
    _rule(rf"(?P<subject>The {_ROLE}) is (?P<fact>{_PERSON})\.", _who_is),
    _rule(
        rf"(?P<subject>(?:The |An? )?[A-Za-z][\w’'-]*(?: (?!{_VERB})[\w’'-]+){{0,3}}) is "
        r"(?P<fact>(?:an?|our|the) (?!same|only|one|first|last|case|responsibility|good|great|best|bad|big|few|lot"
        r"|most)\w[^;]{10,})\.",
        _what_is,
    ),
    _rule(rf"{_SUBJECT} (?P<be>is|are) (?P<fact>{_MONEY}|{_PERIOD}|\d[\d.,]* ?%)\.", _what_amount),
    _rule(
        rf"{_SUBJECT} (?P<be>was|were) (?P<verb>founded|opened|introduced|published|established|built"
        rf"|launched|created|signed|closed|acquired|formed)(?P<fact> (?:in|on) {_DATE})\b.*\.",
        _when,
    ),
    _rule(rf"{_SUBJECT} (?P<modal>may |can )?(?P<verb>costs?) (?P<fact>{_MONEY})\b.*\.", _how_much),
    _rule(
        rf"{_SUBJECT} must be (?P<verb>\w+(?: in| back)?) (?P<fact>within {_PERIOD}\b[^.;]*)\.",
        _within,
    ),
    _rule(
        r"(?P<subject>(?:(?:All|Our) )?[A-Z][a-z]+s|People|[A-Z][a-z]+ [a-z]+s) (?P<verb>get|have|receive)"
        r" (?P<fact>\d[\d.,]*) (?P<things>[a-z]+s(?: of [a-z]+(?: [a-z]+)?)?)(?: (?:a|per) (?:year|month|week))?\.",
        _how_many,
    ),
)
