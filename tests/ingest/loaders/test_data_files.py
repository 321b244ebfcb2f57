"""CSV and JSON: tables stay tables, every value keeps its key."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ingest.loaders import LoadOptions, load
from ingest.loaders.delimited import separator_of
from ragvoice.datatypes import Place
from ragvoice.errors import DocumentError


def text_of(folder: Path, name: str, data: str) -> str:
    (folder / name).write_text(data, encoding="utf-8")
    return "\n---\n".join(page.page_content for page in load(folder / name))


@pytest.mark.parametrize(
    ("text", "separator"),
    [
        ("a,b\n1,2\n", ","),
        ('a;b\n"1,5";2\n"1,6";3\n', ";"),
        ("a\tb\n1, 2\t3\n", "\t"),
        ("a|b|c\n1|2|3\n", "|"),
        ("a,b,c\n1,2\n1,2,3,4\n", ","),
        ("Name\nAda\nBob\n", None),
        ("A sentence, with a comma.\nAnother one without.\nAnd a third.\n", None),
    ],
)
def test_the_separator_is_found(text: str, separator: str | None) -> None:
    assert separator_of(text) == separator


def test_rows_of_any_length_quotes_and_titles(tmp_path: Path) -> None:
    assert text_of(tmp_path, "a.csv", 'Rates 2026,,\nGrade,Rate\nA,"1|2\nand 3"\nB,4,5\n\n') == (
        "Rates 2026\n\n| Grade | Rate |  |\n| --- | --- | --- |\n| A | 1\\|2 and 3 |  |\n| B | 4 | 5 |"
    )


def test_an_open_quote_does_not_swallow_the_rest(tmp_path: Path) -> None:
    assert text_of(tmp_path, "a.tsv", 'size\tname\n5"\tpipe\n6\ttube\n').endswith("| 6 | tube |")


def test_many_rows_are_fine_and_too_many_are_refused(tmp_path: Path) -> None:
    rows = "\n".join(f"{number},x" for number in range(20_000))
    assert text_of(tmp_path, "a.csv", f"a,b\n{rows}").count("\n") == 20_001
    with pytest.raises(DocumentError, match="more text than the limit"):
        list(load(tmp_path / "a.csv", LoadOptions(max_characters=1_000)))


def test_records_are_a_table_and_objects_an_outline(tmp_path: Path) -> None:
    assert text_of(tmp_path, "a.json", '[{"site": "Leeds", "days": 25}, {"site": "York", "open": true}]') == (
        "| site | days | open |\n| --- | --- | --- |\n| Leeds | 25 |  |\n| York |  | true |"
    )
    nested = {"name": "Gate", "hours": {"mon": [8, 18], "rules": [{"a": {"b": None}}]}}
    assert text_of(tmp_path, "b.json", json.dumps(nested)) == (
        "- name: Gate\n\n## hours\n\n- mon: 8, 18\n- rules:\n  -\n    - a:\n      - b:"
    )


def test_json_that_is_none_is_still_text(tmp_path: Path) -> None:
    assert text_of(tmp_path, "a.json", '{"a": 1, // remark\n}') == '{"a": 1, // remark\n}'
    deep = "[" * 100_000
    assert text_of(tmp_path, "b.json", deep) == deep


def test_lines_are_a_table_or_documents_with_their_line(tmp_path: Path) -> None:
    assert text_of(tmp_path, "a.jsonl", '{"a": 1}\n{"a": 2}\n').startswith("| a |\n| --- |\n| 1 |")
    long = {"title": "Leave", "text": "Days. " * 100}
    (tmp_path / "b.jsonl").write_text(f"{json.dumps(long)}\n\nnot json\n")
    first, second = load(tmp_path / "b.jsonl")
    assert first.metadata["place"] == Place("line", 1)
    assert first.page_content.startswith("- title: Leave\n- text: Days.")
    assert (second.metadata["place"], second.page_content) == (Place("line", 3), "not json")


def test_a_notebook_is_its_cells(tmp_path: Path) -> None:
    cells = [{"cell_type": "markdown", "source": ["# Title"]}, {"cell_type": "code", "source": "x = 1"}]
    notebook = json.dumps({"nbformat": 4, "cells": cells})
    assert text_of(tmp_path, "a.ipynb", notebook) == "# Title\n\n```\nx = 1\n```"
