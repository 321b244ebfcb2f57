"""Examples come back from their files as they were; damaged files are named."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from finetune.data.examples import PASSAGES, Example, data_hash, passage_key, read_part, write_parts
from ragvoice.datatypes import Message, Passage, Place
from ragvoice.errors import UsageError

A = Passage("a", "a.pdf", "Leave", "Annual", 3, Place("page", 3), "25 days\u2028 a year", 7, 0.5, table_header="| x |")
B = Passage("b", "b.md", "Pay", "", None, None, "On the 26th.", 0, 0.4)
ANSWERED = Example("1", "Wie viele Tage?", (B, A), "25 days", "short", accepted=("25 days", "25"), document="a")
SAID = (Message("user", "Leave?"), Message("agent", "25 days."))
REFUSED = Example("2", "And cars?", (A,), "That is not in the documents.", "spoken", SAID, True, "set", "a")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_parts(tmp_path, {"train": [ANSWERED, REFUSED], "validation": [REFUSED], "test": []})
    return tmp_path


def test_what_was_written_is_read(folder: Path) -> None:
    assert read_part(folder, "train") == [ANSWERED, REFUSED]
    assert read_part(folder, "validation") == [REFUSED]
    assert read_part(folder, "test") == []


def test_a_passage_stands_in_its_file_once(folder: Path) -> None:
    keys = [json.loads(line)["key"] for line in (folder / PASSAGES).read_text().split("\n") if line]
    assert sorted(keys) == sorted([passage_key(A), passage_key(B)])


def test_the_key_is_of_what_the_prompt_shows() -> None:
    assert passage_key(A) == passage_key(replace(A, score=0.1, similarity=0.2, start_index=0))
    for change in ({"text": "24 days"}, {"section": "Sick"}, {"table_header": ""}, {"title": ""}, {"doc_id": "c"}):
        assert passage_key(A) != passage_key(replace(A, **change))  # type: ignore[arg-type]


def test_the_hash_changes_with_every_file(folder: Path) -> None:
    before = data_hash(folder)
    assert before == data_hash(folder)
    for name in ("train.jsonl", "validation.jsonl", "test.jsonl", PASSAGES):
        text = (folder / name).read_text()
        (folder / name).write_text(text + "\n")
        assert data_hash(folder) != before, name
        (folder / name).write_text(text)
    (folder / "card.md").write_text("x")
    assert data_hash(folder) == before
    (folder / "test.jsonl").unlink()
    assert data_hash(folder) != before


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("train.jsonl", "{", "train.jsonl, line 1, is not JSON"),
        ("train.jsonl", "[]", "train.jsonl, line 1, is no JSON object"),
        ("train.jsonl", '{"id": "1"}', "train.jsonl, example 1, is damaged"),
        ("train.jsonl", '{"id": "1", "passages": ["gone"], "history": [], "accepted": []}', "damaged .*gone"),
        (PASSAGES, "7", "passages.jsonl, line 1, is no JSON object"),
        (PASSAGES, '{"text": "no key"}', "passages.jsonl holds no passage"),
        (PASSAGES, '{"key": "k", "text": "no document"}', "passages.jsonl holds no passage"),
    ],
)
def test_what_is_damaged_is_named(folder: Path, file: str, text: str, said: str) -> None:
    (folder / file).write_text(text)
    with pytest.raises(UsageError, match=said):
        read_part(folder, "train")


def test_so_is_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"has no passages\.jsonl.*ragvoice finetune data"):
        read_part(tmp_path, "train")
