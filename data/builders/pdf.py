"""PDF documents with text, headings, tables, a contents page for long texts and page numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fpdf import FPDF, FontFace, TextStyle
from fpdf.outline import TableOfContents

from .source import Block, Source, parse_blocks

LONG_TEXT = 30  # from so many headings on, a contents page is added
CONTENTS_LINES = 50  # headings that fit on one contents page
SIZES = {1: 15.0, 2: 12.0, 3: 10.5}


class CompanyPdf(FPDF):
    """A page with the company header and a footer with the page number."""

    def __init__(self, source: Source) -> None:
        super().__init__(format="A4")
        self.source = source
        self.core_fonts_encoding = "windows-1252"
        self.set_margins(22, 24, 22)
        self.set_auto_page_break(True, margin=24)
        self.set_title(source.title)
        self.set_author(source.author)
        self.set_creator("Tarnfeld Instruments")
        self.set_producer("Tarnfeld Instruments")
        self.set_creation_date(source.date)
        self.set_section_title_styles(*(self._heading_style(level) for level in (1, 2, 3)))

    @staticmethod
    def _heading_style(level: int) -> TextStyle:
        return TextStyle(
            font_family="Helvetica",
            font_style="B",
            font_size_pt=SIZES[level],
            color=(20, 70, 95),
            t_margin=5,
            b_margin=2,
        )

    def header(self) -> None:
        """Company name on the left, document title on the right."""
        self.set_y(11)
        self.set_font("Helvetica", size=8)
        self.set_text_color(110)
        self.cell(self.epw / 2, 5, "Tarnfeld Instruments")
        self.cell(self.epw / 2, 5, self.source.title, align="R", new_x="LMARGIN", new_y="NEXT")
        self.set_text_color(0)
        self.set_y(24)

    def footer(self) -> None:
        """Version on the left, page number on the right."""
        self.set_y(-15)
        self.set_font("Helvetica", size=8)
        self.set_text_color(110)
        self.cell(self.epw * 0.75, 5, self.source.subtitle)
        self.cell(self.epw * 0.25, 5, f"Page {self.page_no()}", align="R")
        self.set_text_color(0)

    def _paragraph(self, text: str, indent: float = 0.0) -> None:
        self.set_font("Helvetica", size=10)
        self.set_x(self.l_margin + indent)
        self.multi_cell(self.epw - indent, 5, text, align="L", new_x="LMARGIN", new_y="NEXT")

    def _list(self, block: Block) -> None:
        for number, item in enumerate(block.items, start=1):
            if self.will_page_break(10):
                self.add_page()
            self.set_font("Helvetica", size=10)
            mark = f"{number}." if block.kind == "numbers" else "\u2022"
            self.set_x(self.l_margin + 3)
            self.cell(7, 5, mark)
            self.multi_cell(self.epw - 10, 5, item, align="L", new_x="LMARGIN", new_y="NEXT")
        self.ln(2.5)

    def _table(self, block: Block) -> None:
        columns = len(block.rows[0])
        longest = [max(len(row[i]) if i < len(row) else 0 for row in block.rows) for i in range(columns)]
        widths = tuple(min(max(width, 9), 42) for width in longest)
        style = FontFace(emphasis="BOLD", fill_color=(222, 233, 238))
        self.set_font("Helvetica", size=9)
        with self.table(
            col_widths=widths, headings_style=style, line_height=5, text_align="LEFT", padding=0.8, width=int(self.epw)
        ) as table:
            for cells in block.rows:
                row = table.row()
                for cell in cells:
                    row.cell(cell)
        self.ln(3)

    def add_block(self, block: Block) -> None:
        """Write one block."""
        if block.kind == "heading":
            if self.will_page_break(32):
                self.add_page()
            self.start_section(block.text, level=block.level - 1)
        elif block.kind == "table":
            self._table(block)
        elif block.kind == "paragraph":
            self._paragraph(block.text)
            self.ln(2.5)
        else:
            self._list(block)


def _title(pdf: CompanyPdf, source: Source) -> None:
    pdf.set_font("Helvetica", "B", 20)
    pdf.multi_cell(pdf.epw, 10, source.title, align="L", new_x="LMARGIN", new_y="NEXT")
    pdf.set_font("Helvetica", size=10)
    pdf.set_text_color(90)
    pdf.multi_cell(pdf.epw, 5.5, f"{source.subtitle}\n{source.author}", align="L", new_x="LMARGIN", new_y="NEXT")
    pdf.set_text_color(0)
    pdf.ln(4)


def build_pdf(source: Source, path: Path) -> None:
    """Write one PDF."""
    blocks = parse_blocks(source.body)
    pdf = CompanyPdf(source)
    pdf.add_page()
    _title(pdf, source)
    headings = sum(block.kind == "heading" for block in blocks)
    if headings >= LONG_TEXT:
        contents: Any = TableOfContents()
        contents.text_style = TextStyle(font_family="Helvetica", font_size_pt=9)
        pdf.set_font("Helvetica", size=9)
        pdf.insert_toc_placeholder(contents.render_toc, pages=1 + headings // CONTENTS_LINES)
    for block in blocks:
        pdf.add_block(block)
    pdf.output(str(path))
