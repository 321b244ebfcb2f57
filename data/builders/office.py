"""Word, PowerPoint and Excel files, written so that building twice gives the same bytes."""

from __future__ import annotations

import csv
import re
import zipfile
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import docx
import pptx
from docx.oxml import OxmlElement
from docx.shared import Pt, RGBColor
from openpyxl import Workbook
from openpyxl.styles import Font, PatternFill
from pptx.util import Inches
from pptx.util import Pt as SlidePt

from .source import Block, Source, parse_blocks

COMPANY = "Tarnfeld Instruments"


def write_stable_zip(data: bytes, path: Path, date: datetime) -> None:
    """Rewrite an office file with a fixed date on every part, in the core properties too."""
    stamp = date.strftime("%Y-%m-%dT%H:%M:%SZ")
    with zipfile.ZipFile(BytesIO(data)) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for info in old.infolist():
            content = old.read(info)
            if info.filename == "docProps/core.xml":
                text = content.decode("utf-8")
                text = re.sub(r"(<dcterms:(created|modified)[^>]*>)[^<]*", rf"\g<1>{stamp}", text)
                content = text.encode("utf-8")
            part = zipfile.ZipInfo(info.filename, date_time=(date.year, date.month, date.day, 9, 0, 0))
            part.compress_type = zipfile.ZIP_DEFLATED
            new.writestr(part, content)


def _properties(core: Any, source: Source) -> None:
    core.title = source.title
    core.author = source.author
    core.last_modified_by = source.author
    core.comments = ""
    core.created = source.date.replace(tzinfo=None)
    core.modified = source.date.replace(tzinfo=None)


def _word_table(document: Any, block: Block) -> None:
    table = document.add_table(rows=0, cols=len(block.rows[0]))
    table.style = "Light Grid Accent 1"
    for cells in block.rows:
        row = table.add_row().cells
        for cell, text in zip(row, cells, strict=True):
            cell.text = text
    mark = OxmlElement("w:tblHeader")
    table.rows[0]._tr.get_or_add_trPr().append(mark)
    document.add_paragraph()


def _restart_numbering(document: Any, paragraphs: list[Any]) -> None:
    """Let a numbered list begin at 1; without this, Word goes on counting from the list before."""
    numbering = document.part.numbering_part.numbering_definitions._numbering
    style_number = paragraphs[0].style.element.pPr.numPr.numId.val
    number = numbering.add_num(numbering.num_having_numId(style_number).abstractNumId.val)
    number.add_lvlOverride(ilvl=0).add_startOverride(1)
    for paragraph in paragraphs:
        properties = paragraph._p.get_or_add_pPr().get_or_add_numPr()
        properties.get_or_add_ilvl().val = 0
        properties.get_or_add_numId().val = number.numId


def build_docx(source: Source, path: Path) -> None:
    """Write one Word document with real heading styles, lists and tables."""
    document: Any = docx.Document()
    document.styles["Normal"].font.name = "Calibri"
    document.styles["Normal"].font.size = Pt(11)
    document.add_paragraph(source.title, style="Title")
    line = document.add_paragraph().add_run(f"{source.subtitle}. Owner: {source.author}.")
    line.font.color.rgb = RGBColor(90, 90, 90)
    section = document.sections[0]
    section.header.paragraphs[0].text = COMPANY
    section.footer.paragraphs[0].text = source.subtitle
    styles = {"bullets": "List Bullet", "numbers": "List Number"}
    for block in parse_blocks(source.body):
        if block.kind == "heading":
            document.add_heading(block.text, level=block.level)
        elif block.kind == "table":
            _word_table(document, block)
        elif block.kind == "paragraph":
            document.add_paragraph(block.text)
        else:
            paragraphs = [document.add_paragraph(item, style=styles[block.kind]) for item in block.items]
            if block.kind == "numbers":
                _restart_numbering(document, paragraphs)
    _properties(document.core_properties, source)
    buffer = BytesIO()
    document.save(buffer)
    write_stable_zip(buffer.getvalue(), path, source.date)


def _slide_table(slide: Any, block: Block) -> None:
    rows, columns = len(block.rows), len(block.rows[0])
    shape = slide.shapes.add_table(rows, columns, Inches(0.6), Inches(1.7), Inches(8.8), Inches(0.45 * rows))
    for y, cells in enumerate(block.rows):
        for x, text in enumerate(cells):
            cell = shape.table.cell(y, x)
            cell.text = text
            cell.text_frame.paragraphs[0].font.size = SlidePt(14)


def _slide_bullets(slide: Any, block: Block) -> None:
    frame = slide.placeholders[1].text_frame
    for number, item in enumerate(block.items):
        paragraph = frame.paragraphs[0] if number == 0 else frame.add_paragraph()
        paragraph.text = item
        paragraph.font.size = SlidePt(24)


def build_pptx(source: Source, path: Path) -> None:
    """Write one presentation: a title slide, then one slide per heading, with speaker notes."""
    deck: Any = pptx.Presentation()
    title = deck.slides.add_slide(deck.slide_layouts[0])
    title.shapes.title.text = source.title
    title.placeholders[1].text = f"{source.subtitle}\n{source.author}"
    slide: Any = title
    blocks = parse_blocks(source.body)
    for number, block in enumerate(blocks):
        if block.kind == "heading":
            layout = 1 if blocks[number + 1].kind == "bullets" else 5  # with a text box, or the title only
            slide = deck.slides.add_slide(deck.slide_layouts[layout])
            slide.shapes.title.text = block.text
        elif block.kind == "table":
            _slide_table(slide, block)
        elif block.kind == "paragraph":
            slide.notes_slide.notes_text_frame.text = block.text.removeprefix("Note: ")
        else:
            _slide_bullets(slide, block)
    _properties(deck.core_properties, source)
    buffer = BytesIO()
    deck.save(buffer)
    write_stable_zip(buffer.getvalue(), path, source.date)


def _cell_value(text: str) -> int | str:
    return int(text) if re.fullmatch(r"\d{1,7}", text) else text


def build_xlsx(source: Source, sheets: list[Path], path: Path) -> None:
    """Write one workbook; each CSV file is a sheet, named like the file without its number."""
    book = Workbook()
    first: Any = book.active
    book.remove(first)
    for file in sheets:
        sheet: Any = book.create_sheet(re.sub(r"^\d+ ", "", file.stem))
        with file.open(encoding="utf-8", newline="") as handle:
            rows = list(csv.reader(handle))
        for row in rows:
            sheet.append([_cell_value(cell) for cell in row])
        for cell in sheet[1]:
            cell.font = Font(bold=True)
            cell.fill = PatternFill("solid", fgColor="DEE9EE")
        for index, column in enumerate(sheet.columns):
            width = max(len(row[index]) for row in rows)
            sheet.column_dimensions[column[0].column_letter].width = min(width + 3, 70)
        sheet.freeze_panes = "A2"
    book.properties.title = source.title
    book.properties.creator = source.author
    book.properties.lastModifiedBy = source.author
    buffer = BytesIO()
    book.save(buffer)
    write_stable_zip(buffer.getvalue(), path, source.date)
