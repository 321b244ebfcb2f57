"""Workbooks, slides, OpenDocument, mail and archives: tables stay tables, places are kept, parts have names."""

from __future__ import annotations

import contextlib
import mailbox
import zipfile
from datetime import date
from email.message import EmailMessage
from pathlib import Path

import pytest
from ingest_harness import Bench, counts, reasons
from openpyxl import Workbook
from pptx import Presentation

from ingest.loaders import LoadOptions, load
from ragvoice.datatypes import Place
from ragvoice.errors import DocumentError

ODF = "urn:oasis:names:tc:opendocument:xmlns:"


def text_of(path: Path) -> str:
    return "\n".join(page.page_content for page in load(path))


def zipped(path: Path, **members: str | bytes) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def opendocument(path: Path, kind: str, body: str) -> Path:
    names = " ".join(f'xmlns:{name}="{ODF}{name}:1.0"' for name in ("office", "text", "table", "draw"))
    content = f"<office:document-content {names}><office:body>{body}</office:body></office:document-content>"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("mimetype", f"application/vnd.oasis.opendocument.{kind}")
        archive.writestr("content.xml", content)
    return path


def mail(subject: str, body: str, attachment: tuple[str, bytes] | None = None) -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "ada@example.com", "bob@example.com", subject
    message.set_content(body)
    if attachment:
        message.add_attachment(attachment[1], maintype="application", subtype="octet-stream", filename=attachment[0])
    return message


def test_a_sheet_is_a_place_and_its_blocks_are_tables(tmp_path: Path) -> None:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = "Rates"
    for row in (["Day rates 2026"], ["From", "Share"], [date(2026, 4, 1), 0.125], [], ["A", "B|C"], [1.5, True]):
        sheet.append(row)
    sheet["B3"].number_format = "0.0%"
    book.save(tmp_path / "a.xlsx")
    [page] = load(tmp_path / "a.xlsx")
    assert page.metadata["place"] == Place("sheet", "Rates")
    assert page.page_content == (
        "## Rates\n\nDay rates 2026\n\n| From | Share |\n| --- | --- |\n| 2026-04-01 | 12.5% |\n\n"
        "| A | B\\|C |\n| --- | --- |\n| 1.5 | TRUE |"
    )


def test_every_slide_is_a_place(tmp_path: Path) -> None:
    deck = Presentation()
    for title in ("Plan", "Budget"):
        deck.slides.add_slide(deck.slide_layouts[5]).shapes.title.text = title
    deck.save(str(tmp_path / "a.pptx"))
    assert [(page.page_content, page.metadata["place"]) for page in load(tmp_path / "a.pptx")] == [
        ("# Plan", Place("slide", 1)),
        ("# Budget", Place("slide", 2)),
    ]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_separated_values_with_any_separator_and_uneven_rows(tmp_path: Path, separator: str) -> None:
    rows = [["site", "room", "seats"], ["Leeds", "Wharfe", "12"], ["Leeds", "Aire"]]
    (tmp_path / "a.csv").write_text("\n".join(separator.join(row) for row in rows))
    assert text_of(tmp_path / "a.csv").split("\n")[2:] == ["| Leeds | Wharfe | 12 |", "| Leeds | Aire |  |"]


def test_an_odt_keeps_headings_lists_and_tables(tmp_path: Path) -> None:
    body = (
        '<office:text><text:h text:outline-level="2">Leave</text:h><text:p>25<text:s/>days</text:p>'
        "<text:list><text:list-item><text:p>one</text:p></text:list-item></text:list>"
        "<table:table><table:table-row><table:table-cell><text:p>A</text:p></table:table-cell>"
        '<table:table-cell table:number-columns-repeated="2"><text:p>B</text:p></table:table-cell></table:table-row>'
        "</table:table></office:text>"
    )
    text = text_of(opendocument(tmp_path / "a.odt", "text", body))
    assert text == "## Leave\n\n25 days\n\n- one\n\n| A | B | B |\n| --- | --- | --- |"


def test_an_odf_that_declares_entities_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "a.odt"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.text")
        archive.writestr("content.xml", '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/hostname">]><a>&b;</a>')
    with pytest.raises(DocumentError):
        load(file)


def test_rich_text_and_json_become_text(tmp_path: Path) -> None:
    (tmp_path / "a.rtf").write_text(r"{\rtf1 The gate closes at {\b 18:00}.\par}")
    (tmp_path / "a.json").write_text('{"gate": {"closes": "18:00"}, "days": ["Mon", "Tue"]}')
    assert text_of(tmp_path / "a.rtf").strip() == "The gate closes at 18:00."
    assert text_of(tmp_path / "a.json") == "- gate:\n  - closes: 18:00\n- days:\n  - Mon\n  - Tue"


