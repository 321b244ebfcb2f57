"""Question sets -> candidates: the answers in the form in which the model is to write them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from finetune.data.candidates import Candidate
from ragvoice.datatypes import Style
from ragvoice.evaluation.datasets import Dataset, Question

MOST_SHORT_WORDS = 12
"""An answer of more words is a sentence, not a fact to be copied."""

_QUOTE_MARKS = re.compile(r"``\s*|\s*''")
_BEFORE_MARK = re.compile(r"\s+(?!\.\d)([.,;:!?)\]%])")
"""Not before `.5`."""
_AFTER_MARK = re.compile(r"([(\[])\s+")


def candidates_of(dataset: Dataset, sentences: dict[str, str] | None = None) -> list[Candidate]:
    """One for each style that the set's answers fit; a refusal fits every style that the set's answers have.

    :param sentences: Whole sentences that answer, by the id of the question, where the set has them.
    """
    sentences = sentences or {}
    styles = _styles(dataset.questions, sentences)
    made = []
    for question in dataset.questions:
        if question.kind in ("partial", "underspecified"):
            continue
        for style in styles:
            answers = _answers(question, style, sentences.get(question.id))
            if question.answerable and not answers:
                continue
            made.append(
                Candidate(
                    id=f"{question.id}/{style}",
                    question=unquoted(question.text),
                    answers=answers,
                    answerable=question.answerable,
                    gold_doc_ids=question.gold_ids,
                    history=question.history,
                    style=style,
                    source=dataset.name,
                    groups=question.groups,
                )
            )
    return made


def detokenised(text: str) -> str:
    """Without the marks of tokenised corpora: `( one ) , two .` becomes `(one), two.`"""
    text = _QUOTE_MARKS.sub('"', text)
    return " ".join(_AFTER_MARK.sub(r"\1", _BEFORE_MARK.sub(r"\1", text)).split())


def unquoted(text: str) -> str:
    """A question as the examples have it: without quotation marks around the whole, or a single one at an end."""
    text = text.strip()
    return text.strip(' "') if text.count('"') == 1 or (text[:1] == text[-1:] == '"' and text.count('"') == 2) else text


def _styles(questions: Sequence[Question], sentences: dict[str, str]) -> list[Style]:
    answers = [answer for question in questions if question.answerable for answer in question.answers]
    short = sum(len(answer.split()) <= MOST_SHORT_WORDS for answer in answers)
    styles: list[Style] = ["short"] if short * 2 >= len(answers) else []
    if sentences or not styles:
        styles.append("spoken")
    return styles


def _answers(question: Question, style: Style, sentence: str | None) -> tuple[str, ...]:
    if not question.answerable:
        return ()
    if style == "spoken" and sentence:
        return (detokenised(sentence),)
    fitting = [answer for answer in question.answers if (len(answer.split()) <= MOST_SHORT_WORDS) == (style == "short")]
    return tuple(dict.fromkeys(map(detokenised, fitting)))
