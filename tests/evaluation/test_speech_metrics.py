"""Errors of recognition, by hand and against the published cases of jiwer and of Whisper's normaliser."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from ragvoice.evaluation.speech_metrics import (
    Errors,
    entity_errors,
    kept_meaning,
    names,
    normalise,
    number_errors,
    numbers,
    pooled,
    vocabulary_errors,
    wer,
    word_errors,
)

PUBLISHED = Path(os.environ.get("RAGVOICE_EVAL_DATA", "../shared/data")) / "wer"


def published(name: str) -> list[dict[str, Any]]:
    file = PUBLISHED / name
    if not file.is_file():
        pytest.skip(f"{name} is not there; RAGVOICE_EVAL_DATA names the folder of the public sets")
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def joined(text: str | list[str]) -> str:
    return text if isinstance(text, str) else " ".join(text)


def test_the_word_error_rate_agrees_with_the_published_cases() -> None:
    cases = published("jiwer_cases.jsonl")
    assert len(cases) > 10
    for case in cases:
        assert wer(joined(case["reference"]), joined(case["hypothesis"])) == pytest.approx(case["wer"]), case


def test_normalisation_agrees_with_the_published_cases() -> None:
    cases = published("whisper_normalizer_pairs.jsonl")
    assert len(cases) > 20
    for case in cases:
        assert normalise(case["input"]) == case["expected"]


def test_word_errors_by_hand() -> None:
    # how many days off do I get / how many DAZE off [ ] I get NOW: one substituted, one deleted, one inserted, of 7
    errors = word_errors("How many days off do I get?", "how many daze off I get now")
    assert errors == Errors(3, 7)
    assert errors.rate == pytest.approx(3 / 7)
    assert wer("I don't have twenty-five Euros.", "i do not have 25 euros") == 0
    assert word_errors("Who signs?", "") == Errors(2, 2)


def test_words_where_nobody_spoke_are_all_wrong() -> None:
    assert word_errors("", "Thank you.") == Errors(2, 0)
    assert wer("", "Thank you.") == 1
    assert wer("", "") == 0


def test_pooling_weighs_by_length() -> None:
    total = pooled([Errors(1, 2), Errors(0, 8), Errors(0, 0)])
    assert total == Errors(1, 10)
    assert total.rate == pytest.approx(0.1)
    assert pooled([]).rate is None


@pytest.mark.parametrize(
    ("written", "spoken", "values"),
    [
        ("1,250.50 EUR", "one thousand two hundred and fifty euros and fifty cents", ["1250.5"]),
        ("at 10:30", "at ten thirty", ["1030"]),
        ("8:00", "eight o'clock", ["8"]),
        ("25 %", "twenty five percent", ["25"]),
        ("2025-03-01", "March first, twenty twenty five", ["1", "2025"]),
        ("10-15 days", "ten to fifteen days", ["10", "15"]),
        ("Q3", "the third quarter", ["3"]),
        ("section 1", "section one", ["1"]),
        ("extension 4460", "extension forty four sixty", ["4460"]),
        ("no numbers", "no numbers", []),
    ],
)
def test_a_number_is_the_same_written_and_spoken(written: str, spoken: str, values: list[str]) -> None:
    assert numbers(written) == values
    assert numbers(spoken) == values


def test_lost_numbers() -> None:
    assert number_errors("From 15 to 50 in 2025", "from fifteen to fifteen in twenty twenty five") == Errors(1, 3)
    assert number_errors("within 30 days", "within thirty days") == Errors(0, 1)
    assert number_errors("within days", "within 30 days") == Errors(0, 0)


def test_names_are_capitals_within_a_sentence_acronyms_and_codes() -> None:
    assert names("How does Edith Tarn's KB-200 work? Ask HR. I think I'm in Gdańsk.") == [
        "Edith",
        "Tarn",
        "KB-200",
        "HR",
        "Gdańsk",
    ]
    assert names("VPN first. What is it?") == ["VPN"]
    assert names("It costs 1,250.50 EUR.") == []


def test_lost_names() -> None:
    assert entity_errors("Who is Edith Tarn?", "Who is Edith Tharn?") == Errors(1, 2)
    assert entity_errors("Is the KB-200 in Gdańsk?", "is the kb 200 in gdansk") == Errors(0, 2)
    assert entity_errors("Is the MailTrap in Leeds?", "is the mail trap in leads") == Errors(1, 2)
    # a name inside a longer word is not heard
    assert entity_errors("Is it in Leeds?", "proceeds is misleeds") == Errors(1, 1)


@pytest.mark.parametrize(
    ("said", "heard", "kept"),
    [
        ("You get 25 days.", "you get twenty five days", (True, True, True)),
        ("You get 15 days.", "you get fifty days", (False, True, True)),
        ("You get 15 days.", "you get 15 or 15 days", (False, True, True)),
        ("You can't carry it over.", "You can carry it over.", (True, False, True)),
        ("You can carry it over.", "You can't carry it over.", (True, False, True)),
        ("No, nobody may.", "no nobody may", (True, True, True)),
        ("That is not in the documents.", "that is not in the documents", (True, True, True)),
        ("That is not in the documents.", "That is in the documents.", (True, False, False)),
        ("That is in the handbook.", "That is not in the documents.", (True, False, False)),
    ],
)
def test_whether_the_meaning_arrives(said: str, heard: str, kept: tuple[bool, bool, bool]) -> None:
    found = kept_meaning(said, heard)
    assert (found.numbers, found.negations, found.refusal) == kept
    assert found.whole == all(kept)


def test_of_two_own_words_one_is_misheard() -> None:
    words = ("Tarnfeld", "DL-8", "Skelder")
    said = "Does Tarnfeld's DL-8 beat the other DL-8s?"

    assert vocabulary_errors(said, "Does tarn felt's DL eight beat the other DL 8s?", words) == Errors(1, 3)
    assert vocabulary_errors(said, said, words) == Errors(0, 3)
    assert vocabulary_errors("Nothing of it.", "Tarnfeld", words) == Errors(0, 0)
