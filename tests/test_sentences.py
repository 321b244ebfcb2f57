from __future__ import annotations

import random

import pytest

from ragvoice.sentences import SentenceStream, split_sentences

TEXT = (
    'Hi. See e.g. Dr. J. Smith at 1,250.50 euros, v2.3. Then go! Really? "No." He left. No. 5 is here. I said no. '
    "Fine.\n\nSteps:\n1. Do this first.\n2. Do that\n- x y\n\n# End\nU.S. law applies etc. and more… Is it 5. Maybe? "
    "www.acme.com is up."
)


def sentences(text: str) -> list[str]:
    return [text[start:end] for start, end in split_sentences(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One. Two! Three?", ["One.", "Two!", "Three?"]),
        ("See e.g. the guide. Then i.e. ask.", ["See e.g. the guide.", "Then i.e. ask."]),
        ("Ask Dr. Smith. He knows.", ["Ask Dr. Smith.", "He knows."]),
        ("It costs 1,250.50 EUR. OK.", ["It costs 1,250.50 EUR.", "OK."]),
        ("Use v2.3. It works.", ["Use v2.3.", "It works."]),
        ("Ask J. R. Smith. Now.", ["Ask J. R. Smith.", "Now."]),
        ("The limit is 5. Then stop.", ["The limit is 5.", "Then stop."]),
        ("See No. 5. I said no. Fine.", ["See No. 5.", "I said no.", "Fine."]),
        ('He said "Stop." Then he left.', ['He said "Stop."', "Then he left."]),
        ("**Yes.** It is.", ["**Yes.**", "It is."]),
        ("Steps:\n1. Go there\n2. Sit", ["Steps:", "1. Go there", "2. Sit"]),
        ("A heading\n\nA text", ["A heading", "A text"]),
        ("wrapped\nlines stay. together", ["wrapped\nlines stay. together"]),
        ("日本語です。次。", ["日本語です。", "次。"]),
        ("", []),
        (" \n ", []),
    ],
)
def test_where_sentences_end(text: str, expected: list[str]) -> None:
    assert sentences(text) == expected


@pytest.mark.parametrize("seed", range(20))
def test_a_stream_cuts_like_the_whole_text(seed: int) -> None:
    generator = random.Random(seed)
    stream, found, position = SentenceStream(), [], 0
    while position < len(TEXT):
        size = generator.randint(1, 9)
        found += stream.feed(TEXT[position : position + size])
        position += size

    assert found + stream.flush() == sentences(TEXT)


def test_a_sentence_comes_with_the_first_letter_of_the_next() -> None:
    stream = SentenceStream()

    assert stream.feed("You get 25 days.") == []
    assert stream.feed(" ") == []
    assert stream.feed("P") == ["You get 25 days."]
    assert stream.flush() == ["P"]
    assert stream.flush() == []


def test_a_long_first_sentence_is_given_by_clauses_and_only_the_first() -> None:
    long = "If you work part time in the Dublin office, your leave is counted in hours, and not in days. "
    stream = SentenceStream(first_clause_words=12)

    found = [sentence for word in (long + long).split(" ") for sentence in stream.feed(word + " ")]
    found += stream.flush()

    assert found == [
        "If you work part time in the Dublin office,",
        "your leave is counted in hours, and not in days.",
        long.strip(),
    ]


def test_a_short_clause_is_not_torn_off() -> None:
    stream = SentenceStream(first_clause_words=12)

    assert stream.feed("Yes, everybody who has worked here for more than one whole calendar year gets it") == []
