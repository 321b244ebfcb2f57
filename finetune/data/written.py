"""Candidates written from the documents themselves, without any model: headings that ask, tables, statements."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from hashlib import sha256
from itertools import groupby

from finetune.data.candidates import Candidate
from finetune.data.plain import plain
from finetune.data.statements import statements
from finetune.data.table_questions import cell_questions
from finetune.data.wording import Wording
from ragvoice.datatypes import Passage, Style
from ragvoice.sentences import split_sentences

_ASKS = re.compile(
    r"^(?:how (?!to\b)|what|when|where|who|which|why|can|may|do|does|did|is|are|will|should|must|has|have|am)\b.*\?$",
    re.I,
)
_HOW_TO = re.compile(r"^how to (?P<do>[a-z][\w-]* .*[^?:])$", re.IGNORECASE)
_NUMBERED = re.compile(r"^(?:\d+(?:\.\d+)*[.)]?|[A-Z][.)]|Q:|Q\d*[.:)]|[^\w\s]+)\s+")
_OTHER_PERSON = {"your": "my", "yours": "mine", "you": "I", "yourself": "myself"}
_LIST_ITEM = re.compile(r"^\s*(?:[-*+•|>#]|\d{1,3}[.)]|```|<)")
_POINTS_ELSEWHERE = re.compile(
    r"\b(?:below|above|following|here|as follows|next section|this (?:page|section|document|link))\b|^(?:see|note)\b"
    r"|^(?:[^\s:]+ ){0,5}[^\s:]+:\s",
    re.IGNORECASE,
)
"""Of an opening: it is no answer by itself, or one part of several (`Dutch: Mondays`)."""
_LEAST_WORDS, _MOST_WORDS = 4, 40
"""Of an answer. A first sentence of fewer words, such as `Yes.`, takes the next one with it."""
_QUESTION_WORDS = 16


def written(passages: Sequence[Passage]) -> list[Candidate]:
    """Every question that the rules find, each once. In `kept` those are dropped that do not find their passage.

    :param passages: Those of one document one after another, in the order of its text, as `open_to` gives them.
    """
    wording = Wording([passage.text for passage in passages])
    found: dict[str, Candidate] = {}
    for _, group in groupby(passages, key=lambda passage: passage.doc_id):
        document = list(group)
        for candidate in (*_from_headings(document), *_from_tables(document, wording)):
            found.setdefault(candidate.id, candidate)
        for passage in document:
            for candidate in _from_statements(passage, wording):
                found.setdefault(candidate.id, candidate)
    return list(found.values())


def _from_headings(document: Sequence[Passage]) -> Iterator[Candidate]:
    """What a section's heading asks is answered by its first sentences."""
    for section, group in groupby(document, key=lambda passage: passage.section):
        passage = next(group)
        question = asked_by(section.rsplit(" > ", 1)[-1])
        if question is None:
            continue
        quote = _opening(passage.text)
        if quote:
            yield _candidate(passage, question, plain(quote), quote, "spoken")


def asked_by(heading: str) -> str | None:
    """The question that a heading asks; None when it asks none.

    "How to change your password" asks "How do I change my password?".
    """
    heading = _NUMBERED.sub("", plain(heading)).strip()
    if len(heading.split()) > _QUESTION_WORDS:
        return None
    how_to = _HOW_TO.match(heading)
    if how_to is not None:
        words = [_OTHER_PERSON.get(word, word) for word in how_to["do"].split(" ")]
        return f"How do I {words[0].lower()} {' '.join(words[1:])}?"
    if not _ASKS.match(heading) or len(heading.split()) < 3:
        return None
    return heading[0].upper() + heading[1:]


def _opening(text: str) -> str:
    """The first sentence, or two; empty when the section does not begin with one that answers by itself."""
    spans = split_sentences(text)[:2]
    if not spans or _LIST_ITEM.match(text):
        return ""
    end = spans[0][1]
    if len(text[: spans[0][1]].split()) < _LEAST_WORDS and len(spans) > 1:
        end = spans[1][1]
    quote = text[spans[0][0] : end]
    said = plain(quote)
    complete = said.endswith((".", "!")) and not said.endswith("...") and not _POINTS_ELSEWHERE.search(said)
    return quote if complete and _LEAST_WORDS <= len(said.split()) <= _MOST_WORDS else ""


def _from_tables(document: Sequence[Passage], wording: Wording) -> Iterator[Candidate]:
    for cell in cell_questions(document, wording):
        yield _candidate(cell.passage, cell.question, cell.value, cell.line, "short")
        if cell.sentence:
            yield _candidate(cell.passage, cell.question, cell.sentence, cell.line, "spoken")


def _from_statements(passage: Passage, wording: Wording) -> Iterator[Candidate]:
    for found in statements(passage.text, wording):
        yield _candidate(passage, found.question, found.answer, found.quote, "spoken")
        yield _candidate(passage, found.question, found.fact, found.quote, "short")


def _candidate(passage: Passage, question: str, answer: str, quote: str, style: Style) -> Candidate:
    key = sha256(f"{passage.doc_id}\0{question}\0{style}".encode()).hexdigest()[:16]
    return Candidate(
        id=key,
        question=question,
        answers=(answer,),
        answerable=True,
        gold_doc_ids=(passage.doc_id,),
        gold_text=quote,
        style=style,
        source="document",
    )
