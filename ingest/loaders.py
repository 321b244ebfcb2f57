"""A file becomes pages of Markdown: one LangChain loader per media type, chosen by content.

Every loader yields LangChain `Document`s whose metadata may hold `page` (from 1) and `title`, and for a
`corpus.jsonl` also `doc_id`. A file that cannot be read raises `DocumentError` with a reason for the user; of a
`corpus.jsonl` only the lines that cannot be used are left out.
"""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from langchain_core.document_loaders import BaseLoader
from langchain_core.documents import Document

from ragvoice.errors import DocumentError

if TYPE_CHECKING:
    from markitdown import MarkItDown

MAX_FILE_BYTES = 100 * 2**20
CORPUS_FILE = "corpus.jsonl"
_FENCE_OF_FRONT_MATTER = re.compile(r"^(?:---|\.\.\.)[ \t]*$", re.MULTILINE)
_LINE_OF_FRONT_MATTER = re.compile(r"[\w.-]+[ \t]*:|[ \t#-]|$")
_TEXT_SUFFIXES = {".txt", ".text", ".log", ""}
_MARKDOWN_SUFFIXES = {".md", ".markdown", ".mdx"}


class TextLoader(BaseLoader):
    """Plain text and Markdown in UTF-8 or UTF-16 (by byte order mark), else Windows-1252."""

    def __init__(self, path: Path):
        self._path = path

    def lazy_load(self) -> Iterator[Document]:
        text = decode_text(self._path.read_bytes())
        if self._path.suffix.lower() in _MARKDOWN_SUFFIXES:
            title, text = _without_front_matter(text)
            yield Document(text, metadata={"title": title} if title else {})
        else:
            yield Document(text)


class MarkItDownLoader(BaseLoader):
    """HTML and DOCX through markitdown."""

    def __init__(self, path: Path, suffix: str):
        self._path = path
        self._suffix = suffix

    def lazy_load(self) -> Iterator[Document]:
        from markitdown import StreamInfo

        with self._path.open("rb") as stream:
            result = _markitdown().convert_stream(stream, stream_info=StreamInfo(extension=self._suffix))
        yield Document(result.markdown, metadata={"title": result.title} if result.title else {})


@lru_cache(maxsize=1)
def _markitdown() -> MarkItDown:
    """One for all files: making it loads a model that guesses file types, which takes longer than most files."""
    from markitdown import MarkItDown

    return MarkItDown(enable_plugins=False)


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
            # The Markdown of an empty page is an empty code block.
            text = (page.markdown or page.text) if page.text.strip() else ""
            yield Document(text, metadata={"page": page.page_num})


class CorpusLoader(BaseLoader):
    """`corpus.jsonl`: one document a line, `{"id", "title", "text"}`."""

    def __init__(self, path: Path, bad_line: Callable[[int, str], None] = lambda number, reason: None):
        """:param bad_line: Called with the number (from 1) of each line that cannot be used, and why."""
        self._path = path
        self._bad_line = bad_line

    def lazy_load(self) -> Iterator[Document]:
        with self._path.open(encoding="utf-8-sig", errors="replace") as lines:
            for number, line in enumerate(lines, start=1):
                if not line.strip():
                    continue
                try:
                    yield _row(json.loads(line))
                except (ValueError, RecursionError) as error:
                    self._bad_line(number, f'not an object with "id" and "text" ({error})')


def _row(row: object) -> Document:
    """:raises ValueError: saying what is wrong with the row."""
    if not isinstance(row, dict):
        raise ValueError(f"it is a {type(row).__name__}")
    id_, title, text = row.get("id"), row.get("title") or "", row.get("text")
    if isinstance(id_, bool) or not isinstance(id_, str | int) or not str(id_).strip():
        raise ValueError(f"the id is {id_!r}")
    if not isinstance(text, str) or not text.strip():
        raise ValueError("the text is empty or no string")
    return Document(storable(text), metadata={"doc_id": storable(str(id_)), "title": storable(str(title))})


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
    if head.lstrip().startswith(b"%PDF-") or (suffix == ".pdf" and b"%PDF-" in head[:1024]):
        return PdfLoader(path)
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _office_loader(path)
    if head.startswith(b"\xd0\xcf\x11\xe0"):
        raise DocumentError("an Office file with a password, or in the format before 2007; save it anew without")
    if suffix in {".html", ".htm", ".xhtml"} or re.match(rb"\s*(<!doctype html|<html)", head, re.IGNORECASE):
        return MarkItDownLoader(path, ".html")
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
        page.page_content = storable(page.page_content)
        if "title" in page.metadata:
            page.metadata["title"] = " ".join(storable(str(page.metadata["title"])).split())
    if not any(page.page_content.strip() for page in pages):
        raise DocumentError("no text in it")
    return pages


def storable(text: str) -> str:
    r"""Newlines as `\n`, and no NUL or lone surrogate: SQLite ends a text at the one and refuses the other."""
    text = text.replace("\x00", "").replace("\r\n", "\n").replace("\r", "\n")
    return text.encode("utf-8", errors="replace").decode("utf-8")


def decode_text(data: bytes) -> str:
    """Bytes of a text file as text; Windows-1252 is the fallback because it is what old office files use."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", errors="replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace")


def _without_front_matter(text: str) -> tuple[str, str]:
    """The title that the YAML block at the top states (or an empty string), and the text below the block."""
    text = text.replace("\r\n", "\n")
    end = _FENCE_OF_FRONT_MATTER.search(text, 4) if text.startswith("---\n") else None
    if end is None or not all(_LINE_OF_FRONT_MATTER.match(line) for line in text[4 : end.start()].split("\n")):
        return "", text
    title = re.search(r"^title[ \t]*:[ \t]*(.+)$", text[4 : end.start()], re.MULTILINE)
    return title[1].strip().strip("\"'") if title else "", text[end.end() :]


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
