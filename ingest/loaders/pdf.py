"""PDF: one `Document` a page, headings and tables as Markdown; a page without text is drawn and read."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from langchain_core.documents import Document

from ingest.loaders.options import LoadOptions
from ingest.loaders.properties import kept_properties
from ragvoice.datatypes import Place
from ragvoice.errors import DocumentError


def load_pdf(path: Path, options: LoadOptions) -> Iterator[Document]:
    from liteparse import LiteParse

    from ingest.loaders.ocr import PageReader

    # The parser's own OCR is off because it would download its models.
    parsed = LiteParse(ocr_enabled=False, output_format="markdown", quiet=True).parse(path)
    if not options.ocr and parsed.pages and not any(page.text.strip() for page in parsed.pages):
        raise DocumentError("scanned pages without a text layer, and OCR is switched off (the setting ocr)")
    metadata: dict[str, Any] = dict(_properties(path))
    with PageReader(path) if options.ocr else nullcontext() as reader:
        for page in parsed.pages:
            text = page.markdown or page.text
            if not page.text.strip():  # the Markdown of an empty page is an empty code block
                text = reader.text(page.page_num) if reader else ""
            yield Document(text, metadata={**metadata, "place": Place("page", page.page_num)})
            metadata = {}


def _properties(path: Path) -> dict[str, str]:
    """What the file states about itself; nothing where pdfium cannot open it."""
    import pypdfium2

    try:
        document = pypdfium2.PdfDocument(path)
    except (pypdfium2.PdfiumError, OSError):
        return {}
    try:
        stated = document.get_metadata_dict(skip_empty=True)
        size = pypdfium2.raw.FPDFCatalog_GetLanguage(document, None, 0)
        language = (ctypes.c_ushort * (size // 2))()
        pypdfium2.raw.FPDFCatalog_GetLanguage(document, language, size)
        return kept_properties(
            {
                "title": stated.get("Title"),
                "author": stated.get("Author"),
                "created": stated.get("CreationDate"),
                "modified": stated.get("ModDate"),
                "language": bytes(language).decode("utf-16-le", "replace").rstrip("\0"),
            }
        )
    finally:
        document.close()
