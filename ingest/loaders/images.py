"""Pictures: the words in them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from langchain_core.documents import Document

from ingest.loaders.options import LoadOptions
from ragvoice.errors import DocumentError


def load_image(path: Path, options: LoadOptions) -> Iterator[Document]:
    if not options.ocr:
        raise DocumentError("a picture, and OCR is switched off (the setting ocr)")
    from ingest.loaders.ocr import PictureLoader

    yield from PictureLoader(path).lazy_load()
