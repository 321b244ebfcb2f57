"""What a PDF holds beside the text of its pages: what it states about itself, and reviewers' comments."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ingest.loaders.comments import comment_line
from ingest.loaders.properties import iso_date, kept_properties

if TYPE_CHECKING:
    from pypdfium2 import PdfDocument

_MAX_COMMENTS = 1_000
"""Of one page."""


def properties(document: PdfDocument) -> dict[str, str]:
    import pypdfium2.raw as pdfium

    stated = document.get_metadata_dict(skip_empty=True)
    return kept_properties(
        {
            "title": stated.get("Title"),
            "author": stated.get("Author"),
            "created": stated.get("CreationDate"),
            "modified": stated.get("ModDate"),
            "language": _wide_text(lambda buffer, size: pdfium.FPDFCatalog_GetLanguage(document, buffer, size)),
        }
    )


def comments(document: PdfDocument, number: int) -> Iterator[str]:
    """Notes, and remarks on marked text; the words of free text stand in the page already.

    :param number: Of the page, from 1; one that is too damaged for pdfium has no comments.
    """
    import pypdfium2
    import pypdfium2.raw as pdfium

    try:
        page = document[number - 1]
    except pypdfium2.PdfiumError:
        return
    kinds = {
        *(pdfium.FPDF_ANNOT_TEXT, pdfium.FPDF_ANNOT_HIGHLIGHT, pdfium.FPDF_ANNOT_UNDERLINE),
        *(pdfium.FPDF_ANNOT_SQUIGGLY, pdfium.FPDF_ANNOT_STRIKEOUT, pdfium.FPDF_ANNOT_CARET),
    }
    for index in range(min(pdfium.FPDFPage_GetAnnotCount(page), _MAX_COMMENTS)):
        note = pdfium.FPDFPage_GetAnnot(page, index)
        try:
            if pdfium.FPDFAnnot_GetSubtype(note) in kinds:
                text, author, time = (_value(note, name) for name in (b"Contents", b"T", b"M"))
                if text.strip():
                    yield comment_line(text, author, time=iso_date(time))
        finally:
            pdfium.FPDFPage_CloseAnnot(note)


def _value(note: Any, name: bytes) -> str:
    import pypdfium2.raw as pdfium

    return _wide_text(lambda buffer, size: pdfium.FPDFAnnot_GetStringValue(note, name, buffer, size))


def _wide_text(read: Any) -> str:
    """What a function of pdfium writes into a buffer, after it was asked how large that must be."""
    size = read(None, 0)
    buffer = (ctypes.c_ushort * (size // 2))()
    read(buffer, size)
    return bytes(buffer).decode("utf-16-le", "replace").rstrip("\0")
