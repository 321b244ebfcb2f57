"""Mail of all kinds becomes one text with its headers, once, and its attachments."""

from __future__ import annotations

from email.message import EmailMessage
from pathlib import Path

import pytest

from ingest.loaders import load
from ingest.loaders.outlook import _html_of_rtf, _uncompressed
from ragvoice.errors import DocumentError


def written(folder: Path, data: bytes, name: str = "a.eml") -> Path:
    (folder / name).write_bytes(data)
    return folder / name


def message(**headers: str) -> EmailMessage:
    mail = EmailMessage()
    for name, value in {"From": "ada@example.com", "To": "bob@example.com", "Subject": "Gate", **headers}.items():
        mail[name] = value
    return mail


def test_headers_stand_above_the_text(tmp_path: Path) -> None:
    mail = message(Cc="eve@example.com", Date="Fri, 16 Dec 2022 17:04:16 -0500")
    mail.set_content("Closes at six.")
    [page] = load(written(tmp_path, bytes(mail)))
    assert page.page_content == (
        "# Gate\n\nFrom: ada@example.com\nTo: bob@example.com\nCc: eve@example.com\n"
        "Date: Fri, 16 Dec 2022 17:04:16 -0500\n\nCloses at six."
    )
    assert page.metadata == {"title": "Gate", "author": "ada@example.com", "created": "2022-12-16T17:04:16-05:00"}


def test_plain_text_wins_unless_it_is_only_a_hint(tmp_path: Path) -> None:
    both = message()
    both.set_content("Closes at six, as on every day of the week.")
    both.add_alternative("<p>Closes at six, as on <b>every</b> day of the week.</p>", subtype="html")
    [page] = load(written(tmp_path, bytes(both)))
    assert page.page_content.count("Closes at six") == 1
    hint = message()
    hint.set_content("See HTML.")
    hint.add_alternative(f"<h1>News</h1><p>{'Closes at six. ' * 10}</p>", subtype="html")
    [page] = load(written(tmp_path, bytes(hint)))
    assert "# News" in page.page_content
    assert "See HTML" not in page.page_content


def test_attachments_of_one_name_and_mails_in_mails_are_parts(tmp_path: Path) -> None:
    inner = message(Subject="Inner")
    inner.set_content("Deep.")
    inner.add_attachment("c", filename="c.txt")
    mail = message()
    mail.set_content("Text.")
    mail.add_attachment("one", filename="a.txt")
    mail.add_attachment("two", filename="a.txt")
    mail.add_attachment(inner)
    found = [
        (page.metadata.get("part", ""), page.page_content.strip()[-5:]) for page in load(written(tmp_path, bytes(mail)))
    ]
    assert found == [("", "Text."), ("a.txt", "one"), ("a (2).txt", "two"), ("Inner", "Deep."), ("Inner!/c.txt", "c")]


@pytest.mark.parametrize(
    ("header", "text"),
    [
        (b"Subject: =?utf-8?b?R3LDvMOfZQ==?=", "Grüße"),
        ("Subject: Grüße".encode(), "Grüße"),
        ("Subject: Grüße".encode("cp1252"), "Grüße"),
        (b"Subject: =?x-unknown?q?Hi?=", "Hi"),
        (b"Subject: one\r\n two", "one two"),
    ],
)
def test_headers_of_real_mail(tmp_path: Path, header: bytes, text: str) -> None:
    [page] = load(written(tmp_path, header + b"\nFrom: a@example.com\nDate: never\n\nText."))
    assert page.metadata["title"] == text


def test_text_that_is_utf8_whatever_it_says(tmp_path: Path) -> None:
    data = b"Subject: x\nContent-Type: text/plain; charset=iso-8859-1\n\n" + "Grüße".encode()
    [page] = load(written(tmp_path, data))
    assert page.page_content.endswith("Grüße")


@pytest.mark.parametrize(
    "body",
    [
        "Content-Type: multipart/encrypted; boundary=b\n\n--b\nContent-Type: text/plain\n\nx\n--b--\n",
        "Content-Type: application/pkcs7-mime; smime-type=enveloped-data\n\nMIAG\n",
        "Content-Type: text/plain\n\n-----BEGIN PGP MESSAGE-----\nabc\n-----END PGP MESSAGE-----\n",
    ],
)
def test_encrypted_mail_says_so(tmp_path: Path, body: str) -> None:
    with pytest.raises(DocumentError, match="encrypted"):
        list(load(written(tmp_path, f"Subject: x\nFrom: a@example.com\n{body}".encode())))


def test_a_mailbox_with_an_encrypted_message_keeps_the_others(tmp_path: Path) -> None:
    box = (
        "From a@b Sat Jan  3 01:05:34 2026\nSubject: One\nFrom: a@b\nTo: c@d\n\nFirst.\n>From the start.\n\n"
        "From a@b Sat Jan  3 01:05:34 2026\nSubject: Two\nFrom: a@b\nContent-Type: application/pkcs7-mime\n\nMIAG\n\n"
        "From a@b Sat Jan  3 01:05:34 2026\nSubject: Three\nFrom: a@b\n\nThird.\n"
    )
    pages = list(load(written(tmp_path, box.encode(), "inbox")))
    assert [(page.metadata["part"], page.metadata.get("title"), "skipped" in page.metadata) for page in pages] == [
        ("1", "One", False),
        ("2", None, True),
        ("3", "Three", False),
    ]
    assert pages[0].page_content.endswith("First.\nFrom the start.")


def test_the_example_of_compressed_rtf_in_the_specification() -> None:
    # [MS-OXRTFCP] 4.1.1
    data = bytes.fromhex(
        "2d0000002b0000004c5a4675f1c5c7a703000a007263706731323542320af32068656c090020627705b06c647d0a800fa0"
    )
    assert _uncompressed(data) == b"{\\rtf1\\ansi\\ansicpg1252\\pard hello world}\r\n"


def test_html_inside_rtf_comes_out() -> None:
    rtf = rb"{\rtf1\ansi\fromhtml1 {\*\htmltag64 <p>}Gr\'fc\'dfe\htmlrtf \b\htmlrtf0  and \{more\}{\*\htmltag72 </p>}}"
    assert "<p>Grüße and {more}</p>" in _html_of_rtf(rtf)