def test_a_mail_and_its_attachment_are_documents(tmp_path: Path) -> None:
    (tmp_path / "a.eml").write_bytes(bytes(mail("Gate", "It closes at six.", ("times.csv", b"day,hour\nMon,18"))))
    letter, attachment = load(tmp_path / "a.eml")
    assert letter.metadata["title"] == "Gate"
    assert "From: ada@example.com" in letter.page_content
    assert "It closes at six." in letter.page_content
    assert attachment.metadata["part"] == "times.csv"
    assert "| Mon | 18 |" in attachment.page_content


def test_a_mail_without_a_suffix_is_known_by_its_headers(tmp_path: Path) -> None:
    (tmp_path / "letter").write_bytes(bytes(mail("Gate", "It closes at six.")))
    [letter] = load(tmp_path / "letter")
    assert letter.metadata["title"] == "Gate"


def test_an_html_mail_is_read_once_and_broken_headers_do_not_stop_it(tmp_path: Path) -> None:
    message = mail("Gate", "It closes at six.")
    message.add_alternative("<p>It closes at <b>six</b>.</p>", subtype="html")
    (tmp_path / "a.eml").write_bytes(b"Date: not a date at all\n" + bytes(message))
    assert text_of(tmp_path / "a.eml").count("It closes at") == 1


def test_an_encrypted_mail_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "a.eml").write_text("Subject: x\nContent-Type: application/pkcs7-mime\n\nMIAGCSqGSIb3\n")
    with pytest.raises(DocumentError, match="encrypted"):
        load(tmp_path / "a.eml")


def test_every_message_of_a_mailbox_is_a_part(tmp_path: Path) -> None:
    box = mailbox.mbox(tmp_path / "a.mbox")
    for subject in ("One", "Two"):
        box.add(bytes(mail(subject, "Text.")))
    box.close()
    assert [(page.metadata["part"], page.metadata["title"]) for page in load(tmp_path / "a.mbox")] == [
        ("1", "One"),
        ("2", "Two"),
    ]


def test_members_of_an_archive_are_parts_and_a_bad_one_is_reported(tmp_path: Path) -> None:
    inner = zipped(tmp_path / "inner.zip", **{"deep.md": "# Deep\n\nDeep down."}).read_bytes()
    file = zipped(tmp_path / "a.zip", **{"notes/a.md": "# A\n\nText.", "b.bin": b"\0\1", "c.zip": inner})
    pages = load(file)
    assert [(page.metadata["part"], bool(page.metadata.get("skipped"))) for page in pages] == [
        ("notes/a.md", False),
        ("b.bin", True),
        ("c.zip!/deep.md", False),
    ]


def test_names_that_lead_out_of_an_archive_are_not_followed(tmp_path: Path) -> None:
    file = zipped(tmp_path / "a.zip", **{"../evil.md": "evil", "/abs.md": "evil", "good.md": "good"})
    assert [page.page_content for page in load(file)] == ["", "", "good"]
    assert not (tmp_path.parent / "evil.md").exists()


def test_an_archive_that_says_less_than_it_unpacks_to_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "a.zip"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.txt", "x" * 5000)
        archive.infolist()[0].file_size = 10  # what the directory will say
    pages = []
    with contextlib.suppress(DocumentError):
        pages = load(file, LoadOptions(max_unpacked_bytes=4096))
    assert not any(page.page_content for page in pages)


def test_archives_inside_one_another_end(tmp_path: Path) -> None:
    data = b"text"
    name = "a.txt"
    for depth in range(8):
        data, name = zipped(tmp_path / f"{depth}.zip", **{name: data}).read_bytes(), f"{depth}.zip"
    (tmp_path / "deep.zip").write_bytes(data)
    [page] = load(tmp_path / "deep.zip")
    assert "inside one another" in page.metadata["skipped"]


def test_parts_have_doc_ids_stay_unchanged_and_leave_with_their_file(bench: Bench) -> None:
    file = bench.write("box/a.eml", bytes(mail("Gate", "It closes at six.", ("times.csv", b"day,hour\nMon,18"))))
    zipped(bench.documents / "b.zip", **{"x.md": "# X\n\nText of X.", "y.bin": b"\0\1"})
    summary = bench.ingest()
    assert bench.doc_ids() == ["b.zip!/x.md", "box/a.eml", "box/a.eml!/times.csv"]
    assert "unsupported" in reasons(summary)["b.zip!/y.bin"]
    assert counts(bench.ingest()) == (0, 0, 0, 3)
    file.unlink()
    assert counts(bench.ingest()) == (0, 0, 2, 1)
    assert bench.doc_ids() == ["b.zip!/x.md"]


def test_slides_and_sheets_are_places_of_chunks(bench: Bench) -> None:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = "Rates"
    sheet.append(["Grade", "Rate"])
    sheet.append(["A", 12])
    book.save(bench.documents / "a.xlsx")
    bench.ingest()
    [span] = bench.opened().chunk_spans("a.xlsx")
    assert (span.place, span.page) == (Place("sheet", "Rates"), None)
