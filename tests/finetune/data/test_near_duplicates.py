"""Resemblance of shingles, and what of it may not stand on both sides of a split."""

from __future__ import annotations

import random

import pytest

from finetune.data.examples import Example
from finetune.data.near_duplicates import resembling, without_leaks
from ragvoice.datatypes import Message, Passage

ALPHABET = "a b c d e f g h i j"


@pytest.mark.parametrize(
    ("text", "words", "alike", "expected"),
    [
        (ALPHABET, 3, 1.0, True),
        (ALPHABET.upper().replace(" ", ", "), 3, 1.0, True),  # capitals and commas are no words
        # One word more at the end: 8 shingles shared of 9.
        (f"{ALPHABET} k", 3, 8 / 9, True),
        (f"{ALPHABET} k", 3, 0.89, False),
        # The sixth word replaced breaks 3 of 8 shingles: 5 shared of 11.
        ("a b c d e x g h i j", 3, 5 / 11, True),
        ("a b c d e x g h i j", 3, 0.46, False),
        # The same words in another order: the same set of single words.
        ("j i h g f e d c b a", 1, 1.0, True),
        ("j i h g f e d c b a", 3, 0.01, False),
        ("a b", 3, 0.1, False),
        ("", 3, 0.1, False),
    ],
)
def test_resemblance_is_jaccard_of_shingles(text: str, words: int, alike: float, expected: bool) -> None:
    assert resembling([text, "something else altogether"], ["k l m n", ALPHABET], words, alike) == [expected, False]


def example(id_: str, question: str, text: str, document: str, *, history: str = "", distractor: str = "") -> Example:
    passages = [Passage(document, "", "", "", None, None, text, 0, 0.5)]
    if distractor:
        passages.insert(0, Passage("other", "", "", "", None, None, distractor, 0, 0.5))
    said = (Message("user", history), Message("agent", "Yes.")) if history else ()
    return Example(id_, question, tuple(passages), "25", "short", said, document=document)


def test_what_is_held_out_leaves_the_training() -> None:
    policy = "Claims must be handed in within forty five days after the end of the trip to be refunded"
    held_out = [
        example("h", "When must claims be handed in?", policy, "new.pdf", distractor="Lunch is at noon in the hall")
    ]
    examples = [
        example("copy", "How late may I be?", f"{policy} by bank", "old.pdf"),
        example("question", "When must the claims be handed in?", "Ask the travel desk for a form", "desk.md"),
        # Only a distractor is shared: the model learns nothing that the held-out question asks for.
        example("kept", "When is lunch?", "Lunch is at noon in the hall", "hall.md"),
        example("fine", "Who pays?", "The company pays", "pay.md", distractor=policy),
    ]
    kept, dropped = without_leaks(examples, held_out)
    assert [one.id for one in kept] == ["kept", "fine"]
    assert dropped == {"its passage is held out, too": 1, "its question is held out, too": 1}


def test_a_follow_up_is_the_same_only_after_the_same_words() -> None:
    held_out = [
        example("h", "And in Poland?", "Poland has 26 days", "a.md", history="How many days of leave are there?")
    ]
    after_pay = example("1", "And in Poland?", "Salaries arrive on the 28th", "b.md", history="When is pay day?")
    after_leave = example("2", "And in Poland?", "Something new", "c.md", history="How many days of leave are there?")
    assert without_leaks([after_pay, after_leave], held_out)[0] == [after_pay]


def test_the_filter_by_rare_shingles_misses_no_pair() -> None:
    chance = random.Random(7)
    texts, held_out = (
        [" ".join(chance.choices("abcdefghijklmnop", k=chance.randint(4, 8))) for _ in range(80)] for _ in range(2)
    )
    for words, alike in ((1, 0.5), (1, 0.7), (2, 0.2)):
        grams = [[_grams(text, words) for text in several] for several in (texts, held_out)]
        expected = [any(len(a & b) >= alike * len(a | b) for b in grams[1]) for a in grams[0]]
        assert 0 < sum(expected) < len(expected)
        assert resembling(texts, held_out, words, alike) == expected


def _grams(text: str, words: int) -> set[tuple[str, ...]]:
    found = text.split()
    return {tuple(found[i : i + words]) for i in range(max(1, len(found) - words + 1))}
