"""PDF: one `Document` a page, headings and tables as Markdown; a page without text is drawn and read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from langchain_core.documents import Document

from ingest.loaders.options import LoadOptions
from ingest.loaders.pdf_objects import comments, properties
from ingest.loaders.right_to_left import is_right_to_left, page_markdown
from ragvoice.datatypes import Place
from ragvoice.errors import DocumentError


def load_pdf(path: Path, options: LoadOptions) -> Iterator[Document]:
    import pypdfium2
    from liteparse import LiteParse

    from ingest.loaders.ocr import PageReader

    # The parser's own OCR is off because it would download its models.
    parsed = LiteParse(ocr_enabled=False, output_format="markdown", quiet=True).parse(path)
    if not options.ocr and parsed.pages and not any(page.text.strip() for page in parsed.pages):
        raise DocumentError("scanned pages without a text layer, and OCR is switched off (the setting ocr)")
    with closing(pypdfium2.PdfDocument(path)) as document:
        metadata: dict[str, Any] = dict(properties(document))
        reader = PageReader(document)
        for page in parsed.pages:
            text = page.markdown or page.text
            if not page.text.strip():  # the Markdown of an empty page is an empty code block
                text = reader.text(page.page_num) if options.ocr else ""
            elif is_right_to_left(page.text):
                text = page_markdown(document[page.page_num - 1])
            text = "\n\n".join(filter(None, (text, *comments(document, page.page_num))))
            yield Document(text, metadata={**metadata, "place": Place("page", page.page_num)})
            metadata = {}
