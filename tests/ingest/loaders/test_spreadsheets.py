"""Sheets read as a person sees them: titles, separate tables, merged headers, formats, charts, comments."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from pathlib import Path

import pytest
from openpyxl import Workbook
from openpyxl.chart import BarChart, Reference
from openpyxl.comments import Comment

from ingest.loaders import load
from ingest.loaders.grids import grid_markdown
from ingest.loaders.number_formats import shown
from ragvoice.datatypes import Place


def grid(*rows: list[str], merges: dict[tuple[int, int], tuple[int, int]] | None = None) -> str:
    numbered = [
        (number, {column: text for column, text in enumerate(row, start=1) if text})
        for number, row in enumerate(rows, start=1)
    ]
    return "\n\n".join(grid_markdown(numbered, merges or {}))


@pytest.mark.parametrize(
    ("value", "number_format", "text"),
    [
        (0.125, "0.0%", "12.5%"),
        (0.5, "0%", "50%"),
        (1234.5, "#,##0.00", "1,234.50"),
        (1234.5, '#,##0.00 "EUR"', "1,234.50 EUR"),
        (99, '"$"#,##0', "$99"),
        (99, "[$€-407] #,##0.00", "€ 99.00"),
        (-5, "#,##0;(#,##0)", "-5"),
        (-5, "0.0", "-5.0"),
        (-7, "#,##0;-#,##0", "-7"),
        (1.5, "0.##", "1.5"),
        (2, "0.##", "2"),
        (0.1 + 0.2, "General", "0.3"),
        (12, "General", "12"),
        (123456789012345, "General", "123456789012345"),
        (1e-7, "0.00E+00", "1e-07"),
        (True, "General", "TRUE"),
        (date(2026, 4, 1), "dd/mm/yyyy", "2026-04-01"),
        (datetime(2026, 4, 1), "dd/mm/yyyy", "2026-04-01"),
        (datetime(2026, 4, 1, 8, 30), "", "2026-04-01 08:30"),
        (time(8, 5), "", "08:05"),
        (timedelta(hours=30, minutes=5), "[h]:mm", "30:05"),
        ("text", "@", "text"),
        (None, "General", ""),
    ],
)
def test_values_look_as_in_the_sheet(value: object, number_format: str, text: str) -> None:
    assert shown(value, number_format) == text


def test_a_title_is_no_header_and_empty_rows_part_tables() -> None:
    assert grid(["Rates", ""], ["Grade", "Rate"], ["A", "12"], ["", ""], ["Site", "Days"], ["Leeds", "x"]) == (
        "Rates\n\n| Grade | Rate |\n| --- | --- |\n| A | 12 |\n\n| Site | Days |\n| --- | --- |\n| Leeds | x |"
    )


def test_a_row_of_numbers_behind_an_empty_row_belongs_to_the_table_above() -> None:
    assert grid(["Month", "Sales"], ["", ""], ["Jan", "10"], ["", ""], ["Total", "10"]) == (
        "| Month | Sales |\n| --- | --- |\n| Jan | 10 |\n| Total | 10 |"
    )
    years = grid(["Site", "Days"], ["Leeds", "2"], ["", ""], ["Cost", "2025"], ["Rent", "7"])
    assert years.count("| --- |") == 2


def test_tables_side_by_side_are_parted_but_a_spacer_column_is_not() -> None:
    side = grid(["A", "B", "", "C", "D"], ["x", "1", "", "y", "2"], ["x", "1", "", "z", "2"])
    assert side.startswith("| A | B |\n| --- | --- |\n| x | 1 |")
    assert side.endswith("| C | D |\n| --- | --- |\n| y | 2 |\n| z | 2 |")
    assert grid(["A", "B", "", "C"], ["x", "1", "", "2"]) == "| A | B | C |\n| --- | --- | --- |\n| x | 1 | 2 |"


def test_merged_cells_repeat_and_a_header_of_two_rows_becomes_one() -> None:
    merges = {(1, 2): (1, 3), (3, 1): (4, 1)}
    rows = (["", "2025", "", "x"], ["Site", "Q1", "Q2", "y"], ["Leeds", "1", "2", "3"], ["", "4", "5", "6"])
    assert grid(*rows, merges=merges) == (
        "| Site | 2025 Q1 | 2025 Q2 | x y |\n| --- | --- | --- | --- |\n| Leeds | 1 | 2 | 3 |\n| Leeds | 4 | 5 | 6 |"
    )


def test_lone_cells_are_lines_and_notes_stand_below() -> None:
    note = "All figures are provisional until the auditors have signed them in March."
    assert grid(["Only"], ["text"]) == "Only\ntext"
    assert grid(["A", "B"], ["1", "2"], ["3", "4"], [note, ""]).endswith(f"| 3 | 4 |\n\n{note}")


def test_hidden_and_empty_sheets_are_left_out_and_charts_and_comments_are_read(tmp_path: Path) -> None:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = "Sales"
    for row in (["Month", "Sum"], ["Jan", 10], ["Feb", 12]):
        sheet.append(row)
    sheet["B2"].comment = Comment("Without returns", "Ada")
    chart = BarChart()
    chart.title = "Sales by month"
    chart.add_data(Reference(sheet, min_col=2, min_row=1, max_row=3), titles_from_data=True)
    sheet.add_chart(chart, "D1")
    book.create_sheet("Empty")
    book.create_sheet("Hidden").append(["secret", 1])
    book["Hidden"].sheet_state = "hidden"
    book.properties.title = "Turnover"
    book.save(tmp_path / "a.xlsx")
    [page] = load(tmp_path / "a.xlsx")
    assert page.metadata["place"] == Place("sheet", "Sales")
    assert page.metadata["title"] == "Turnover"
    assert page.page_content.startswith("## Sales\n\n| Month | Sum |\n| --- | --- |\n| Jan | 10 |\n| Feb | 12 |\n\n")
    assert "[author: Ada, on B2]: Without returns" in page.page_content
    assert "Sales by month" in page.page_content
    assert "nan" not in page.page_content.lower()


def test_a_workbook_that_openpyxl_refuses_is_read_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    book = Workbook()
    book.active.title = "Rates"
    for row in (["Grade", "Rate"], ["A", 12]):
        book.active.append(row)
    book.save(tmp_path / "a.xlsx")

    def refuses(*args: object, **settings: object) -> None:
        raise TypeError("expected <class 'Fill'>")

    monkeypatch.setattr("openpyxl.load_workbook", refuses)
    [page] = load(tmp_path / "a.xlsx")
    assert page.metadata["place"] == Place("sheet", "Rates")
    assert "| A | 12 |" in page.page_content
