"""Reviewers' comments of a PDF stand below the text of their page."""

from __future__ import annotations

from pathlib import Path

from fpdf import FPDF

from ingest.loaders import load


def test_notes_and_remarks_on_marked_text_are_read(tmp_path: Path) -> None:
    pdf = FPDF()
    pdf.set_font("helvetica", size=12)
    pdf.add_page()
    pdf.text(20, 20, "The gate closes at six.")
    pdf.text_annotation(20, 40, "Seven, since May.", title="Ada Lind")
    with pdf.highlight("Is that so?", title="Bob", modification_time=None):
        pdf.text(20, 60, "Trucks wait outside.")
    pdf.add_page()
    pdf.text(20, 20, "Nothing to add.")
    pdf.output(str(tmp_path / "a.pdf"))
    first, second = load(tmp_path / "a.pdf")
    assert "gate closes at six" in first.page_content
    assert "\n\n[author: Ada Lind]: Seven, since May." in first.page_content
    assert "[author: Bob" in first.page_content
    assert "]: Is that so?" in first.page_content
    assert "author" not in second.page_content
