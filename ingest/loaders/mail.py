"""E-mail: one message (EML, RFC 822) or a mailbox (mbox); attachments are parts of their own."""

from __future__ import annotations

import email
import mailbox
import tempfile
from collections.abc import Callable, Iterator
from email import policy
from email.message import EmailMessage
from pathlib import Path

from langchain_core.document_loaders import BaseLoader
from langchain_core.documents import Document

from ragvoice.errors import DocumentError

LoadPart = Callable[[Path, str], Iterator[Document]]
"""(file, name of the part) -> its documents, or one that says why it was skipped."""

_SHOWN = ("From", "To", "Cc", "Date")
_ENCRYPTED = {"multipart/encrypted", "application/pkcs7-mime", "application/x-pkcs7-mime"}


class MailLoader(BaseLoader):
    """The subject as the title, the plain text or else the HTML, then the attachments."""

    def __init__(self, path: Path, load_part: LoadPart):
        self._path = path
        self._load_part = load_part

    def lazy_load(self) -> Iterator[Document]:
        message = email.message_from_bytes(self._path.read_bytes(), policy=policy.default)
        assert isinstance(message, EmailMessage)
        yield from _documents(message, "", self._load_part)


class MailboxLoader(BaseLoader):
    """Every message is a part, named by its number from 1."""

    def __init__(self, path: Path, load_part: LoadPart):
        self._path = path
        self._load_part = load_part

    def lazy_load(self) -> Iterator[Document]:
        box = mailbox.mbox(self._path, create=False)
        for number, key in enumerate(box.keys(), start=1):
            message = email.message_from_bytes(box.get_bytes(key), policy=policy.default)
            assert isinstance(message, EmailMessage)
            try:
                yield from _documents(message, str(number), self._load_part)
            except DocumentError as error:
                yield Document("", metadata={"part": str(number), "skipped": str(error)})


def _documents(message: EmailMessage, part: str, load_part: LoadPart) -> Iterator[Document]:
    if message.get_content_type() in _ENCRYPTED:
        raise DocumentError("an encrypted mail; save it decrypted")
    subject = _header(message, "Subject")
    headers = [f"{name}: {_header(message, name)}" for name in _SHOWN if _header(message, name)]
    title = f"# {subject}" if subject else ""
    text = "\n\n".join(filter(None, (title, "  \n".join(headers), _body(message))))
    yield Document(text, metadata={"part": part, "title": subject} if subject else {"part": part})
    with tempfile.TemporaryDirectory() as folder:
        for number, attachment in enumerate(_attachments(message), start=1):
            name = Path(attachment.get_filename() or f"attachment-{number}.eml").name or f"attachment-{number}"
            file = Path(folder) / str(number) / name.replace("\0", "")[-100:]
            file.parent.mkdir()
            file.write_bytes(_bytes(attachment))
            yield from load_part(file, f"{part}/{name}" if part else name)


def _header(message: EmailMessage, name: str) -> str:
    try:
        return " ".join(str(message.get(name) or "").split())
    except (ValueError, TypeError, AttributeError, IndexError, LookupError):  # the parser trips over broken headers
        raw = next((value for key, value in message.raw_items() if key.lower() == name.lower()), "")
        return " ".join(str(raw).split())


def _body(message: EmailMessage) -> str:
    from ingest.loaders import decode_text, html_to_markdown

    try:
        body = message.get_body(("plain", "html"))
    except (AttributeError, KeyError, LookupError):
        body = None
    if body is None:
        return ""
    assert isinstance(body, EmailMessage)
    try:
        text = str(body.get_content())
    except (LookupError, ValueError, AttributeError):  # an unknown or wrong charset
        text = decode_text(_bytes(body))
    return html_to_markdown(text) if body.get_content_subtype() == "html" else text


def _attachments(message: EmailMessage) -> Iterator[EmailMessage]:
    try:
        for part in message.iter_attachments():
            assert isinstance(part, EmailMessage)
            yield part
    except (AttributeError, KeyError, TypeError):  # a multipart that is none
        return


def _bytes(part: EmailMessage) -> bytes:
    if part.get_content_type() == "message/rfc822":
        inner = part.get_payload(0) if part.is_multipart() else part
        return inner.as_bytes() if isinstance(inner, EmailMessage) else b""
    payload = part.get_payload(decode=True)
    return payload if isinstance(payload, bytes) else b""
