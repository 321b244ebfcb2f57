"""Title, author, dates and language that a file states stand on its first document, dates as ISO 8601."""

from __future__ import annotations

import email.message
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import docx
import openpyxl
import pptx
import pytest
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from fpdf import FPDF
from PIL import Image, ImageDraw, ImageFont

from ingest.loaders import load
from ingest.loaders.properties import iso_date, kept_properties

WRITTEN, CHANGED = datetime(2026, 3, 2, 9, tzinfo=UTC), datetime(2026, 4, 5, 10, 30, tzinfo=UTC)
STATED = {"title": "Night shifts", "author": "Ada Lind", "created": "2026-03-02T09:00:00Z"}
CHANGE = {"modified": "2026-04-05T10:30:00Z"}


def stated(path: Path) -> dict[str, object]:
    """Of the first document, without its place; the others state nothing."""
    first, *others = load(path)
    assert all(set(STATED) & set(other.metadata) == set() for other in others)
    return {name: value for name, value in first.metadata.items() if name != "place"}


def fill(properties: object) -> None:
    for name, value in {"title": "Night shifts", "author": "Ada Lind", "created": WRITTEN, "modified": CHANGED}.items():
        setattr(properties, name, value)


def test_a_word_document_is_in_the_language_of_most_of_its_text(tmp_path: Path) -> None:
    document = docx.Document()
    fill(document.core_properties)
    run = document.add_paragraph("Kurz.").add_run(" Die Nachtschicht beginnt um 22 Uhr und endet um 6 Uhr.")
    language = OxmlElement("w:lang")
    language.set(qn("w:val"), "de-DE")
    run._r.get_or_add_rPr().append(language)
    document.save(str(tmp_path / "a.docx"))
    assert stated(tmp_path / "a.docx") == {**STATED, **CHANGE, "language": "de-DE"}


def test_a_presentation(tmp_path: Path) -> None:
    slides = pptx.Presentation()
    fill(slides.core_properties)
    for title in ("Nachtschicht", "Pausen"):
        slide = slides.slides.add_slide(slides.slide_layouts[5])
        slide.shapes.title.text = title
        slide.shapes.title.text_frame.paragraphs[0].runs[0].font.language_id = 1031  # German
    slides.save(str(tmp_path / "a.pptx"))
    assert stated(tmp_path / "a.pptx") == {**STATED, **CHANGE, "language": "de-DE"}


