"""Workbooks, slides, OpenDocument, mail and archives: tables stay tables, places are kept, parts have names."""

from __future__ import annotations

import contextlib
import gzip
import io
import mailbox
import tarfile
import tempfile
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
    with pytest.raises(DocumentError, match="declares entities"):
        list(load(file))


def test_rich_text_and_json_become_text(tmp_path: Path) -> None:
    (tmp_path / "a.rtf").write_text(r"{\rtf1 The gate closes at {\b 18:00}.\par}")
    (tmp_path / "a.json").write_text('{"gate": {"closes": "18:00"}, "days": ["Mon", "Tue"]}')
    assert text_of(tmp_path / "a.rtf").strip() == "The gate closes at 18:00."
    assert text_of(tmp_path / "a.json") == "## gate\n\n- closes: 18:00\n\n## days\n\n- Mon\n- Tue"


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
        list(load(tmp_path / "a.eml"))


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
    pages = list(load(file))
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
        pages = list(load(file, LoadOptions(max_unpacked_bytes=4096)))
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


def tarred(path: Path, mode: str, members: dict[str, bytes | str]) -> Path:
    """A member whose content is a string is a link to it."""
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            if isinstance(content, str):
                info.type, info.linkname = tarfile.SYMTYPE, content
                archive.addfile(info)
            else:
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
    return path


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_members_of_a_tar_archive_are_parts_and_links_are_not_followed(tmp_path: Path, mode: str) -> None:
    members: dict[str, bytes | str] = {"./a.md": b"# A", "../b.md": b"evil", "c.md": "/etc/hostname", "d/e.txt": b"E"}
    pages = list(load(tarred(tmp_path / "a.bin", mode, members)))
    assert [(page.metadata["part"], page.page_content, page.metadata.get("skipped", "")) for page in pages] == [
        ("a.md", "# A", ""),
        ("b.md", "", "its path leads out of the archive"),
        ("c.md", "", "a link, which is not followed"),
        ("d/e.txt", "E", ""),
    ]


def test_a_compressed_file_is_its_content(tmp_path: Path) -> None:
    (tmp_path / "notes.md.gz").write_bytes(gzip.compress(b"# Notes"))
    [page] = load(tmp_path / "notes.md.gz")
    assert (page.metadata["part"], page.page_content) == ("notes.md", "# Notes")
    (tmp_path / "b.gz").write_bytes(gzip.compress(b"x" * 5_000)[:-20])
    with pytest.raises(DocumentError, match="a damaged archive"):
        list(load(tmp_path / "b.gz"))


