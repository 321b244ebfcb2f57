"""Questions that the documents do not answer, made of ones that they do, by one change that a reader must notice.

Four of the six kinds of Rajpurkar et al. 2018 (arXiv 1806.03822, table 3): entity swap (names, years, numbers), antonym
and negation. Mutual exclusion and impossible condition need somebody who understands the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice

from finetune.data.candidates import Candidate
from finetune.data.names import Names, modifies, names_in
from ragvoice.generation.grounding import STOP_WORDS, content_words

_OPPOSITES = (
    "largest smallest|biggest smallest|highest lowest|longest shortest|oldest newest|youngest oldest|earliest latest|"
    "most least|best worst|greatest smallest|strongest weakest|fastest slowest|richest poorest|maximum minimum|"
    "more less|larger smaller|higher lower|longer shorter|older younger|earlier later|better worse|faster slower|"
    "before after|above below|inside outside|increase decrease|increased decreased|increases decreases|"
    "northern southern|eastern western|male female|positive negative|internal external|public private|paid unpaid|"
    "allowed forbidden|permitted prohibited|mandatory optional|full-time part-time|domestic international|"
    "temporary permanent|upper lower|first last|beginning end|accept reject|accepted rejected|"
    "advantage disadvantage|advantages disadvantages|strengths weaknesses"
)
"""Not `buy sell` nor `win lose`: who sells to one is who the other buys from, and the text says both."""
_PAIRS = [pair.split() for pair in _OPPOSITES.split("|")]
_OPPOSITE = {one: other for a, b in reversed(_PAIRS) for one, other in ((a, b), (b, a))}
_YEAR = re.compile(
    r"(?<![\w.,/–-])(?<![–-] )(?P<number>(?:1[1-9]|20)\d\d)(?P<decade>(?<=0)['’]?s\b)?(?![\w/]|[.,]\d|\s?[–-])"
)
_NUMBER = re.compile(r"(?<![\w.,/$£€:–-])(?<![–-] )(?P<number>[1-9]\d*)(?![\w%:/-]|[.,]\d|\s?[–-])")
_ROUGHLY = frozenset(
    "about above after around at before below between by circa exceeding from least most nearly over post prior since "
    "than to under until within and or".split()
)
"""Before a number: another one may be as right."""
_NUMBERED = frozenset("Appendix Article Chapter Clause In Level Paragraph Room Rule Section Step".split())
"""Of other words with a capital the number is a part of the name: `World War 1`."""
_YEARS_AWAY = (3, -4, 7, -11, 12, -2)
_LAST_YEAR = 2030
_FACTORS = (2, 3, 5, 7)
_PART_OF_A_NAME = re.compile(r"[A-Z][\w’'-]*\s+(?:for|of|and|to|v|vs)\s+(?:the\s+)?$")
_DO = frozenset({"do", "does", "did"})

_SUBJECT_ASKED = re.compile(
    r"^(?P<head>(?:Who|(?:Which|What)(?: (?!that|which|who|is|are|was|were|to|by|can)[\w-]+){1,3}|What(?= "
    r"is (?:allowed|required|permitted|covered|included|refunded|paid)\b))"
    r" (?:is|are|was|were|may|must|should|has|have))"
    r"(?= (?:be |been )?\w{3,}ed\b)"
)
_AUXILIARY_PRONOUN = re.compile(
    r"^(?P<head>(?:When|Where|What|Which) (?:[\w-]+ ){0,3}?(?:can|could|may|must|should|will) "
    r"(?:I|you|we|they|he|she|it))(?= [a-z])"
)
_LOWER_CASE = re.compile(r"(?<![\w-])[a-z]+(?:-[a-z]+)?(?![\w-])")
_ADJECTIVE = r"(?:[a-z]{3,}(?:al|ant|ar|ate|ed|ent|ful|[ai]ble|ic|ing|ive|ous|ly|y)|common|than)"
_BEFORE_AN_ADJECTIVE = re.compile(rf"\0 {_ADJECTIVE}\b")
_AFTER_THE = re.compile(r"\b(?:the|its|their)(?: [a-z]+)? \0")
_BEFORE_A_WORD = re.compile(r"\0 \w")
_BEFORE_A_NOUN = re.compile(rf"\0 (?!(?:{'|'.join(sorted(STOP_WORDS))})\b)[a-z]{{3,}}")
_ONE_OF_TWO = re.compile(r"\b(?:and|or|no) $")
_OTHER_OF_TWO = re.compile(r" (?:and|or)\b")
_NEEDS_AROUND = {
    **dict.fromkeys(("most", "least", "more", "less"), _BEFORE_AN_ADJECTIVE),
    **dict.fromkeys(("beginning", "end"), _AFTER_THE),
    **dict.fromkeys(("before", "after", "above", "below", "inside", "outside"), _BEFORE_A_WORD),
    **dict.fromkeys(("paid", "unpaid"), _BEFORE_A_NOUN),
}
"""Where a word stands when it is the one that is meant; \0 is the word: not `end up`, not `named after?`."""
_WORD = re.compile(r"\w+(?:-\w+)*")
DENIES = re.compile(r"\b(?:not|no|never|cannot|without|except|unless)\b|n['’]t\b", re.IGNORECASE)

Change = tuple[str, str]
"""The question, and what was put into it."""


def unanswerable_twins(candidate: Candidate, names: Names, most: int = 1) -> list[Candidate]:
    """None of a question without a gold text, which says what is near.

    What is put in is `absent` and stands neither in the gold text nor in an answer. `kept` drops the twin when a
    passage that is retrieved for it says it.

    :param names: Of the texts that the questions are about.
    :param most: So many for each kind of change, the best first: where `kept` drops one, another may pass.
    """
    if not candidate.answerable or not candidate.gold_text:
        return []
    near = " ".join((candidate.gold_text, candidate.question, *candidate.answers))
    changes = {
        "name": _names_swapped(candidate, names),
        "number": _numbers_swapped(candidate),
        "antonym": _antonyms(candidate),
        "negation": _negated(candidate),
    }
    made = []
    for kind, several in changes.items():
        far = islice((change for change in several if not says(near, change[1])), most)
        made += [_twin(candidate, f"{kind}{number or ''}", *change) for number, change in enumerate(far)]
    return made


def twin_of(source: str) -> str:
    """Source of the questions that are made of those of a source."""
    return f"{source}, twin"


def says(text: str, absent: str) -> bool:
    """Whether all words of `absent` stand in the text, in whatever form and order."""
    said = {*_WORD.findall(text.lower()), *content_words(text)}
    words = content_words(absent) or _WORD.findall(absent.lower())
    return set(words) <= said


def _twin(candidate: Candidate, kind: str, question: str, absent: str) -> Candidate:
    return replace(
        candidate,
        id=f"{candidate.id}~{kind}",
        question=question,
        answers=(),
        answerable=False,
        source=twin_of(candidate.source),
        absent=absent,
    )


def _names_swapped(candidate: Candidate, names: Names) -> Iterator[Change]:
    """The last name first: the first one is mostly the subject of the whole document."""
    question = candidate.question
    for start, end in reversed(names_in(question)):
        name = question[start:end]
        before = (question[:start].lower().split() or [""])[-1]
        if not question[:start].rstrip()[-1:].islower() or _PART_OF_A_NAME.search(question[:start]):
            continue
        if modifies(question, end) and before not in _DO:
            continue
        if name not in candidate.gold_text or any(name in answer for answer in candidate.answers):
            continue
        for other in names.alike(name, before):
            if not set(content_words(other)) & set(content_words(candidate.gold_text)):
                yield question[:start] + other + question[end:], other


def _numbers_swapped(candidate: Candidate) -> Iterator[Change]:
    for pattern, others in ((_YEAR, _other_years), (_NUMBER, _other_numbers)):
        for match in pattern.finditer(candidate.question):
            before = (candidate.question[: match.start()].split() or [""])[-1]
            named = pattern is _NUMBER and before.istitle() and before not in _NUMBERED
            if named or before.lower() in _ROUGHLY or not re.search(rf"\b{match['number']}", candidate.gold_text):
                continue
            for other in others(match):
                start, end = match.span("number")
                yield candidate.question[:start] + other + candidate.question[end:], other


def _other_years(match: re.Match[str]) -> list[str]:
    """A decade becomes another decade; no year is far in the future."""
    years = (int(match["number"]) + (10 if match["decade"] else 1) * away for away in _YEARS_AWAY)
    return [str(year) for year in years if year < _LAST_YEAR]


def _other_numbers(match: re.Match[str]) -> list[str]:
    return [] if _YEAR.fullmatch(match["number"]) else [str(int(match["number"]) * factor) for factor in _FACTORS]


def _antonyms(candidate: Candidate) -> Iterator[Change]:
    """Only of words that the gold text uses too: then it is about one of the two and not about the other."""
    question = candidate.question
    for match in _LOWER_CASE.finditer(question):
        other = _OPPOSITE.get(match[0])
        if other is None or not re.search(rf"\b{match[0]}\b", candidate.gold_text):
            continue
        if _ONE_OF_TWO.search(question[: match.start()]) or _OTHER_OF_TWO.match(question, match.end()):
            continue
        needed = _NEEDS_AROUND.get(match[0])
        if needed and not needed.search(question[: match.start()] + "\0" + question[match.end() :]):
            continue
        yield question[: match.start()] + other + question[match.end() :], other


def _negated(candidate: Candidate) -> Iterator[Change]:
    if DENIES.search(candidate.question) or DENIES.search(candidate.gold_text):
        return
    for pattern in (_AUXILIARY_PRONOUN, _SUBJECT_ASKED):
        match = pattern.match(candidate.question)
        if match is not None:
            yield f"{match['head']} not{candidate.question[match.end() :]}", "not"
            return