def test_a_workbook(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.properties.title, book.properties.creator = "Night shifts", "Ada Lind"
    book.properties.created = WRITTEN.replace(tzinfo=None)
    book.active.append(["Shift", "Start"])
    book.create_sheet().append(["Break", "02:00"])
    book.save(tmp_path / "a.xlsx")
    found = stated(tmp_path / "a.xlsx")
    assert found.pop("modified")  # openpyxl writes the time of saving
    assert found == STATED


def test_a_pdf(tmp_path: Path) -> None:
    pdf = FPDF()
    pdf.set_title("Night shifts")
    pdf.set_author("Ada Lind")
    pdf.set_lang("en-GB")
    pdf.set_creation_date(WRITTEN)
    pdf.set_font("helvetica", size=12)
    for text in ("One", "Two"):
        pdf.add_page()
        pdf.cell(text=text)
    pdf.output(str(tmp_path / "a.pdf"))
    assert stated(tmp_path / "a.pdf") == {**STATED, "language": "en-GB"}


def test_a_web_page(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text(
        '<html lang="en"><head><title>Night shifts</title><meta name="author" content="Ada Lind">'
        '<meta property="article:published_time" content="2026-03-02T09:00:00Z">'
        '<meta name="last-modified" content="Sun, 05 Apr 2026 10:30:00 GMT"></head><body><p>At ten.</p></body></html>'
    )
    expected = {**STATED, "modified": "2026-04-05T10:30:00+00:00", "language": "en"}
    assert stated(tmp_path / "a.html") == expected


def test_an_opendocument_text(tmp_path: Path) -> None:
    office = 'xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0"'
    meta = 'xmlns:meta="urn:oasis:names:tc:opendocument:xmlns:meta:1.0" xmlns:dc="http://purl.org/dc/elements/1.1/"'
    text = 'xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0"'
    with zipfile.ZipFile(tmp_path / "a.odt", "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.text")
        archive.writestr(
            "meta.xml",
            f"<office:document-meta {office} {meta}><office:meta><dc:title>Night shifts</dc:title>"
            "<meta:initial-creator>Ada Lind</meta:initial-creator><dc:creator>Bob</dc:creator>"
            "<meta:creation-date>2026-03-02T09:00:00Z</meta:creation-date><dc:date>2026-04-05T10:30:00Z</dc:date>"
            "<dc:language>pl-PL</dc:language></office:meta></office:document-meta>",
        )
        archive.writestr(
            "content.xml",
            f"<office:document-content {office} {text}><office:body><office:text><text:p>At ten.</text:p>"
            "</office:text></office:body></office:document-content>",
        )
    assert stated(tmp_path / "a.odt") == {**STATED, **CHANGE, "language": "pl-PL"}


def test_an_e_book(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.epub", "w") as archive:
        archive.writestr("mimetype", "application/epub+zip")
        archive.writestr(
            "META-INF/container.xml", '<container><rootfiles><rootfile full-path="b.opf"/></rootfiles></container>'
        )
        archive.writestr(
            "b.opf",
            '<package xmlns:dc="http://purl.org/dc/elements/1.1/"><metadata><dc:title>Night shifts</dc:title>'
            "<dc:creator>Ada Lind</dc:creator><dc:date>2026-03-02T09:00:00Z</dc:date><dc:language>nl</dc:language>"
            '<meta property="dcterms:modified">2026-04-05T10:30:00Z</meta></metadata>'
            '<manifest><item id="c" href="c.xhtml" media-type="application/xhtml+xml"/></manifest>'
            '<spine><itemref idref="c"/></spine></package>',
        )
        archive.writestr("c.xhtml", "<html><body><p>At ten.</p></body></html>")
    assert stated(tmp_path / "a.epub") == {**STATED, **CHANGE, "language": "nl"}


def test_a_rich_text(tmp_path: Path) -> None:
    (tmp_path / "a.rtf").write_bytes(
        rb"{\rtf1\ansi{\info{\title Night shifts}{\author Ada Lind}{\creatim\yr2026\mo3\dy2\hr9\min0}"
        rb"{\revtim\yr2026\mo4\dy5\hr10\min30}} At ten.\par}"
    )
    assert stated(tmp_path / "a.rtf") == {**STATED, **CHANGE}


def test_markdown_with_front_matter(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text(
        '---\ntitle: "Night shifts"\nauthor: [Ada Lind]\ndate: 2026-03-02T09:00:00Z\nlang: en_GB\nupdated: soon\n---\n'
        "# At ten\n"
    )
    assert stated(tmp_path / "a.md") == {**STATED, "language": "en-GB"}


def test_a_mail(tmp_path: Path) -> None:
    message = email.message.EmailMessage()
    message["From"], message["To"], message["Subject"] = "Ada Lind", "Bob", "Night shifts"
    message["Date"] = WRITTEN
    message.set_content("At ten.")
    message["Content-Language"] = "de-AT"
    (tmp_path / "a.eml").write_bytes(bytes(message))
    expected = {**STATED, "created": "2026-03-02T09:00:00+00:00", "language": "de-AT"}
    assert stated(tmp_path / "a.eml") == expected


def test_a_photograph(tmp_path: Path) -> None:
    sign = Image.new("RGB", (600, 100), "white")
    ImageDraw.Draw(sign).text((20, 20), "Night entrance", "black", ImageFont.load_default(40))
    exif = sign.getexif()
    exif.update({0x010E: "Night shifts", 0x013B: "Ada Lind", 0x0132: "2026:04:05 10:30:00"})
    exif.get_ifd(0x8769)[0x9003] = "2026:03:02 09:00:00"
    sign.save(tmp_path / "a.jpg", exif=exif)
    expected = {**STATED, "created": "2026-03-02T09:00:00", "modified": "2026-04-05T10:30:00"}
    assert stated(tmp_path / "a.jpg") == expected


@pytest.mark.parametrize(
    ("written", "iso"),
    [
        ("2026", "2026"),
        ("2026-03", "2026-03"),
        ("2026-03-02 09:00", "2026-03-02T09:00"),
        ("2026-03-02T09:00:00.5+01:00", "2026-03-02T09:00:00.5+01:00"),
        ("2026-13-45", ""),
        ("D:20260302090000+01'00'", "2026-03-02T09:00:00+01:00"),
        ("D:20260302090000Z00'00'", "2026-03-02T09:00:00Z"),
        ("D:20260302", "2026-03-02"),
        ("20261399", ""),
        ("Mon, 02 Mar 2026 09:00:00 +0100", "2026-03-02T09:00:00+01:00"),
        ("last spring", ""),
    ],
)
def test_dates_as_programs_write_them(written: str, iso: str) -> None:
    assert iso_date(written) == iso


@pytest.mark.parametrize("title", ["Untitled", "Microsoft Word - plan v2.doc", "plan_final.indd", "  ", "Document"])
def test_titles_that_a_program_wrote_are_none(title: str) -> None:
    assert kept_properties({"title": title, "language": "und"}) == {}
    assert kept_properties({"title": f"About {title} again"}) != {}
