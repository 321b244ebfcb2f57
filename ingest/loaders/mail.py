"""E-mail in RFC 822 (EML) and mailboxes (mbox): headers, one body, and every attachment as a part."""

from __future__ import annotations

import mimetypes
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.message import Message
from email.utils import parsedate_to_datetime
from pathlib import Path

from langchain_core.documents import Document

from ingest.loaders.html import read_html
from ingest.loaders.options import LoadOptions
from ingest.loaders.properties import kept_properties
from ingest.loaders.text import decode_text
from ingest.loaders.unpacking import Unpacking
from ragvoice.errors import DocumentError

ENCRYPTED = "encrypted mail: save it decrypted"
_SHOWN = ("From", "To", "Cc", "Date")
_SIGNATURES = {"application/pgp-signature", "application/pkcs7-signature", "application/x-pkcs7-signature"}
_SMIME = {"application/pkcs7-mime", "application/x-pkcs7-mime"}
_NOT_EIGHT_BIT = ("utf-16", "utf-32", "utf-7", "iso-2022", "hz")
_MAX_DEPTH = 20


@dataclass
class _Content:
    texts: list[str] = field(default_factory=list)
    attachments: list[Message] = field(default_factory=list)


def load_mail(path: Path, options: LoadOptions, unpacking: Unpacking) -> Iterator[Document]:
    data = re.sub(rb"\A\s*(?:From [^\n]*\n)?", b"", path.read_bytes())
    message = message_from_bytes(data, policy=policy.compat32)
    content = _Content()
    _collect(message, content, 0)
    headers = {name: header(message, name) for name in ("Subject", "Content-Language", *_SHOWN)}
    sent = _sent(message)
    yield mail_document(headers, "\n\n".join(content.texts), sent)
    for number, attachment in enumerate(content.attachments, start=1):
        unpacking.count_member()
        data = _bytes(attachment)
        if data:
            yield from unpacking.part(_name(attachment, number), [data])


def mail_document(headers: dict[str, str], body: str, sent: datetime | None) -> Document:
    """The subject as heading, then who wrote to whom and when, then the text."""
    if "-----BEGIN PGP MESSAGE-----" in body:
        raise DocumentError(ENCRYPTED)
    subject = headers.get("Subject", "")
    lines = [f"{name}: {headers[name]}" for name in _SHOWN if headers.get(name)]
    text = "\n\n".join(part for part in (f"# {subject}" if subject else "", "\n".join(lines), body.strip()) if part)
    stated = {
        "author": headers.get("From", ""),
        "created": sent.isoformat() if sent is not None else "",
        "language": headers.get("Content-Language", "").partition(",")[0],
    }
    return Document(text, metadata={**({"title": subject} if subject else {}), **kept_properties(stated)})


def load_mbox(path: Path, options: LoadOptions, unpacking: Unpacking) -> Iterator[Document]:
    """Every message is a part named by its number from 1."""
    for number, message in enumerate(_messages(path), start=1):
        unpacking.count_member()
        yield from unpacking.part(str(number), [message], suffix=".eml")


def _messages(path: Path) -> Iterator[bytes]:
    """Between lines that begin with `From ` after an empty line; `>From ` is how the text writes it."""
    lines: list[bytes] = []
    after_empty = True
    with path.open("rb") as stream:
        for line in stream:
            if after_empty and line.startswith(b"From "):
                if any(one.strip() for one in lines):
                    yield b"".join(lines)
                lines = []
            else:
                lines.append(line[1:] if re.match(rb">+From ", line) else line)
            after_empty = not line.strip()
    if any(one.strip() for one in lines):
        yield b"".join(lines)


def header(message: Message, name: str) -> str:
    """Decoded; raw eight-bit headers, which real mail has, are guessed like text."""
    values = []
    for key, value in message.raw_items():
        if key.lower() != name.lower():
            continue
        text = decode_text(str(value).encode("utf-8", "surrogateescape"))
        try:
            text = str(make_header(decode_header(text)))
        except (LookupError, ValueError, UnicodeError):  # an unknown or wrong charset
            text = re.sub(r"=\?[^?]*\?[bqBQ]\?([^?]*)\?=", r"\1", text)
        values.append(" ".join(text.split()))
    return ", ".join(value for value in values if value)


