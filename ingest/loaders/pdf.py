"""PDF: one `Document` a page, headings and tables as Markdown; a page without readable text is drawn and read."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from langchain_core.documents import Document

from ingest.loaders.options import LoadOptions
from ingest.loaders.pdf_objects import comments, properties
from ingest.loaders.right_to_left import is_right_to_left, page_markdown
from ragvoice.datatypes import Place
from ragvoice.errors import DocumentError

if TYPE_CHECKING:
    from liteparse import ParseResult

_UNKNOWN = {"Cc", "Co", "Cn"}
"""Categories of what a font without a map of its characters gives."""


def load_pdf(path: Path, options: LoadOptions) -> Iterator[Document]:
    import pypdfium2

    from ingest.loaders.ocr import PageReader

    parsed = _parsed(path)
    if not options.ocr and parsed.pages and not any(_is_readable(page.text) for page in parsed.pages):
        raise DocumentError("scanned pages without a text layer, and OCR is switched off (the setting ocr)")
    with closing(pypdfium2.PdfDocument(path)) as document:
        metadata: dict[str, Any] = dict(properties(document))
        reader = PageReader(document)
        for page in parsed.pages:
            text = page.markdown or page.text
            if not _is_readable(page.text):
                text = reader.text(page.page_num) if options.ocr else ""
            elif is_right_to_left(page.text):
                text = page_markdown(document[page.page_num - 1])
            text = "\n\n".join(filter(None, (text, *comments(document, page.page_num))))
            yield Document(text, metadata={**metadata, "place": Place("page", page.page_num)})
            metadata = {}


def _parsed(path: Path) -> ParseResult:
    from liteparse import LiteParse, ParseError

    try:
        # The parser's own OCR is off because it would download its models.
        return LiteParse(ocr_enabled=False, output_format="markdown", quiet=True).parse(path)
    except ParseError as error:
        if "password" in str(error):
            raise DocumentError("encrypted: it opens only with a password; save it without one") from error
        raise DocumentError(f"a damaged PDF ({str(error).removeprefix('PDF error: ')})") from error


def _is_readable(text: str) -> bool:
    """False for a page without text, and for one whose font does not say which characters its glyphs are."""
    signs = [character for character in text if not character.isspace()]
    unknown = sum(unicodedata.category(character) in _UNKNOWN or character == "\ufffd" for character in signs)
    return len(signs) > 2 * unknown
