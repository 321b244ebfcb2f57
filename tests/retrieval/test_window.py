"""The window holds the sentences that speak of what is asked."""

from __future__ import annotations

from ragvoice.retrieval.window import best_window

TEXT = (
    "The office opens at eight. Parking is free for visitors. Annual leave is 25 days a year. "
    "It cannot be carried over. The canteen closes at three."
)


def count(text: str) -> int:
    return len(text.split())


def window(question: str, max_tokens: int, text: str = TEXT) -> str:
    start, end = best_window(question, text, count, max_tokens)
    return text[start:end]


def test_the_sentence_with_the_words_of_the_question() -> None:
    assert window("How many days of annual leave?", 7) == "Annual leave is 25 days a year."


def test_words_count_by_their_stem() -> None:
    assert window("Where can a visitor park?", 5) == "Parking is free for visitors."


def test_neighbours_fill_the_window_up_to_its_size() -> None:
    found = window("How many days of annual leave?", 12)
    assert "Annual leave is 25 days a year." in found
    assert 7 < count(found) <= 12


def test_a_word_that_many_sentences_have_weighs_less() -> None:
    text = "Leave is paid. Leave is planned. Leave is agreed. Sickness is reported at once."
    assert window("leave sickness", 5, text) == "Sickness is reported at once."


def test_a_sentence_longer_than_the_window_is_taken_whole() -> None:
    assert window("canteen", 2, "The canteen closes at three.") == "The canteen closes at three."


def test_nothing_to_choose_from() -> None:
    assert best_window("canteen", "", count, 10) == (0, 0)
