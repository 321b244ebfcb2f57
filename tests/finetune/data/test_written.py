"""Questions out of documents without a model."""

from __future__ import annotations

import pytest

from finetune.data.written import asked_by, written
from ragvoice.datatypes import Passage
from ragvoice.retrieval.index import DocumentIndex


def passage(section: str, text: str, start: int = 0, doc_id: str = "a.md") -> Passage:
    return Passage(doc_id, doc_id, "FAQ", section, None, None, text, start, 0.0)


@pytest.mark.parametrize(
    ("heading", "question"),
    [
        ("Who pays when I drop my laptop?", "Who pays when I drop my laptop?"),
        ("3.1 how long must a password be?", "How long must a password be?"),
        ("Q: **Can** I work at home?", "Can I work at home?"),
        ("How to change your password", "How do I change my password?"),
        ("How to claim", None),  # what?
        ("Why?", None),
        ("Password rules", None),
        ("Questions?", None),
    ],
)
def test_a_heading_that_asks_is_a_question(heading: str, question: str | None) -> None:
    assert asked_by(heading) == question


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("The company does. Not twice.", "The company does. Not twice."),  # three words are too few alone
        ("The company does so once. Not twice.", "The company does so once."),
        ("See the page on laptops. It says all.", ""),
        ("The rules are as follows. One.", ""),
        ("Dutch: Mondays and Wednesdays in Rotterdam.", ""),
        ("- The company does so once.", ""),
        ("Who pays what and when?", ""),
    ],
)
def test_the_opening_of_a_section_answers_its_heading(text: str, answer: str) -> None:
    found = written([passage("Help > Who pays for a laptop?", text), passage("Help > Who pays for a laptop?", "x", 90)])
    assert [candidate.answers for candidate in found] == ([(answer,)] if answer else [])
    for candidate in found:
        assert (candidate.question, candidate.style, candidate.source) == (
            "Who pays for a laptop?",
            "spoken",
            "document",
        )
        assert (candidate.gold_doc_ids, candidate.answerable) == (("a.md",), True)
        assert candidate.gold_text == answer


def test_a_statement_and_a_cell_are_asked_in_both_styles_and_once() -> None:
    text = "Harbour is our HR self-service."
    rows = "| Place | Rate |\n| --- | --- |\n| London | £1 |\n| Oslo | far |"
    document = [passage("", text), passage("", text, 40), passage("", f"The rate:\n\n{rows}", 80)]
    found = {(one.question, one.style): one.answers[0] for one in written(document)}
    assert found == {
        ("What is Harbour?", "spoken"): "Harbour is our HR self-service.",
        ("What is Harbour?", "short"): "our HR self-service",
        ("What is the rate for London?", "short"): "£1",
        ("What is the rate for London?", "spoken"): "The rate for London is £1.",
        ("What is the rate for Oslo?", "short"): "far",
    }
    assert len(written(document)) == len({one.id for one in written(document)}) == 5


def test_the_same_question_about_two_documents_is_two_candidates() -> None:
    text = "Harbour is our HR self-service."
    found = written([passage("", text), passage("", text, doc_id="b.md")])
    assert [one.gold_doc_ids for one in found if one.style == "short"] == [("a.md",), ("b.md",)]


def test_the_sample_company_gives_questions_that_its_documents_answer(sample: DocumentIndex) -> None:
    from finetune.data.open_documents import open_to

    passages = open_to(sample)
    found = written(passages)
    texts = {name: " ".join(p.text for p in passages if p.doc_id == name) for name in {p.doc_id for p in passages}}
    assert len(found) > 100
    assert all(one.gold_text in texts[one.gold_doc_ids[0]] for one in found)
    assert all(one.question.endswith("?") and one.question[0].isupper() for one in found)
