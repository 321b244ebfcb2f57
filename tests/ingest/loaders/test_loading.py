"""Each kind of file becomes text, and a bad file becomes one reason that its owner understands."""

from __future__ import annotations

import io
import json
import os
import pickle
from pathlib import Path

import docx
import pytest
from fpdf import FPDF

from ingest.loaders import DEFAULT_OPTIONS, FileLoader, LoadOptions, decode_text, load, storable
from ragvoice.datatypes import Place
from ragvoice.errors import DocumentError


def loaded(folder: Path, name: str, data: bytes) -> tuple[str, str]:
    """(text, title) of the only page."""
    (folder / name).write_bytes(data)
    [page] = load(folder / name)
    return page.page_content, page.metadata.get("title", "")


def pdf(*pages: str) -> bytes:
    document = FPDF()
    document.set_font("helvetica", size=12)
    for text in pages:
        document.add_page()
        if text:
            document.multi_cell(0, 8, text)
    return bytes(document.output())


def word(*paragraphs: tuple[str, str]) -> bytes:
    """(style, text) of each."""
    document = docx.Document()
    for style, text in paragraphs:
        document.add_paragraph(text, style=style)
    table = document.add_table(rows=2, cols=2)
    for cell, text in zip([*table.rows[0].cells, *table.rows[1].cells], ["Site", "Days", "Leeds", "25"], strict=True):
        cell.text = text
    stream = io.BytesIO()
    document.save(stream)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("Café €5 \U0001f600".encode(), "Café €5 \U0001f600"),
        ("Café".encode("utf-8-sig"), "Café"),
        ("Café €5".encode("utf-16"), "Café €5"),
        ("Café 5".encode("utf-16-be"), "Café 5"),
        ("Café 5".encode("utf-32-le"), "Café 5"),
        ("Café €5, 20 m²".encode("iso8859-15"), "Café €5, 20 m²"),
        ("Сотрудники имеют право на ежегодный отпуск.".encode("koi8-r"), "Сотрудники имеют право на ежегодный отпуск."),
        ("社員は年間二十日の有給休暇を取得する。".encode("shift_jis"), "社員は年間二十日の有給休暇を取得する。"),
        ("Wniosek należy złożyć u przełożonego.".encode("cp1250"), "Wniosek należy złożyć u przełożonego."),
        ("Grüße aus Köln, ".encode() + b"\xff und mehr", "Grüße aus Köln, \ufffd und mehr"),
        (b"\xfe\xff" + "Café".encode("utf-16-be"), "Café"),
        ("Café “5”".encode("cp1252"), "Café “5”"),
        (b"one\r\ntwo\rthree", "one\ntwo\nthree"),
    ],
)
def test_text_in_the_encodings_of_real_offices(tmp_path: Path, data: bytes, text: str) -> None:
    assert loaded(tmp_path, "a.txt", data) == (text, "")


def test_front_matter_of_markdown_gives_the_title_and_is_no_text(tmp_path: Path) -> None:
    data = b'---\ntitle: "Home working"\ntags:\n  - hr\n- x\n# note\n\nowner: HR\n---\n# Heading\nBody'
    assert loaded(tmp_path, "a.md", data) == ("\n# Heading\nBody", "Home working")
    assert loaded(tmp_path, "b.md", data.replace(b"\n", b"\r\n")) == ("\n# Heading\nBody", "Home working")
    assert loaded(tmp_path, "c.md", b"---\nowner: HR\n---\nBody") == ("\nBody", "")


@pytest.mark.parametrize(
    "text", ["---\nNobody may smoke here.\n---\nAnywhere.", "---\nno end: here", "text\n---\na: b\n---\n"]
)
def test_what_only_looks_like_front_matter_stays(tmp_path: Path, text: str) -> None:
    assert loaded(tmp_path, "a.md", text.encode()) == (text, "")


def test_front_matter_of_plain_text_stays(tmp_path: Path) -> None:
    assert loaded(tmp_path, "a.txt", b"---\na: b\n---\nrest")[0] == "---\na: b\n---\nrest"


def test_html_becomes_markdown_without_scripts(tmp_path: Path) -> None:
    html = (
        "<html><head><title>Benefits\n 2026</title></head><body><h1>Café</h1><script>steal()</script>"
        "<p>Line &amp; more</p><table><tr><th>Site</th><th>Days</th></tr>"
        "<tr><td>Leeds</td><td>25</td></tr></table></body>"
    )
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        text, title = loaded(tmp_path, "a.html", html.encode(encoding))
        assert title == "Benefits 2026"
        assert "# Café" in text
        assert "Line & more" in text
        assert "| Leeds | 25 |" in text
        assert "steal" not in text


def test_html_is_known_by_its_content(tmp_path: Path) -> None:
    assert loaded(tmp_path, "page.txt", b"  <!DOCTYPE html><html><body><h2>Hi</h2></body></html>")[0] == "## Hi"


