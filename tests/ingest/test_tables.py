"""Tables as people and our loaders write them, and what only looks like one."""

from __future__ import annotations

import pytest

from ingest.fences import find_fences
from ingest.tables import find_tables

RULE = "| --- | --- |"


def found(text: str) -> list[tuple[str, str]]:
    """(header, rows) of each table."""
    return [(table.header, text[table.body : table.end]) for table in find_tables(text, find_fences(text))]


@pytest.mark.parametrize(
    ("text", "header", "rows"),
    [
        ("| a | b |\n|---|---|\n| 1 | 2 |\n\nafter", f"| a | b |\n{RULE}", "| 1 | 2 |\n"),
        ("a | b\n:-- | --:\n1 | 2\nafter", f"| a | b |\n{RULE}", "1 | 2\n"),
        ("|  a   b | c\\|d |\n| ------- | ---- |\n| 1 | 2 |", f"| a b | c\\|d |\n{RULE}", "| 1 | 2 |"),
        ("|  |  |\n| --- | --- |\n| a | b |\n| 1 | 2 |", f"| a | b |\n{RULE}", "| 1 | 2 |"),  # no header: the first row
        ("| a |  |\n|---|---|\n| 1 | 2 |", f"| a |  |\n{RULE}", "| 1 | 2 |"),
        ("x\n<TABLE class='c'><tr><th>a<th>b &lt; c</tr>\n<tr><td>1", "", ""),  # never closed
        (
            "<table>\n<tr><th>a</th>\n<td><b>b</b>\n</td></tr>\n<tr><td>1</td></tr></table>",
            f"| a | b |\n{RULE}",
            "<tr><td>1</td></tr></table>",
        ),
    ],
)
def test_header_and_rows(text: str, header: str, rows: str) -> None:
    assert found(text) == ([(header, rows)] if header else [])


@pytest.mark.parametrize(
    "text",
    [
        "a\n---\nb | c",  # a heading
        "| a | b |\n| 1 | 2 |",  # no rule
        "|---|---|\n| 1 | 2 |",  # no header
        "\n| --- |\n",
        "## a | b\n|---|---|\n| 1 | 2 |",
        "```\n| a | b |\n|---|---|\n| 1 | 2 |\n```",
        "```\n<table><tr><td>1</table>\n```",
        "<table></table>",
    ],
)
def test_no_table(text: str) -> None:
    assert found(text) == []


def test_tables_one_after_the_other_are_two() -> None:
    text = "| a | b |\n|---|---|\n| 1 | 2 |\n\n| c | d |\n|---|---|\n| 3 | 4 |\n"
    assert found(text) == [(f"| a | b |\n{RULE}", "| 1 | 2 |\n"), (f"| c | d |\n{RULE}", "| 3 | 4 |\n")]


def test_the_cells_of_a_wide_header_are_shortened() -> None:
    names = [f"column {number} with a long name" for number in range(30)]
    [(header, _)] = found(f"| {' | '.join(names)} |\n{'|---' * 30}|\n| 1 |")
    first_row, _ = header.split("\n")
    assert len(first_row) < 530
    assert first_row.startswith("| column 0 with | column 1 with |")
