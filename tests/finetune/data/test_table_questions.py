"""Cells of tables as questions: few, and grammatical."""

from __future__ import annotations

import pytest

from finetune.data.table_questions import Cell, cell_questions
from finetune.data.wording import Wording
from ragvoice.datatypes import Passage

WORDING = Wording(
    ["the limit per night, the rate and the notice in the Netherlands and in London; note, contact, amount, approver"]
)


def passage(text: str, header: str = "", start: int = 0) -> Passage:
    return Passage("a.md", "a.md", "Travel", "Hotels", None, None, text, start, 0.0, table_header=header)


def table(*rows: str) -> str:
    width = rows[0].count("|")
    return "\n".join([f"| {rows[0]} |", "|" + " --- |" * (width + 1), *(f"| {row} |" for row in rows[1:])])


def cells(*texts: str) -> list[Cell]:
    return list(cell_questions([passage(text) for text in texts], WORDING))


def asked(*texts: str) -> list[tuple[str, str, str]]:
    return [(cell.question, cell.value, cell.sentence) for cell in cells(*texts)]


def test_a_cell_is_asked_for_by_its_column_and_row() -> None:
    hotels = table("Place | Limit per night", "London | £165", "Netherlands | ask the desk")
    assert asked(f"The limits:\n\n{hotels}\n\nEnd.") == [
        ("What is the limit per night for London?", "£165", "The limit per night for London is £165."),
        ("What is the limit per night for the Netherlands?", "ask the desk", ""),
    ]
    assert [cell.line for cell in cells(hotels)] == ["| London | £165 |", "| Netherlands | ask the desk |"]


def test_a_table_that_goes_on_in_the_next_chunk_is_one_table() -> None:
    header = "| Place | Rate |\n| --- | --- |"
    first = passage(f"{header}\n| London | £1 |\n| Leeds | £2 |")
    second = passage("| Leeds | £2 |\n| Oslo | £3 |", header, 40)  # one row of overlap
    found = list(cell_questions([first, second], WORDING))
    assert [(cell.value, cell.passage.start_index) for cell in found] == [("£1", 0), ("£2", 0), ("£3", 40)]


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        (("Place | Approved by", "London | Ada", "Oslo | Bo"), "the column is no noun"),
        (("Place | Notes", "London | nice", "Oslo | far"), "it says nothing"),
        (("Meal | London | Netherlands", "Lunch | £1 | EUR 2", "Dinner | £3 | EUR 4"), "the columns are names"),
        (("Place | Rate | Notice", "London | 2 weeks | 3 weeks", "Oslo | 4 weeks | 5 weeks"), "they share a unit"),
        (("Place | Rate", "London | £1", "London | £2"), "the rows have no names of their own"),
        (("Number | Rate", "1 | £1", "2 | £2"), "numbers are no names"),
        (("Place | Rate", "London | yes", "Oslo | -"), "the cells are no answers"),
        (("Amount | Approver", "up to £500 | Ada", "above £500 | Bo"), "the rows are conditions"),
    ],
)
def test_where_it_would_not_be_grammatical_nothing_is_asked(rows: tuple[str, ...], why: str) -> None:
    assert cells(table(*rows)) == [], why


def test_columns_take_turns_and_long_tables_give_twelve_rows() -> None:
    rows = [f"Place{n} | £{n} | Ada{n}" for n in range(40)]
    found = asked(table("Place | Rate | Contact", *rows))
    assert len(found) == 12
    assert [question.split(" for ")[0] for question, _, _ in found[:3]] == [
        "What is the rate", "What is the contact", "What is the rate",
    ]  # fmt: skip
    assert [value for _, value, _ in found[:3]] == ["£0", "Ada3", "£6"]  # rows 0, 40 // 12 = 3, 80 // 12 = 6


def test_plural_columns_are_plural_and_are_not_said() -> None:
    hours = table("Place | Opening hours", "London | 9 to 5", "Oslo | 10 to 4")
    (first, _) = list(cell_questions([passage(hours)], Wording(["the opening hours are long"])))
    assert (first.question, first.sentence) == ("What are the opening hours for London?", "")