def test_links_and_encrypted_members_of_a_zip_are_skipped_and_litter_is_passed_over(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("link.md")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("secret.md", "text")
        archive.writestr(link, "/etc/hostname")
        archive.writestr("__MACOSX/._a.md", "litter")
        archive.writestr(".hidden/a.md", "litter")
        archive.writestr("~$a.docx", "litter")
    data = bytearray((tmp_path / "a.zip").read_bytes())
    data[6] |= 1
    data[data.find(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "a.zip").write_bytes(data)
    secret, other = load(tmp_path / "a.zip")
    assert "password" in secret.metadata["skipped"]
    assert (other.metadata["part"], other.metadata["skipped"]) == ("link.md", "a link, which is not followed")


def test_the_limits_hold_for_everything_nested_together(tmp_path: Path) -> None:
    inner = zipped(tmp_path / "inner.zip", **{"a.txt": "x" * 600}).read_bytes()
    file = zipped(tmp_path / "a.zip", **{f"{number}.zip": inner for number in range(5)})
    with pytest.raises(DocumentError, match="unpacks to more"):
        list(load(file, LoadOptions(max_unpacked_bytes=3_000)))
    with pytest.raises(DocumentError, match="more files in it than the limit of 7"):
        list(load(file, LoadOptions(max_members=7)))
    assert len(list(load(file, LoadOptions(max_members=10)))) == 5


def test_one_member_that_is_too_large_does_not_cost_the_others(tmp_path: Path) -> None:
    file = tmp_path / "a.zip"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("big.txt", "x" * 5_000)
        archive.writestr("small.txt", "small")
    big, small = load(file, LoadOptions(max_file_bytes=1_000))
    assert "limit" in big.metadata["skipped"]
    assert small.page_content == "small"


def test_a_bomb_in_gzip_ends_at_the_limit(tmp_path: Path) -> None:
    (tmp_path / "a.gz").write_bytes(gzip.compress(b"0" * 20_000_000))
    with pytest.raises(DocumentError, match="unpacks to more"):
        list(load(tmp_path / "a.gz", LoadOptions(max_unpacked_bytes=2**20)))


def test_nothing_is_left_in_the_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    file = zipped(tmp_path / "a.zip", **{"a.md": "# A", "b.md": "# B", "c.bin": b"\0\1"})
    pages = load(file)
    next(pages)
    pages.close()  # a reader that stops early
    list(load(file))
    assert list((tmp_path / "tmp").iterdir()) == []


def test_sheets_and_slides_of_opendocument_are_places(tmp_path: Path) -> None:
    sheet = (
        '<office:spreadsheet><table:table table:name="Rates"><table:table-row><table:table-cell><text:p>Rates</text:p>'
        "</table:table-cell></table:table-row><table:table-row><table:table-cell><text:p>Grade</text:p>"
        "</table:table-cell><table:table-cell><text:p>Rate</text:p></table:table-cell></table:table-row>"
        '<table:table-row table:number-rows-repeated="2"><table:table-cell><text:p>A</text:p></table:table-cell>'
        "<table:table-cell><text:p>12</text:p></table:table-cell>"
        '<table:table-cell table:number-columns-repeated="16000"/>'
        '</table:table-row><table:table-row table:number-rows-repeated="1048000"><table:table-cell/></table:table-row>'
        "</table:table></office:spreadsheet>"
    )
    [page] = load(opendocument(tmp_path / "a.ods", "spreadsheet", sheet))
    assert page.metadata["place"] == Place("sheet", "Rates")
    assert page.page_content == "## Rates\n\nRates\n\n| Grade | Rate |\n| --- | --- |\n| A | 12 |\n| A | 12 |"
    slides = (
        "<office:presentation><draw:page><draw:frame><draw:text-box><text:p>Body</text:p></draw:text-box></draw:frame>"
        "</draw:page><draw:page><draw:frame><draw:text-box><text:p>Two</text:p></draw:text-box></draw:frame></draw:page>"
        "</office:presentation>"
    )
    found = load(opendocument(tmp_path / "a.odp", "presentation", slides))
    assert [(page.page_content, page.metadata["place"]) for page in found] == [
        ("Body", Place("slide", 1)),
        ("Two", Place("slide", 2)),
    ]


def test_an_encrypted_opendocument_names_its_password(tmp_path: Path) -> None:
    file = opendocument(tmp_path / "a.odt", "text", "<office:text/>")
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr("META-INF/manifest.xml", "<manifest><encryption-data/></manifest>")
    with pytest.raises(DocumentError, match="password"):
        list(load(file))


def test_the_chapters_of_a_book_come_in_the_order_of_its_spine(tmp_path: Path) -> None:
    package = (
        '<package xmlns="http://www.idpf.org/2007/opf" xmlns:dc="http://purl.org/dc/elements/1.1/"><metadata>'
        "<dc:title>Handbook</dc:title><dc:creator>Ada</dc:creator><dc:language>en</dc:language></metadata><manifest>"
        '<item id="b" href="two%20b.xhtml" media-type="application/xhtml+xml"/>'
        '<item id="a" href="one.xhtml" media-type="application/xhtml+xml"/>'
        '<item id="n" href="nav.xhtml" properties="nav" media-type="application/xhtml+xml"/></manifest>'
        '<spine><itemref idref="n"/><itemref idref="a"/><itemref idref="b"/></spine></package>'
    )
    container = '<container><rootfiles><rootfile full-path="book/p.opf"/></rootfiles></container>'
    file = zipped(
        tmp_path / "a.epub",
        **{
            "mimetype": "application/epub+zip",
            "META-INF/container.xml": container,
            "book/p.opf": package,
            "book/one.xhtml": "<html><body><h1>One</h1></body></html>",
            "book/two b.xhtml": "<html><body><h1>Two</h1></body></html>",
            "book/nav.xhtml": "<html><body>Contents</body></html>",
        },
    )
    first, second = load(file)
    assert (first.page_content, second.page_content) == ("# One", "# Two")
    assert first.metadata == {"title": "Handbook", "author": "Ada", "language": "en"}
