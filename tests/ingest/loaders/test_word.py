"""What a person sees in a Word document is in the text: numbers, ticks, boxes, notes, comments, merged cells."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from ingest.loaders import LoadOptions, load
from ragvoice.errors import DocumentError

_NAMESPACES = (
    'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main" '
    'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships" '
    'xmlns:w14="http://schemas.microsoft.com/office/word/2010/wordml" '
    'xmlns:m="http://schemas.openxmlformats.org/officeDocument/2006/math" '
    'xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006" '
    'xmlns:wps="http://schemas.microsoft.com/office/word/2010/wordprocessingShape" '
    'xmlns:wp="http://schemas.openxmlformats.org/drawingml/2006/wordprocessingDrawing"'
)
_RELATION = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/"
_STYLES = "".join(
    f'<w:style w:type="paragraph" w:styleId="{id_}"><w:name w:val="{name}"/></w:style>'
    for id_, name in (("T", "Title"), ("H1", "heading 1"), ("H2", "heading 2"), ("C", "HTML Preformatted"))
)


def element(name: str, body: str) -> str:
    return f"<w:{name} {_NAMESPACES}>{body}</w:{name}>"


def package(body: str, **parts: str) -> bytes:
    """A document with further parts by their relationship: `footnotes="..."`."""
    parts = {"styles": _STYLES, **parts}
    relations = "".join(
        f'<Relationship Id="{name}" Type="{_RELATION}{name.rstrip("0123456789")}" Target="{name}.xml"/>'
        for name in parts
    )
    outer = "http://schemas.openxmlformats.org/package/2006/relationships"
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        main = f'<Relationship Id="a" Type="{_RELATION}officeDocument" Target="word/document.xml"/>'
        archive.writestr("_rels/.rels", f'<Relationships xmlns="{outer}">{main}</Relationships>')
        link = f'<Relationship Id="out" Type="{_RELATION}hyperlink" Target="https://a.example" TargetMode="External"/>'
        archive.writestr(
            "word/_rels/document.xml.rels", f'<Relationships xmlns="{outer}">{relations}{link}</Relationships>'
        )
        archive.writestr("word/document.xml", element("document", f"<w:body>{body}</w:body>"))
        for name, part in parts.items():
            archive.writestr(f"word/{name}.xml", element(name.rstrip("0123456789"), part))
    return stream.getvalue()


def text_of(folder: Path, data: bytes) -> str:
    (folder / "a.docx").write_bytes(data)
    [document] = load(folder / "a.docx", LoadOptions(ocr=False))
    return document.page_content


def paragraph(text: str, style: str = "", numbering: tuple[int, int] | None = None) -> str:
    properties = f'<w:pStyle w:val="{style}"/>' if style else ""
    if numbering:
        number, level = numbering
        properties += f'<w:numPr><w:ilvl w:val="{level}"/><w:numId w:val="{number}"/></w:numPr>'
    return f"<w:p><w:pPr>{properties}</w:pPr><w:r><w:t>{text}</w:t></w:r></w:p>"


def level(number: int, kind: str, text: str) -> str:
    return f'<w:lvl w:ilvl="{number}"><w:start w:val="1"/><w:numFmt w:val="{kind}"/><w:lvlText w:val="{text}"/></w:lvl>'


def numbering(*levels: str) -> str:
    return (
        f'<w:abstractNum w:abstractNumId="0">{"".join(levels)}</w:abstractNum>'
        '<w:num w:numId="1"><w:abstractNumId w:val="0"/></w:num>'
    )


def test_headings_stand_below_the_title(tmp_path: Path) -> None:
    body = paragraph("Handbook", "T") + paragraph("Leave", "H1") + paragraph("Annual", "H2") + paragraph("25 days.")
    assert text_of(tmp_path, package(body)) == "# Handbook\n\n## Leave\n\n### Annual\n\n25 days."


def test_numbers_of_clauses_are_computed_and_go_on_after_other_text(tmp_path: Path) -> None:
    levels = numbering(level(0, "decimal", "%1."), level(1, "lowerLetter", "%2)"), level(2, "lowerRoman", "%1.%3"))
    body = (
        paragraph("Scope", numbering=(1, 0))
        + paragraph("staff", numbering=(1, 1))
        + paragraph("guests", numbering=(1, 1))
        + paragraph("deep", numbering=(1, 2))
        + paragraph("Prose in between.")
        + paragraph("Terms", numbering=(1, 0))
    )
    assert text_of(tmp_path, package(body, numbering=levels)) == (
        "1. Scope\n   - a) staff\n   - b) guests\n      - 1.i deep\n\nProse in between.\n\n2. Terms"
    )


def test_a_numbered_heading_keeps_its_number(tmp_path: Path) -> None:
    body = paragraph("Scope", "H1", (1, 0)) + paragraph("Staff", "H2", (1, 1))
    text = text_of(
        tmp_path, package(body, numbering=numbering(level(0, "decimal", "%1"), level(1, "decimal", "%1.%2")))
    )
    assert text == "# 1 Scope\n\n## 1.1 Staff"


def test_merged_cells_repeat_their_text_and_a_nested_table_becomes_words(tmp_path: Path) -> None:
    def cell(body: str, properties: str = "") -> str:
        return f"<w:tc><w:tcPr>{properties}</w:tcPr>{body}</w:tc>"

    inner = f"<w:tbl><w:tr>{cell(paragraph('x'))}{cell(paragraph('y'))}</w:tr></w:tbl>"
    wide, tall, goes_on = '<w:gridSpan w:val="2"/>', '<w:vMerge w:val="restart"/>', "<w:vMerge/>"
    table = (
        f"<w:tbl><w:tr>{cell(paragraph('Site'))}{cell(paragraph('Hours | days'), wide)}</w:tr>"
        f"<w:tr>{cell(paragraph('Leeds'), tall)}{cell(paragraph('8'))}{cell(inner)}</w:tr>"
        f"<w:tr>{cell('<w:p/>', goes_on)}{cell(paragraph('9'))}{cell(paragraph('z'))}</w:tr></w:tbl>"
    )
    assert text_of(tmp_path, package(table)) == (
        "| Site | Hours \\| days | Hours \\| days |\n| --- | --- | --- |\n| Leeds | 8 | x y |\n| Leeds | 9 | z |"
    )


def test_what_was_deleted_is_gone_and_what_was_inserted_is_there(tmp_path: Path) -> None:
    body = (
        "<w:p><w:r><w:t>Rate: </w:t></w:r><w:del><w:r><w:delText>10</w:delText></w:r></w:del>"
        "<w:ins><w:r><w:t>12</w:t></w:r></w:ins><w:r><w:rPr><w:strike/></w:rPr><w:t>gross</w:t></w:r>"
        "<w:r><w:rPr><w:vanish/></w:rPr><w:t>secret</w:t></w:r></w:p>"
    )
    assert text_of(tmp_path, package(body)) == "Rate: 12~~gross~~"


def test_boxes_are_ticked_or_not_and_prompts_are_no_text(tmp_path: Path) -> None:
    def control(properties: str, text: str) -> str:
        run = f"<w:r><w:t>{text}</w:t></w:r>"
        return f"<w:sdt><w:sdtPr>{properties}</w:sdtPr><w:sdtContent>{run}</w:sdtContent></w:sdt>"

    def box(ticked: int) -> str:
        return control(f'<w14:checkbox><w14:checked w14:val="{ticked}"/></w14:checkbox>', "☒☐"[ticked - 1])

    body = (
        f"<w:p>{box(1)}<w:r><w:t>Tea</w:t></w:r></w:p><w:p>{box(0)}<w:r><w:t>Milk</w:t></w:r></w:p>"
        f"<w:p>{control('<w:showingPlcHdr/>', 'Click here to enter text.')}<w:r><w:t>End</w:t></w:r></w:p>"
    )
    assert text_of(tmp_path, package(body)) == "[x] Tea\n\n[ ] Milk\n\nEnd"


def test_a_text_box_is_read_once_after_its_paragraph(tmp_path: Path) -> None:
    content = f"<w:txbxContent>{paragraph('In the box')}</w:txbxContent>"
    body = (
        "<w:p><w:r><w:t>Before</w:t></w:r><w:r><mc:AlternateContent><mc:Choice><w:drawing><wps:txbx>"
        f"{content}</wps:txbx></w:drawing></mc:Choice><mc:Fallback><w:pict>{content}</w:pict></mc:Fallback>"
        "</mc:AlternateContent></w:r></w:p>" + paragraph("After")
    )
    assert text_of(tmp_path, package(body)) == "Before\n\nIn the box\n\nAfter"


def test_notes_comments_links_headers_and_footers(tmp_path: Path) -> None:
    body = (
        '<w:p><w:r><w:t>Leave</w:t></w:r><w:r><w:footnoteReference w:id="2"/></w:r>'
        '<w:r><w:commentReference w:id="7"/></w:r>'
        '<w:hyperlink r:id="out"><w:r><w:t> here</w:t></w:r></w:hyperlink></w:p>'
    )
    comment = f'<w:comment w:id="7" w:author="Ada" w:date="2026-01-02T03:04:05Z">{paragraph("Since when?")}</w:comment>'
    data = package(
        body,
        footnotes=f'<w:footnote w:id="2">{paragraph("Full time only.")}</w:footnote>',
        comments=comment,
        header1=paragraph("HR policy, version 3"),
        header2=paragraph("HR policy, version 3"),
        footer1=paragraph("Page 1 of 2"),
    )
    assert text_of(tmp_path, data) == (
        "HR policy, version 3\n\nLeave[^1][here](https://a.example)\n\n"
        "[author: Ada, time: 2026-01-02T03:04:05Z]: Since when?\n\n[^1]: Full time only."
    )


def test_equations_and_code(tmp_path: Path) -> None:
    fraction = "<m:f><m:fPr/><m:num><m:r><m:t>a</m:t></m:r></m:num><m:den><m:r><m:t>b</m:t></m:r></m:den></m:f>"
    body = f"<w:p><m:oMath>{fraction}</m:oMath></w:p>" + paragraph("x = 1", "C") + paragraph("y = 2", "C")
    assert text_of(tmp_path, package(body)) == "$\\frac{a}{b}$\n\n```\nx = 1\ny = 2\n```"


def test_the_strict_variant_is_read_too(tmp_path: Path) -> None:
    data = package(paragraph("Strict.", "H1"))
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(stream, "w") as new:
        for name in old.namelist():
            main = b"http://schemas.openxmlformats.org/wordprocessingml/2006/main"
            new.writestr(name, old.read(name).replace(main, b"http://purl.oclc.org/ooxml/wordprocessingml/main"))
    assert text_of(tmp_path, stream.getvalue()) == "# Strict."


def test_a_document_without_its_main_part_is_damaged(tmp_path: Path) -> None:
    (tmp_path / "a.docx").write_bytes(package(""))
    with zipfile.ZipFile(tmp_path / "b.docx", "w") as new, zipfile.ZipFile(tmp_path / "a.docx") as old:
        for name in old.namelist():
            if name != "_rels/.rels":
                new.writestr(name, old.read(name))
    with pytest.raises(DocumentError, match="damaged"):
        list(load(tmp_path / "b.docx"))
