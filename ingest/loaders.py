"""A file becomes pages of Markdown: one LangChain loader per media type, chosen by content.

Every loader yields LangChain `Document`s whose metadata may hold `page` (from 1) and `title`, and for a
`corpus.jsonl` also `doc_id`. A file that cannot be read raises `DocumentError` with a reason for the user.
"""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

from langchain_core.document_loaders import BaseLoader
from langchain_core.documents import Document

from ragvoice.errors import DocumentError

MAX_FILE_BYTES = 100 * 2**20
_FRONT_MATTER = re.compile(r"\A---\n(.*?)\n---\n", re.DOTALL)
_TEXT_SUFFIXES = {".txt", ".text", ".log", ""}
_MARKDOWN_SUFFIXES = {".md", ".markdown", ".mdx"}


class TextLoader(BaseLoader):
    """Plain text and Markdown in UTF-8 or UTF-16 (by byte order mark), else Windows-1252."""

    def __init__(self, path: Path):
        self._path = path

    def lazy_load(self) -> Iterator[Document]:
        text = decode_text(self._path.read_bytes())
        metadata: dict[str, object] = {}
        if (match := _FRONT_MATTER.match(text)) and (title := re.search(r"^title:\s*(.+)$", match[1], re.MULTILINE)):
            metadata["title"] = title[1].strip().strip("\"'")
        yield Document(text[match.end() :] if match else text, metadata=metadata)


class MarkItDownLoader(BaseLoader):
    """HTML and DOCX through markitdown."""

    def __init__(self, path: Path, suffix: str):
        self._path = path
        self._suffix = suffix

    def lazy_load(self) -> Iterator[Document]:
        from markitdown import MarkItDown, StreamInfo

        with self._path.open("rb") as stream:
            result = MarkItDown(enable_plugins=False).convert_stream(
                stream, stream_info=StreamInfo(extension=self._suffix)
            )
        yield Document(result.markdown, metadata={"title": result.title} if result.title else {})


class PdfLoader(BaseLoader):
    """One `Document` a page, headings and tables as Markdown. Pages without text are left empty."""

    def __init__(self, path: Path):
        self._path = path

    def lazy_load(self) -> Iterator[Document]:
        from liteparse import LiteParse

        # OCR is off because the parser's own would download its models.
        parsed = LiteParse(ocr_enabled=False, output_format="markdown", quiet=True).parse(self._path)
        if parsed.pages and not any(page.text.strip() for page in parsed.pages):
            raise DocumentError("scanned pages without a text layer; OCR is not supported yet")
        for page in parsed.pages:
            yield Document(page.markdown or page.text or "", metadata={"page": page.page_num})


class CorpusLoader(BaseLoader):
    """`corpus.jsonl`: one document a line, `{"id", "title", "text"}`."""

    def __init__(self, path: Path):
        self._path = path

    def lazy_load(self) -> Iterator[Document]:
        with self._path.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, start=1):
                if not line.strip():
                    continue
                try:
                    row = json.loads(line)
                    metadata = {"doc_id": str(row["id"]), "title": str(row.get("title") or "")}
                    yield Document(str(row["text"]), metadata=metadata)
                except (ValueError, KeyError, TypeError) as error:
                    raise DocumentError(f'line {number} is not an object with "id" and "text" ({error})') from error


def loader_for(path: Path) -> BaseLoader:
    """The loader that suits the file's content; its name decides only between kinds of text.

    :raises DocumentError: for a file that is empty, too large or of an unsupported kind.
    """
    size = path.stat().st_size
    if size == 0:
        raise DocumentError("empty file")
    if size > MAX_FILE_BYTES:
        raise DocumentError(f"{size // 2**20} MiB is more than the limit of {MAX_FILE_BYTES // 2**20} MiB for one file")
    with path.open("rb") as stream:
        head = stream.read(4096)
    suffix = path.suffix.lower()
    if b"%PDF-" in head[:1024]:
        return PdfLoader(path)
    if head.startswith(b"PK"):
        return _office_loader(path)
    if suffix in {".html", ".htm", ".xhtml"} or re.match(rb"\s*(<!doctype html|<html)", head, re.IGNORECASE):
        return MarkItDownLoader(path, ".html")
    if path.name == "corpus.jsonl":
        return CorpusLoader(path)
    if suffix in _TEXT_SUFFIXES | _MARKDOWN_SUFFIXES and not _looks_binary(head):
        return TextLoader(path)
    raise DocumentError(f"unsupported kind of file ({suffix or 'no suffix'})")


def load(path: Path) -> list[Document]:
    """All pages of a file, with no character that SQLite or a splitter could trip over.

    :raises DocumentError: with a reason that a knowledge owner understands.
    """
    try:
        pages = list(loader_for(path).lazy_load())
    except DocumentError:
        raise
    except MemoryError as error:
        raise DocumentError("too large to be parsed in memory") from error
    except Exception as error:  # parsers raise their own trees; one bad file must not stop the job
        reason = re.sub(r"\s+", " ", str(error)).strip()[:160] or type(error).__name__
        raise DocumentError(f"cannot be parsed: {reason}") from error
    for page in pages:
        page.page_content = page.page_content.replace("\x00", "").replace("\r\n", "\n").replace("\r", "\n")
    if not any(page.page_content.strip() for page in pages):
        raise DocumentError("no text in it")
    return pages


def decode_text(data: bytes) -> str:
    """Bytes of a text file as text; Windows-1252 is the fallback because it is what old office files use."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", errors="replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace")


def _looks_binary(head: bytes) -> bool:
    return b"\x00" in head and not head.startswith((b"\xff\xfe", b"\xfe\xff"))


def _office_loader(path: Path) -> BaseLoader:
    try:
        with zipfile.ZipFile(path) as archive:
            names = set(archive.namelist())
            unpacked = sum(info.file_size for info in archive.infolist())
    except zipfile.BadZipFile as error:
        raise DocumentError("a damaged archive") from error
    if unpacked > 10 * MAX_FILE_BYTES:
        raise DocumentError("unpacks to more than a gigabyte")
    if "word/document.xml" in names:
        return MarkItDownLoader(path, ".docx")
    raise DocumentError(f"unsupported kind of file ({path.suffix.lower() or 'zip archive'})")
