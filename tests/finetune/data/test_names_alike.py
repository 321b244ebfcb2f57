"""Which names are found, and which can stand for one another."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from finetune.data.names import Names, names_in

PLACES = {"Leeds", "Gdansk", "Bergen", "Rotterdam", "Netherlands"}


def embed(texts: list[str]) -> Sequence[Sequence[float]]:
    """Places on one axis, everything else on the other."""
    return [[1.0, 0.0] if text in PLACES else [0.0, 1.0] for text in texts]


def found(text: str) -> list[str]:
    return [text[start:end] for start, end in names_in(text)]


def test_runs_of_capitals_within_a_sentence_are_names() -> None:
    assert found("Who built the Bank of England for Ada Lovelace's uncle in London? The end.") == [
        "Bank of England", "Ada Lovelace", "London",
    ]  # fmt: skip


def test_the_first_word_of_a_sentence_and_capital_stop_words_are_none() -> None:
    assert found("Leeds is far. It is The place. Gdansk, too.") == []


def test_the_alike_stand_close_and_in_the_same_places() -> None:
    texts = ["We work in Gdansk. They work in Bergen and by Pebble.", "It is in Rotterdam, near Leeds."]
    names = Names(texts, embed)
    # Leeds was never seen behind "in", Pebble is no place.
    assert names.alike("Gdansk", "in") == ["Bergen", "Rotterdam"]
    assert names.alike("Oslo", "in") == []


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("They left in Bergen Road.", "as many words"),
        ("They live in Netherlands.", "plural or not"),
        ("They live in the Rotterdam.", "an article or not"),
        ("They sat in Rotterdam trains.", "no adjective"),
        ("They live in Rotterdam. Every rotterdam is a rotterdam.", "no common word"),
    ],
)
def test_what_cannot_stand_there_does_not(text: str, why: str) -> None:
    assert Names(["We work in Gdansk.", text], embed).alike("Gdansk", "in") == [], why


def test_names_of_several_words_share_one() -> None:
    texts = ["She is of Trinity College. He is of Baliol College. They are of Magdalen Bridge."]
    assert Names(texts, embed).alike("Trinity College", "of") == ["Baliol College"]
