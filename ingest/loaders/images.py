"""Pictures: the words in them and, where a model is configured, a caption of what they show."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from langchain_core.documents import Document

from ingest.loaders.options import LoadOptions
from ingest.loaders.properties import kept_properties
from ragvoice.datatypes import Place
from ragvoice.errors import DocumentError

if TYPE_CHECKING:
    from PIL.Image import Image

MAX_PIXELS = 200_000_000
_FEW_CHARACTERS = 200
"""A picture with more words than this is a page, which a caption does not describe."""
_DESCRIPTION, _ARTIST, _CHANGED, _EXIF, _TAKEN = 0x010E, 0x013B, 0x0132, 0x8769, 0x9003
"""Tags of EXIF 2.3, the last one in the directory that the one before it names."""


def load_image(path: Path, options: LoadOptions) -> Iterator[Document]:
    """PNG, JPEG, TIFF (one `Document` a page), WebP, BMP and GIF (its first picture)."""
    if not options.ocr and options.captioner is None:
        raise DocumentError("a picture, and OCR is switched off (the setting ocr)")
    from PIL import Image, ImageOps

    from ingest.loaders.ocr import LONGEST_SIDE, read

    with Image.open(path) as picture:
        width, height = picture.size
        if width * height > MAX_PIXELS:
            raise DocumentError(f"a picture of {width} x {height} pixels; save it smaller")
        metadata = _stated(picture)
        frames = getattr(picture, "n_frames", 1) if picture.format == "TIFF" else 1
        for number in range(frames):
            picture.seek(number)
            upright = ImageOps.exif_transpose(picture.convert("RGB"))
            upright.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
            words = read(np.asarray(upright)) if options.ocr else ""
            caption = _caption(upright, options) if len(words) < _FEW_CHARACTERS else ""
            place = {"place": Place("page", number + 1)} if frames > 1 else {}
            yield Document("\n\n".join(filter(None, (words, caption))), metadata={**metadata, **place})
            metadata = {}


def _caption(picture: Image, options: LoadOptions) -> str:
    if options.captioner is None:
        return ""
    data = io.BytesIO()
    picture.save(data, "PNG")
    caption = " ".join(_captioner(options.captioner)(data.getvalue()).split())
    return f"![{caption}](image)" if caption else ""


@lru_cache(maxsize=1)
def _captioner(factory: Callable[[], Callable[[bytes], str]]) -> Callable[[bytes], str]:
    """One for all pictures of a process: loading it takes seconds."""
    return factory()


def _stated(picture: Image) -> dict[str, str]:
    """Title, author and dates that a camera or a program has written into the file."""
    tags = picture.getexif()
    taken, changed = tags.get_ifd(_EXIF).get(_TAKEN), tags.get(_CHANGED)
    stated = {
        "title": tags.get(_DESCRIPTION),
        "author": tags.get(_ARTIST),
        "created": _iso_time(taken or changed),
        "modified": _iso_time(changed),
    }
    return kept_properties({name: value for name, value in stated.items() if isinstance(value, str)})


def _iso_time(stated: object) -> str:
    """Of EXIF's `2026:03:02 09:00:00`, which has no time zone."""
    try:
        return datetime.strptime(str(stated), "%Y:%m:%d %H:%M:%S").isoformat()
    except ValueError:
        return ""