def _sent(message: Message) -> datetime | None:
    try:
        return parsedate_to_datetime(str(message.get("Date")))
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _collect(part: Message, content: _Content, depth: int) -> None:
    """Bodies and attachments below a part, in order.

    :raises DocumentError: it is encrypted.
    """
    kind = part.get_content_type()
    if kind == "multipart/encrypted" or (kind in _SMIME and part.get_param("smime-type") != "signed-data"):
        raise DocumentError(ENCRYPTED)
    if kind in _SIGNATURES or depth > _MAX_DEPTH:
        return
    if kind == "multipart/alternative":
        _collect_alternative(_below(part), content, depth)
    elif part.is_multipart() and kind != "message/rfc822":
        for child in _below(part):
            _collect(child, content, depth + 1)
    elif kind in {"text/plain", "text/html"} and not _is_file(part):
        if text := _text(part).strip():
            content.texts.append(text)
    elif not part.is_multipart() or kind == "message/rfc822":
        content.attachments.append(part)


def _collect_alternative(choices: list[Message], content: _Content, depth: int) -> None:
    """The plain text, unless it is empty or no more than a hint that there is HTML; attachments of all."""
    found = []
    for choice in choices:
        one = _Content()
        _collect(choice, one, depth + 1)
        is_plain = choice.get_content_type() == "text/plain"
        content.attachments += [part for part in one.attachments if part.get_content_type() != "text/calendar"]
        if one.texts:
            found.append((is_plain, one.texts))
    plain = [texts for is_plain, texts in found if is_plain]
    others = [texts for is_plain, texts in found if not is_plain]
    characters = [sum(map(len, texts)) for texts in (*plain[:1], *others[-1:])]
    if plain and (not others or characters[0] * 5 > characters[1]):
        content.texts += plain[0]
    elif others:
        content.texts += others[-1]


def _below(part: Message) -> list[Message]:
    payload = part.get_payload()
    return [one for one in payload if isinstance(one, Message)] if isinstance(payload, list) else []


def _is_file(part: Message) -> bool:
    return part.get_content_disposition() == "attachment" or bool(_filename(part))


def _text(part: Message) -> str:
    data = _bytes(part)
    charset = str(part.get_content_charset() or "")
    try:
        # Valid UTF-8 beyond ASCII is never an accident, whatever eight-bit set the mail names.
        text = data.decode(charset if charset.startswith(_NOT_EIGHT_BIT) else "utf-8-sig")
    except (LookupError, ValueError):
        try:
            text = data.decode(charset or "unknown")
        except (LookupError, ValueError):
            text = decode_text(data)
    return read_html(text).markdown if part.get_content_type() == "text/html" else text.replace("\r\n", "\n")


def _bytes(part: Message) -> bytes:
    if part.get_content_type() == "message/rfc822":
        inner = _below(part)
        try:
            return inner[0].as_bytes() if inner else b""
        except (LookupError, ValueError, UnicodeError):
            return str(inner[0]).encode("utf-8", "replace")
    try:
        payload = part.get_payload(decode=True)
    except (LookupError, ValueError, AssertionError):
        payload = None
    return payload if isinstance(payload, bytes) else b""


def _filename(part: Message) -> str:
    try:
        name = part.get_filename() or ""
        return " ".join(str(make_header(decode_header(name))).split())
    except (LookupError, ValueError, UnicodeError, TypeError):
        return "attachment"


def _name(part: Message, number: int) -> str:
    if name := _filename(part):
        return name
    if part.get_content_type() == "message/rfc822":
        inner = _below(part)
        return f"{header(inner[0], 'Subject') if inner else ''}"[:100].replace("/", "-").strip() or f"message {number}"
    return f"attachment-{number}{mimetypes.guess_extension(part.get_content_type()) or ''}"
