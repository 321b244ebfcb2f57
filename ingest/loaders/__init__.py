"""A file becomes pages of Markdown: one LangChain loader per media type, chosen by content.

Every loader yields LangChain `Document`s whose metadata may hold `page` (from 1) or `place`, and `title`; for a
`corpus.jsonl` also `doc_id`. A file that holds several documents (an archive, a mail with attachments) names each by
`part`, its path inside the file, and says in `skipped` why one could not be read. A file that as a whole cannot be read
raises `DocumentError` with a reason for the user; of a `corpus.jsonl` only the lines that cannot be used are left out.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from langchain_core.document_loaders import BaseLoader
from langchain_core.documents import Document

from ingest.loaders.archives import ArchiveLoader
from ingest.loaders.mail import MailboxLoader, MailLoader
from ingest.loaders.ocr import PageReader, PictureLoader
from ingest.loaders.opendocument import OpenDocumentLoader
from ingest.loaders.options import DEFAULT_OPTIONS, LoadOptions
from ingest.loaders.spreadsheets import SeparatedValuesLoader, WorkbookLoader
from ragvoice.datatypes import Place
from ragvoice.errors import DocumentError

if TYPE_CHECKING:
    from markitdown import MarkItDown

CORPUS_FILE = "corpus.jsonl"
_FENCE_OF_FRONT_MATTER = re.compile(r"^(?:---|\.\.\.)[ \t]*$", re.MULTILINE)
_LINE_OF_FRONT_MATTER = re.compile(r"[\w.-]+[ \t]*:|[ \t#-]|$")
_TEXT_SUFFIXES = {".txt", ".text", ".log", ""}
_MARKDOWN_SUFFIXES = {".md", ".markdown", ".mdx"}
_OLE = b"\xd0\xcf\x11\xe0"
_PICTURES = (b"\x89PNG\r\n", b"\xff\xd8\xff", b"II*\x00", b"MM\x00*", b"GIF8", b"BM")
_SLIDE = re.compile(r"<!-- Slide number: (\d+) -->")
_MAIL_HEADERS = re.compile(
    rb"(?:(?:Received|Return-Path|From|To|Date|Subject|Message-ID|MIME-Version|Delivered-To|Content-Type|X-[\w-]+):"
    rb"[^\n]*\n(?:[ \t][^\n]*\n)*){2}",
    re.IGNORECASE,
)


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
    """HTML, DOCX, EPUB and MSG through markitdown."""

    def __init__(self, path: Path, suffix: str):
        self._path = path
        self._suffix = suffix

    def lazy_load(self) -> Iterator[Document]:
        from markitdown import StreamInfo

        with self._path.open("rb") as stream:
            result = _markitdown().convert_stream(stream, stream_info=StreamInfo(extension=self._suffix))
        yield Document(result.markdown, metadata={"title": result.title} if result.title else {})


class SlidesLoader(BaseLoader):
    """PPTX through markitdown: one `Document` a slide, with its notes."""

    def __init__(self, path: Path):
        self._path = path

    def lazy_load(self) -> Iterator[Document]:
        [whole] = MarkItDownLoader(self._path, ".pptx").lazy_load()
        _, *pieces = _SLIDE.split(whole.page_content)
        for number, text in zip(pieces[::2], pieces[1::2], strict=True):
            yield Document(text.strip(), metadata={"place": Place("slide", int(number))})


class RichTextLoader(BaseLoader):
    """RTF through striprtf."""

    def __init__(self, path: Path):
        self._path = path

    def lazy_load(self) -> Iterator[Document]:
        from striprtf.striprtf import rtf_to_text

        yield Document(rtf_to_text(self._path.read_bytes().decode("latin-1"), errors="ignore"))


class JsonLoader(BaseLoader):
    """JSON, and JSON lines, as an outline of keys and values."""

    def __init__(self, path: Path, text: str):
        self._path = path
        self._text = text

    def lazy_load(self) -> Iterator[Document]:
        try:
            values = [json.loads(self._text)]
        except ValueError:
            values = [json.loads(line) for line in self._text.split("\n") if line.strip()]
        yield Document("\n\n".join("\n".join(_outline(value, 0)) for value in values))


def _outline(value: object, depth: int) -> Iterator[str]:
    rows = value.items() if isinstance(value, dict) else [("", row) for row in value] if isinstance(value, list) else []
    if not isinstance(value, dict | list):
        yield str(value)
    for key, inner in rows:
        mark = "  " * depth + "- " + (f"{key}: " if key else "")
        if isinstance(inner, dict | list):
            yield mark.rstrip()
            yield from _outline(inner, depth + 1)
        else:
            yield mark + str(inner)


def html_to_markdown(html: str) -> str:
    from markitdown import StreamInfo

    stream = io.BytesIO(html.encode("utf-8", errors="replace"))
    return str(
        _markitdown().convert_stream(stream, stream_info=StreamInfo(extension=".html", charset="utf-8")).markdown
    )


@lru_cache(maxsize=1)
def _markitdown() -> MarkItDown:
    """One for all files: making it loads a model that guesses file types, which takes longer than most files."""
    from markitdown import MarkItDown

    return MarkItDown(enable_plugins=False)


class PdfLoader(BaseLoader):
    """One `Document` a page, headings and tables as Markdown; a page without text is drawn and read."""

    def __init__(self, path: Path, options: LoadOptions = DEFAULT_OPTIONS):
        self._path = path
        self._options = options

    def lazy_load(self) -> Iterator[Document]:
        from liteparse import LiteParse

        # The parser's own OCR is off because it would download its models.
        parsed = LiteParse(ocr_enabled=False, output_format="markdown", quiet=True).parse(self._path)
        if not self._options.ocr and parsed.pages and not any(page.text.strip() for page in parsed.pages):
            raise DocumentError("scanned pages without a text layer, and OCR is switched off (the setting ocr)")
        with PageReader(self._path) if self._options.ocr else nullcontext() as reader:
            for page in parsed.pages:
                text = page.markdown or page.text
                if not page.text.strip():  # the Markdown of an empty page is an empty code block
                    text = reader.text(page.page_num) if reader else ""
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


def loader_for(path: Path, options: LoadOptions = DEFAULT_OPTIONS, depth: int = 0) -> BaseLoader:
    """The loader that suits the file's content; its name decides only between kinds of text.

    :raises DocumentError: for a file that is empty, too large or of an unsupported kind.
    """
    size = path.stat().st_size
    if size == 0:
        raise DocumentError("empty file")
    if size > options.max_file_bytes:
        limit = options.max_file_bytes // 2**20
        raise DocumentError(f"{size // 2**20} MiB is more than the limit of {limit} MiB for one file")
    with path.open("rb") as stream:
        head = stream.read(4096)
    suffix = path.suffix.lower()
    if head.lstrip().startswith(b"%PDF-") or (suffix == ".pdf" and b"%PDF-" in head[:1024]):
        return PdfLoader(path, options)
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _zip_loader(path, options, depth)
    if head.startswith(_OLE) and suffix == ".msg":
        return MarkItDownLoader(path, ".msg")
    if head.startswith(_OLE):
        if "EncryptedPackage".encode("utf-16-le") in path.read_bytes():
            raise DocumentError("encrypted, an Office file with a password; save it anew without")
        raise DocumentError("an Office file with a password, or in the format before 2007; save it anew without")
    if (head.startswith(_PICTURES) and b"\x00" in head) or (head.startswith(b"RIFF") and head[8:12] == b"WEBP"):
        if not options.ocr:
            raise DocumentError("a picture, and OCR is switched off (the setting ocr)")
        return PictureLoader(path)
    if head.startswith(b"{\\rtf"):
        return RichTextLoader(path)
    if suffix == ".eml" or (suffix == "" and _MAIL_HEADERS.match(head)):
        return MailLoader(path, lambda file, part: _part(file, part, options, depth + 1))
    if head.startswith(b"From ") and (suffix == ".mbox" or _MAIL_HEADERS.search(head)):
        return MailboxLoader(path, lambda file, part: _part(file, part, options, depth + 1))
    if suffix in {".html", ".htm", ".xhtml"} or re.match(rb"\s*(<!doctype html|<html)", head, re.IGNORECASE):
        return MarkItDownLoader(path, ".html")
    if suffix in {".csv", ".tsv"} and not _looks_binary(head):
        return SeparatedValuesLoader(path, storable(decode_text(path.read_bytes())))
    if suffix in {".json", ".jsonl"} and not _looks_binary(head):
        return JsonLoader(path, storable(decode_text(path.read_bytes())))
    if suffix in _TEXT_SUFFIXES | _MARKDOWN_SUFFIXES and not _looks_binary(head):
        return TextLoader(path)
    raise DocumentError(f"unsupported kind of file ({suffix or 'no suffix'})")


def load(path: Path, options: LoadOptions = DEFAULT_OPTIONS, depth: int = 0) -> list[Document]:
    """All pages of a file, with no character that SQLite or a splitter could trip over.

    :param depth: In how many archives or mails the file stands.
    :raises DocumentError: with a reason that a knowledge owner understands.
    """
    try:
        pages = list(loader_for(path, options, depth).lazy_load())
    except DocumentError:
        raise
    except MemoryError as error:
        raise DocumentError("too large to be parsed in memory") from error
    except Exception as error:  # parsers raise their own trees; one bad file must not stop the job
        if "password required" in str(error):
            raise DocumentError("encrypted, it needs a password; save it anew without") from error
        words = str(error).replace(str(path), path.name)  # a temporary folder tells the owner nothing
        reason = re.sub(r"\s+", " ", words).strip()[:160] or type(error).__name__
        raise DocumentError(f"cannot be parsed: {reason}") from error
    for page in pages:
        page.page_content = storable(page.page_content)
        if "title" in page.metadata:
            page.metadata["title"] = " ".join(storable(str(page.metadata["title"])).split())
        if "part" in page.metadata:
            page.metadata["part"] = storable(str(page.metadata["part"]))
    if not any(page.page_content.strip() or page.metadata.get("skipped") for page in pages):
        raise DocumentError("no text in it")
    return pages


def _part(file: Path, part: str, options: LoadOptions, depth: int) -> Iterator[Document]:
    """The documents of a file inside a file; one that cannot be read is reported, and the others go on."""
    try:
        if depth > options.max_nesting:
            raise DocumentError(f"more than {options.max_nesting} archives or mails inside one another")
        for page in load(file, options, depth):
            inner = page.metadata.get("part")
            page.metadata["part"] = f"{part}!/{inner}" if inner else part
            yield page
    except DocumentError as error:
        yield Document("", metadata={"part": part, "skipped": str(error)})


def storable(text: str) -> str:
    r"""Newlines as `\n`, and no NUL or lone surrogate: SQLite ends a text at the one and refuses the other."""
    text = text.replace("\x00", "").replace("\r\n", "\n").replace("\r", "\n")
    return text.encode("utf-8", errors="replace").decode("utf-8")


def decode_text(data: bytes) -> str:
    """Bytes of a text file as text; Windows-1252 is the fallback because it is what old office files use."""
    if data.startswith((b"\xff\xfe\x00\x00", b"\x00\x00\xfe\xff")):
        return data.decode("utf-32", errors="replace")
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
    return b"\x00" in head and not head.startswith((b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff"))


def _zip_loader(path: Path, options: LoadOptions, depth: int) -> BaseLoader:
    """Office and OpenDocument files and e-books are ZIP archives too; their members say which."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = set(archive.namelist())
            unpacked = sum(info.file_size for info in archive.infolist())
            kind = archive.open("mimetype").read(100) if "mimetype" in names else b""
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError, OSError) as error:
        raise DocumentError("a damaged archive") from error
    if unpacked > options.max_unpacked_bytes:
        raise DocumentError(f"unpacks to more than {options.max_unpacked_bytes // 2**20} MiB")
    if "word/document.xml" in names:
        return MarkItDownLoader(path, ".docx")
    if "ppt/presentation.xml" in names:
        return SlidesLoader(path)
    if "xl/workbook.xml" in names:
        return WorkbookLoader(path)
    if kind.startswith(b"application/vnd.oasis.opendocument."):
        return OpenDocumentLoader(path)
    if kind.startswith(b"application/epub+zip"):
        return MarkItDownLoader(path, ".epub")
    return ArchiveLoader(path, options, lambda file, part: _part(file, part, options, depth + 1))
