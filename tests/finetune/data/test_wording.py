"""Capitals and articles as the documents have them."""

from __future__ import annotations

from finetune.data.wording import Wording

TEXT = (
    "The notice is short, and notice is given in writing. They moved from the Netherlands to Poland. "
    "Ask in the Netherlands, or across Poland. We use Pebble and Pebble only; a pebble is a stone. See https://x.example/oslo"
)
WORDING = Wording([TEXT])


def test_a_word_is_common_when_it_is_mostly_written_small() -> None:
    assert WORDING.is_common("Notice")
    assert not WORDING.is_common("Pebble")
    assert not WORDING.is_common("Oslo")  # an address is no sentence


def test_a_heading_is_lowered_where_its_words_are_common() -> None:
    assert WORDING.lowered("Notice Pebble IT") == "notice Pebble IT"
    assert WORDING.is_phrase("Notice IT")
    assert not WORDING.is_phrase("Notice Poland")


def test_a_name_has_the_article_that_it_mostly_has() -> None:
    assert WORDING.named("Netherlands") == "the Netherlands"
    assert WORDING.named("Netherlands, other places") == "the Netherlands, other places"
    assert WORDING.named("Poland") == "Poland"
    assert WORDING.named("Notice given") == "notice given"
    assert WORDING.named("SV-CAL") == "SV-CAL"