def test_a_pdf_is_one_page_each_counted_from_1(tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(pdf("First page about leave.", "", "Third page about pay."))
    pages = list(load(tmp_path / "a.pdf"))
    assert [page.metadata["place"] for page in pages] == [Place("page", number) for number in (1, 2, 3)]
    assert "leave" in pages[0].page_content
    assert pages[1].page_content.strip() == ""
    assert "pay" in pages[2].page_content


def test_a_pdf_without_text_says_that_ocr_is_off(tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(pdf("", ""))
    with pytest.raises(DocumentError, match="OCR is switched off"):
        list(load(tmp_path / "a.pdf", LoadOptions(ocr=False)))


def test_an_encrypted_pdf_says_so(tmp_path: Path) -> None:
    document = FPDF()
    document.set_encryption(owner_password="owner", user_password="user")
    document.add_page()
    with pytest.raises(DocumentError, match=r"^encrypted: it opens only with a password"):
        loaded(tmp_path, "a.pdf", bytes(document.output()))


def test_word_becomes_headings_and_tables(tmp_path: Path) -> None:
    text, _ = loaded(tmp_path, "a.docx", word(("Heading 1", "Leave"), ("Normal", "Everybody gets some.")))
    assert "# Leave" in text
    assert "Everybody gets some." in text
    assert "| Leeds | 25 |" in text


def test_word_is_known_by_its_content(tmp_path: Path) -> None:
    assert "Renamed." in loaded(tmp_path, "a.bin", word(("Normal", "Renamed.")))[0]


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("a.md", b"", "empty file"),
        ("a.md", b" \n\n ", "no text"),
        ("a.md", b"\x00\x01\x02", "unsupported"),
        ("a.exe", b"MZ\x00\x01 rest", "unsupported kind of file \\(.exe\\)"),
        ("a.7z", b"7z\xbc\xaf\x27\x1c\x00", "pack it as ZIP"),
        ("a.pdf", b"%PDF-1.7 broken", "a damaged PDF"),
        ("a.docx", b"PK\x03\x04broken", "damaged archive"),
        ("a.docx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "damaged"),
        ("a.html", b"<html><body></body></html>", "no text"),
    ],
)
def test_a_bad_file_has_one_reason(tmp_path: Path, name: str, data: bytes, reason: str) -> None:
    with pytest.raises(DocumentError, match=reason) as caught:
        loaded(tmp_path, name, data)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["PKW park in lot 4.", "The first bytes are %PDF-1.7, always."])
def test_text_that_mentions_the_marks_of_other_formats_is_text(tmp_path: Path, text: str) -> None:
    assert loaded(tmp_path, "a.txt", text.encode())[0] == text


def test_a_file_over_the_limit_is_refused_unread(tmp_path: Path) -> None:
    with (tmp_path / "a.txt").open("wb") as file:
        file.truncate(DEFAULT_OPTIONS.max_file_bytes + 1)  # sparse: takes no room
    with pytest.raises(DocumentError, match="limit"):
        list(load(tmp_path / "a.txt"))


def test_a_corpus_is_one_document_a_line_and_bad_lines_are_named(tmp_path: Path) -> None:
    rows = [
        json.dumps({"id": "a", "title": "A", "text": "one\u2028two"}, ensure_ascii=False),
        "not json",
        "",
        '{"id": "b"}',
        '{"id": null, "text": "x"}',
        '{"id": "c", "text": "  "}',
        '["list"]',
        '{"id": 7, "text": "seven \\ud800 \\u0000"}',
    ]
    (tmp_path / "corpus.jsonl").write_text("\ufeff" + "\n".join(rows), encoding="utf-8")
    rows_read = list(load(tmp_path / "corpus.jsonl"))
    found = [row for row in rows_read if "skipped" not in row.metadata]
    assert [(row.metadata["doc_id"], row.metadata.get("title", ""), row.page_content) for row in found] == [
        ("a", "A", "one\u2028two"),
        ("7", "", "seven ? "),
    ]
    bad = [row.metadata["part"] for row in rows_read if "skipped" in row.metadata]
    assert bad == ["line 2", "line 4", "line 5", "line 6", "line 7"]


def test_storable_text_has_nothing_that_sqlite_refuses_or_cuts() -> None:
    assert storable("a\x00b\ud800c\r\nd\re\U0001f600") == "ab?c\nd\ne\U0001f600"


def test_bytes_that_no_encoding_has_are_replaced() -> None:
    assert decode_text(b"a\x81b") == "a�b"


def test_terminal_controls_do_not_survive() -> None:
    assert storable("a\x1b[2Jb\x07c\x7f") == "a[2Jbc"


def test_a_file_with_an_unknown_suffix_is_read_when_it_is_text(tmp_path: Path) -> None:
    assert loaded(tmp_path, "a.xyz", b"Opens at eight.")[0] == "Opens at eight."


def test_a_name_of_odd_bytes_is_no_obstacle(tmp_path: Path) -> None:
    name = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9\n.md")
    Path(name).write_bytes(b"# Menu")
    assert [page.page_content for page in load(Path(name))] == ["# Menu"]


def test_more_text_than_the_limit_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("x" * 101)
    with pytest.raises(DocumentError, match="more text than the limit of 100 characters"):
        list(load(tmp_path / "a.txt", LoadOptions(max_characters=100)))


def test_options_travel_to_another_process() -> None:
    assert pickle.loads(pickle.dumps(DEFAULT_OPTIONS)) == DEFAULT_OPTIONS


def test_the_langchain_loader_yields_the_same(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("# A")
    assert FileLoader(tmp_path / "a.md").load() == list(load(tmp_path / "a.md"))
