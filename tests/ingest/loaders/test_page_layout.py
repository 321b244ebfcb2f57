"""Boxes of recognised lines become text in the order of reading."""

from __future__ import annotations

import numpy as np

from ingest.loaders.ocr import _straightened
from ingest.loaders.page_layout import Box, text_of

LEFT = [f"left column, line {number}, of prose" for number in range(1, 6)]
RIGHT = [f"right column, line {number}, of prose" for number in range(1, 6)]


def line(text: str, left: float, top: float, width: float = 400) -> Box:
    return Box(left, top, left + width, top + 20, text, 1.0)


def columns(top: float) -> list[Box]:
    """Two columns of lines of 20 pixels, 4 pixels apart, with a gap of 50 pixels between the columns."""
    places = [(LEFT, 50.0), (RIGHT, 500.0)]
    return [line(text, left, top + 24 * number) for lines, left in places for number, text in enumerate(lines)]


def test_columns_of_prose_are_read_one_after_the_other() -> None:
    boxes = [line("A heading across the whole page", 50, 50, 850), *columns(74), line("And what follows", 50, 194, 850)]
    assert text_of(boxes) == "\n\n".join(
        ["A heading across the whole page", "\n".join(LEFT), "\n".join(RIGHT), "And what follows"]
    )


def test_a_table_is_read_row_by_row() -> None:
    cells = [["Site", "Opens", "Closes"], ["Leeds", "07:00", "19:00"], ["Gdansk", "06:00", "18:00"]]
    boxes = [line(cell, 50 + 200 * x, 50 + 24 * y, 100) for y, row in enumerate(cells) for x, cell in enumerate(row)]
    assert text_of(boxes) == "Site Opens Closes\nLeeds 07:00 19:00\nGdansk 06:00 18:00"


def test_the_longer_column_goes_on_below_the_shorter_one_but_not_across_a_gap() -> None:
    longer = [line("the left column goes on here", 50, 194), line("and ends", 50, 218)]
    apart = line("Next section", 50, 270)
    assert text_of([*columns(74), *longer, apart]) == "\n\n".join(
        ["\n".join([*LEFT, longer[0].text, longer[1].text]), "\n".join(RIGHT), "Next section"]
    )


def test_three_columns() -> None:
    third = [line(f"third column, line {number}, of prose", 950, 50 + 24 * number) for number in range(5)]
    assert text_of([*columns(50), *third]) == "\n\n".join("\n".join(lines) for lines in (
        LEFT, RIGHT, [box.text for box in third]
    ))  # fmt: skip


def test_a_gap_of_a_line_begins_a_paragraph() -> None:
    assert text_of([line("One", 0, 0), line("two", 0, 24), line("Three", 0, 70)]) == "One\ntwo\n\nThree"
    assert text_of([]) == ""


def test_a_page_that_lies_askew_is_turned_straight() -> None:
    straight = np.array([[[0.0, 10], [400, 10], [400, 30], [0, 30]], [[500, 10], [900, 10], [900, 30], [500, 30]]])
    turn = np.array([[np.cos(0.05), np.sin(0.05)], [-np.sin(0.05), np.cos(0.05)]])
    np.testing.assert_allclose(_straightened(straight @ turn), straight, atol=1e-9)
