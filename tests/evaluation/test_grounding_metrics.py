"""Each part of the rule on a sentence that only this part decides, then the figures of whole answers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ragvoice.datatypes import Answer, Citation, Passage
from ragvoice.evaluation.grounding_metrics import (
    citation_precision,
    citation_recall,
    groundedness,
    quote_found,
    sentence_supported,
)

QUESTION = "How long is the probation?"
TEXT = "New colleagues have a probation of three months. It may not be extended without approval by Edith Tarn."


@pytest.mark.parametrize(
    "sentence",
    [
        "New colleagues have a probation of three months.",
        "The probation is 3 months.",  # digits for a word
        "The probation may not be extended.",
        "Extending it needs Edith Tarn's approval.",
        "Edith Tarn must give approval.",
        "3 months",
    ],
)
def test_what_the_text_says_is_supported(sentence: str) -> None:
    assert sentence_supported(sentence, [TEXT], QUESTION)


@pytest.mark.parametrize(
    "sentence",
    [
        "Parking is free behind the canteen.",
        "New colleagues have a probation of six months.",  # another number
        "The probation is 6 months.",
        "Extending it needs Walter Tarn's approval.",  # another name, inside
        "Walter Tarn must give approval.",  # and at the start
        "New colleagues have not a probation of three months.",  # negated
        "",
        "?",
    ],
)
def test_what_it_does_not_say_is_not(sentence: str) -> None:
    assert not sentence_supported(sentence, [TEXT], QUESTION)


def test_seven_tenths_of_the_added_words_are_needed() -> None:
    text = "alpha bravo charlie delta echo foxtrot golf"
    assert sentence_supported(f"{text} xray yankee zulu", [text], "")
    assert not sentence_supported(f"{text} xray yankee zulu whiskey", [text], "")


def test_one_name_of_many_words_must_be_right_too() -> None:
    text = "Requests for travel abroad are approved within five working days by Edith Tarn."
    assert sentence_supported(text, [text], "")
    assert not sentence_supported(text.replace("Edith", "Walter"), [text], "")
    assert not sentence_supported(f"Walter {text.replace('Requests', 'Tarn requests')}", [text], "")  # at the start


def test_words_and_numbers_of_the_question_need_no_support() -> None:
    text = "The allowance is paid in June."
    assert sentence_supported("Tier 3 in Gdansk gets it in June.", [text], "When does tier 3 in Gdansk get it?")
    assert not sentence_supported("Tier 3 in Gdansk gets it in June.", [text], "When is it?")


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ("You get twenty-five days.", "You get 25 days."),
        ("You get 1 day.", "You get one day."),
        ("Open: 3, 4 and 25.", "Open (three, four and twenty-five)."),
        ("They paid 12500 euros.", "They paid 12,500 euros."),
        ("It is due on the 8th day.", "It is due on the eighth day."),
    ],
)
def test_numbers_are_read_in_digits_and_in_words(said: str, text: str) -> None:
    assert sentence_supported(said, [text], "")
    assert sentence_supported(text, [said], "")
    assert not sentence_supported(said, ["You get seven days. They paid 3 euros. It is due on the ninth day."], "")


def test_a_number_in_a_name_is_no_obstacle() -> None:
    assert sentence_supported("They drive the Mach Five.", ["The Mach Five is what they drive."], "")


def test_words_may_be_spread_over_the_texts() -> None:
    assert sentence_supported("Silver members borrow 4 books.", ["Silver members", "may borrow four books"], "")
    assert not sentence_supported("Silver members borrow 4 books.", [], "")


def test_a_bare_yes_stands_for_the_question() -> None:
    assert sentence_supported("Yes.", ["Dogs are allowed in the office."], "Are dogs allowed in the office?")
    assert not sentence_supported("Yes.", ["Cats are ill."], "Are dogs allowed in the office?")
    assert sentence_supported("Yes, on Fridays.", ["Dogs: Fridays only."], "Are dogs allowed?")
    assert not sentence_supported("Yes, on Mondays.", ["Dogs: Fridays only."], "Are dogs allowed?")


def test_a_denial_in_other_words_is_no_contradiction() -> None:
    assert sentence_supported("You may not smoke indoors.", ["To smoke indoors is forbidden."], "")
    assert not sentence_supported("You may not smoke indoors.", ["You may smoke indoors."], "")
    assert not sentence_supported("You may smoke indoors.", ["You may not smoke indoors."], "")
    assert sentence_supported("You may smoke with approval.", ["You may not smoke without approval."], "")
    assert sentence_supported("You park in the yard.", ["You may not park here, you park in the yard."], "")
    # compared with the sentence that holds what is added, not with one that repeats the question
    texts = ["The canteen is no shop. Smoke in the yard."]
    assert sentence_supported("In the canteen shop you smoke in the yard.", texts, "Do I smoke in the canteen shop?")


def passage(doc_id: str, text: str, section: str = "", page: int | None = None) -> Passage:
    return Passage(doc_id, doc_id, "Handbook", section, page, None, text, 0, 0.5)


def citation(doc_id: str, quote: str, section: str = "", page: int | None = None) -> Citation:
    return Citation(doc_id, doc_id, "Handbook", section, page, None, quote, 0)


PROBATION = passage("a.md", TEXT, "Probation")
LUNCH = passage("b.md", "Lunch is served at noon.", "Canteen")
ANSWER = Answer(
    "t",
    QUESTION,
    QUESTION,
    "answered",
    "The probation is three months. Edith Tarn must give approval.",
    0.9,
    (citation("a.md", "New colleagues have a probation of three months.", "Probation"),),
    (PROBATION, LUNCH),
)
REFUSAL = replace(ANSWER, outcome="abstained", answer="That is not in the documents.", citations=())


def test_groundedness_reads_the_whole_passage_that_is_cited() -> None:
    assert groundedness(ANSWER) == 1
    assert groundedness(replace(ANSWER, passages=())) == 1 / 2  # the quote alone holds the first sentence
    assert groundedness(replace(ANSWER, citations=(citation("b.md", LUNCH.text),))) == 0
    assert groundedness(replace(ANSWER, citations=())) == 0
    assert groundedness(REFUSAL) is None


def test_headings_and_names_of_columns_count_as_cited() -> None:
    table = replace(passage("c.md", "| Leeds | 40 |", "Notice in weeks"), table_header="| Site | Weeks |")
    told = replace(
        ANSWER,
        standalone_question="What about Leeds?",
        answer="The notice is 40 weeks.",
        passages=(table,),
        citations=(citation("c.md", "| Leeds | 40 |", "Notice in weeks"),),
    )
    assert groundedness(told) == citation_precision(told) == 1
    bare = replace(told, citations=(citation("c.md", "| Leeds | 40 |"),), passages=(replace(table, table_header=""),))
    assert groundedness(bare) == citation_precision(bare) == 0


def test_a_citation_is_precise_when_its_own_words_support_a_sentence() -> None:
    assert citation_precision(ANSWER) == 1
    lunch, rest = (
        citation("b.md", LUNCH.text),
        citation("a.md", "It may not be extended without approval by Edith Tarn."),
    )
    assert citation_precision(replace(ANSWER, citations=(*ANSWER.citations, lunch))) == 1 / 2
    assert citation_precision(replace(ANSWER, citations=(rest, lunch))) == 1 / 2
    assert citation_precision(replace(ANSWER, citations=(lunch,))) == 0
    assert citation_precision(REFUSAL) is None


def test_recall_is_the_share_of_gold_documents_cited() -> None:
    assert citation_recall(ANSWER, ["a.md", "b.md"]) == 1 / 2
    assert citation_recall(ANSWER, ["b.md"]) == 0
    assert citation_recall(replace(ANSWER, citations=()), ["a.md"]) == 0
    paged = replace(ANSWER, citations=(citation("in/f.pdf", "x", page=8),))
    assert citation_recall(paged, ["f#p7"]) == 1
    assert citation_recall(paged, ["f#p8"]) == 0
    assert citation_recall(ANSWER, []) is None
    assert citation_recall(REFUSAL, ["a.md"]) is None


def test_a_quote_is_found_word_for_word_in_its_document() -> None:
    assert quote_found(ANSWER.citations[0], ANSWER.passages)
    assert not quote_found(citation("a.md", "New colleagues have a probation of four months."), ANSWER.passages)
    assert not quote_found(citation("b.md", "New colleagues have a probation of three months."), ANSWER.passages)
    assert not quote_found(citation("a.md", ""), ANSWER.passages)
