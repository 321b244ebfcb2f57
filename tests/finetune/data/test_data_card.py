"""The figures of the data card, counted by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from finetune.data.card import data_card, licence
from finetune.data.examples import Example
from ragvoice.datatypes import Message, Passage

SAID = (Message("user", "Hello"), Message("agent", "Yes?"))


def passage(doc_id: str, text: str) -> Passage:
    return Passage(doc_id, doc_id, "", "", None, None, text, 0, 0.5)


A, B, C = passage("a", "Leave is 25 days."), passage("b", "Pay | day is the 26th."), passage("c", "word " * 100)
FIRST = Example("1", "How many days?", (B, A), "25", "short", source="set", document="a")
REFUSED = Example("2", "How many cars?", (B,), "That is not in the documents.", "short", SAID, True, "set", "b")
LONG = Example("3", "Which word?", (C,), "The word is word, and so on.", "spoken", source="log", document="c")


def card(**changes: object) -> str:
    parts = {"train": [FIRST, REFUSED], "validation": [LONG], "test": []}
    values = {"count_tokens": lambda text: len(text.split()), "digest": "d1e5", **changes}
    return data_card(parts, {"passage not found": 3, "a|b": 20}, **values)  # type: ignore[arg-type]


def test_parts_and_sources_are_counted() -> None:
    text = card()
    assert "`d1e5`" in text
    # examples, refusals, follow-ups, documents, different passages
    assert "| train | 2 | 1 (50%) | 1 | 2 | 2 |" in text
    assert "| validation | 1 | 0 (0%) | 0 | 1 | 1 |" in text
    assert "| test | 0 | 0 | 0 | 0 | 0 |" in text
    # source, style, train, validation, test, refusals
    assert "| log | spoken | 0 | 1 | 0 | 0 (0%) |" in text
    assert "| set | short | 2 | 0 | 0 | 1 (50%) |" in text
    assert "| 1 | 2 |\n| 2 | 1 |" in text  # two examples over one passage, one over two


def test_lengths_are_in_tokens_of_the_model() -> None:
    # Answers of 1, 6 and 7 words: the 95th percentile lies 0.9 of the way from 6 to 7.
    assert "| answer | 6 | 7 | 7 |" in card()
    assert "| question | 3 | 3 | 3 |" in card()
    prompts = next(line for line in card().splitlines() if line.startswith("| prompt |"))
    assert int(prompts.split("|")[4]) > 100
    assert "| answer | 12 | 14 | 14 |" in card(count_tokens=lambda text: 2 * len(text.split()))


def test_what_was_left_out_comes_with_the_most_first_and_cells_are_escaped() -> None:
    assert "| a\\|b | 20 |\n| passage not found | 3 |" in card()


def test_samples_of_each_kind_are_shortened() -> None:
    text = card()
    assert "### set, short, answered\n" in text
    assert "### set, short, refused\n" in text
    assert "log" not in text.split("## Samples")[1]  # it is in the validation part
    assert "- **How many days?**\n  - answer: 25\n  - its passage, of 2: Leave is 25 days." in text
    assert "- user: Hello\n- agent: Yes?\n- **How many cars?**" in text
    many = [replace(FIRST, id=f"{n}", passages=(replace(C, doc_id="a"),)) for n in range(9)]
    shown = data_card({"train": many}, {}, count_tokens=len, digest="").split("## Samples")[1]
    assert shown.count("**How many days?**") == 3
    assert "word …" in shown
    assert max(map(len, shown.splitlines())) < 300


def test_a_card_of_nothing_is_still_a_card() -> None:
    text = data_card({"train": []}, {}, count_tokens=len, digest="x", name="tiny", made="2026-11-24")
    assert text.startswith("# Data card of tiny\n\nMade 2026-11-24. ")
    assert "Nothing." in text


def test_licences_come_from_the_source_file(tmp_path: Path) -> None:
    inner = tmp_path / "set" / "documents"
    inner.mkdir(parents=True)
    assert licence(inner) == ""
    (tmp_path / "set" / "SOURCE.txt").write_text(
        "A set.\nLicence: CC BY 4.0.\nSplit by article.\nText for research use."
    )
    assert licence(inner) == licence(inner.parent) == "Licence: CC BY 4.0. Text for research use."
    assert "| set | CC BY 4.0 |" in card(sources={"set": "CC BY 4.0"})


def test_without_one_a_licence_comes_from_the_licence_file(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    (tmp_path / "LICENSE").write_text("\n      Apache License\n   Version 2.0, January 2004\n\n 1. Definitions.\n")
    assert licence(folder) == "Apache License, Version 2.0, January 2004"
    (folder / "SOURCE.txt").write_text("Written by us.\n")
    assert licence(folder) == "Apache License, Version 2.0, January 2004"
    (folder / "SOURCE.txt").write_text("Written by us.\nPublic domain.\n")
    assert licence(folder) == "Public domain."
