"""Follow-ups bring along what they point at; questions that stand alone stay as they are."""

from __future__ import annotations

import pytest

from ragvoice.datatypes import Message, Passage
from ragvoice.generation.followup import TOPIC_CHANGE, leans_on_history, search_follow_up, standalone_question

ALONE = "How many days of parental leave does a birth parent get in Poland?"
HISTORY = (Message("user", ALONE), Message("agent", "20 weeks."))


@pytest.mark.parametrize("question", ["And in Leeds?", "What about the other parent there?", "Who pays it?", "Why?"])
def test_a_follow_up_brings_the_question_before_it(question: str) -> None:
    assert leans_on_history(question)
    assert standalone_question(question, HISTORY) == f"{ALONE} {question}"


def test_a_question_that_stands_alone_is_not_changed() -> None:
    question = "Which printer on the second floor of the Leeds office prints labels?"
    assert standalone_question(f"  {question}\n", HISTORY) == question


def test_without_history_nothing_is_added() -> None:
    assert standalone_question("And in Leeds?", ()) == "And in Leeds?"
    assert standalone_question("And in Leeds?", (Message("agent", "Hello."), Message("user", "  "))) == "And in Leeds?"


def test_a_chain_goes_back_to_the_question_that_stood_alone() -> None:
    history = (Message("user", "Older and not needed at all, said the visitor of the house."), *HISTORY)
    history = (*history, Message("user", "And in Leeds?"), Message("agent", "52 weeks."))
    assert standalone_question("Who pays it?", history) == f"{ALONE} And in Leeds? Who pays it?"


def test_a_long_chain_keeps_its_newest_questions() -> None:
    history = [*HISTORY, *(Message("user", f"And in {place}?") for place in ("Leeds", "Gdansk", "Lyon"))]
    assert standalone_question("And in Ghent?", history) == "And in Leeds? And in Gdansk? And in Lyon? And in Ghent?"


def test_the_answers_are_never_searched_for() -> None:
    assert "20 weeks" not in standalone_question("And in Leeds?", HISTORY)


def searcher(**similarity: float):  # type: ignore[no-untyped-def]
    """Finds one passage for each query, as near as is said for the first word of it; and what it was asked for."""
    asked: list[str] = []

    def search(query: str) -> list[Passage]:
        asked.append(query)
        near = similarity[query.split()[0].lower()]
        return [
            Passage(query, "", "", "", None, None, "", 0, 0.5, near - 0.2),
            Passage("", "", "", "", None, None, "", 0, 0.4, near),
        ]

    return search, asked


def test_a_follow_up_is_searched_for_with_what_it_leans_on() -> None:
    search, asked = searcher(how=0.6, who=0.5)
    query, found = search_follow_up("Who pays it?", HISTORY, search)
    assert query == f"{ALONE} Who pays it?"
    assert found[0].doc_id == query
    assert asked == [query, "Who pays it?"]


@pytest.mark.parametrize(("lead", "changed"), [(TOPIC_CHANGE - 0.01, False), (TOPIC_CHANGE + 0.01, True)])
def test_a_question_that_fits_about_as_well_alone_has_changed_the_topic(lead: float, changed: bool) -> None:
    search, _ = searcher(how=0.5, who=0.5 + lead)
    query, found = search_follow_up(" Who leads the laboratory? ", HISTORY, search)
    assert query == ("Who leads the laboratory?" if changed else f"{ALONE} Who leads the laboratory?")
    assert found[0].doc_id == query


def test_a_question_that_stands_alone_is_searched_for_once() -> None:
    search, asked = searcher(which=0.5)
    question = "Which printer on the second floor of the Leeds office prints labels?"
    assert search_follow_up(question, HISTORY, search)[0] == question
    assert asked == [question]


def test_nothing_found_is_no_change_of_topic() -> None:
    assert search_follow_up("Who pays it?", HISTORY, lambda query: []) == (f"{ALONE} Who pays it?", [])
