"""Scanned pages and pictures are read by the real recogniser."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pypdfium2
import pytest
from fpdf import FPDF
from PIL import Image, ImageDraw, ImageFont

from ingest.loaders import LoadOptions, load, ocr, pdf
from ragvoice.datatypes import Place
from ragvoice.errors import DocumentError

LINES = ("Visitors sign in at the gate", "The gate closes at 18:00")


def picture() -> Image.Image:
    image = Image.new("RGB", (900, 300), "white")
    for number, line in enumerate(LINES):
        ImageDraw.Draw(image).text((40, 40 + 60 * number), line, "black", ImageFont.load_default(40))
    return image


def test_the_words_of_a_picture_are_read(tmp_path: Path) -> None:
    picture().save(tmp_path / "a.png")
    [page] = load(tmp_path / "a.png")
    assert page.page_content.split("\n") == list(LINES)


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_a_picture_on_its_side_or_head_is_turned(tmp_path: Path, degrees: int) -> None:
    picture().rotate(degrees, expand=True).save(tmp_path / "a.png")
    assert next(load(tmp_path / "a.png")).page_content.split("\n") == list(LINES)


def test_only_the_scanned_page_of_a_pdf_is_read_from_its_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture().save(tmp_path / "scan.png")
    pdf = FPDF()
    pdf.set_font("helvetica", size=12)
    pdf.add_page()
    pdf.cell(text="Typed text of page one.")
    pdf.add_page()
    pdf.image(str(tmp_path / "scan.png"), w=180)
    pdf.output(str(tmp_path / "a.pdf"))
    drawn = []
    text = ocr.PageReader.text
    monkeypatch.setattr(ocr.PageReader, "text", lambda self, number: drawn.append(number) or text(self, number))
    first, second = load(tmp_path / "a.pdf")
    assert drawn == [2]
    assert "Typed text" in first.page_content
    assert "gate closes at 18:00" in second.page_content
    assert second.metadata["place"] == Place("page", 2)
    unread = load(tmp_path / "a.pdf", LoadOptions(ocr=False))
    assert [bool(page.page_content.strip()) for page in unread] == [True, False]


def test_a_picture_without_words_and_one_while_ocr_is_off_are_reported(tmp_path: Path) -> None:
    Image.new("RGB", (200, 200), "white").save(tmp_path / "a.png")
    with pytest.raises(DocumentError, match="no text"):
        list(load(tmp_path / "a.png"))
    with pytest.raises(DocumentError, match="switched off"):
        list(load(tmp_path / "a.png", LoadOptions(ocr=False)))


def test_an_enormous_page_is_drawn_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pdf = FPDF(unit="pt", format=(14_000, 14_000))
    pdf.add_page()
    pdf.output(str(tmp_path / "a.pdf"))
    shapes = []
    monkeypatch.setattr(ocr, "read", lambda image: shapes.append(image.shape) or "")
    with closing(pypdfium2.PdfDocument(tmp_path / "a.pdf")) as document:
        ocr.PageReader(document).text(1)
    assert max(shapes[0][:2]) <= ocr.LONGEST_SIDE + 1


def test_a_page_that_cannot_be_drawn_costs_itself_only(tmp_path: Path) -> None:
    pdf = FPDF()
    pdf.set_font("helvetica", size=12)
    for text in ("", "Typed text of page two."):
        pdf.add_page()
        if text:
            pdf.cell(text=text)
    boxless = bytes(pdf.output()).replace(b"/Parent 1 0 R", b"/Parent 1 0 R/MediaBox [9 9 9 9]/CropBox [0 0 1 1]", 1)
    (tmp_path / "a.pdf").write_bytes(boxless)
    first, second = load(tmp_path / "a.pdf")
    assert first.page_content == ""
    assert "page two" in second.page_content


def test_a_text_layer_that_names_no_characters_is_no_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fonts without a map of their characters give control or private characters."""
    assert not pdf._is_readable("\x19\x12 \uf0a7\ue001\ufffd a")
    assert not pdf._is_readable(" \n")
    assert pdf._is_readable("Gate \uf0b7 18:00")


def test_recognition_that_fails_is_a_reason_and_no_trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    picture().save(tmp_path / "a.png")

    def fail(words: str) -> None:
        def engine(image: object, use_cls: bool) -> None:
            raise RuntimeError(f"Traceback (most recent call last):\n  File x\n{words}")

        monkeypatch.setattr(ocr, "_engine", lambda: engine)

    fail("bad format")
    with pytest.raises(DocumentError, match=r"^a picture that cannot be recognised$"):
        list(load(tmp_path / "a.png"))
    fail("Status Message: std::bad_alloc")
    with pytest.raises(DocumentError, match="too large to be parsed in memory"):
        list(load(tmp_path / "a.png"))
