"""Words in the pictures of an Office file, read like an image file of its own."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path

from ingest.loaders.options import LoadOptions
from ingest.loaders.packages import Package
from ragvoice.errors import DocumentError

_SUFFIXES = (".png", ".jpg", ".jpeg", ".gif", ".bmp", ".tif", ".tiff", ".webp")
_MIN_BYTES = 4_096
"""Smaller ones are bullets, lines and logos."""
_MAX_PICTURES = 30
"""Of one file; recognition takes about two seconds each."""


class Pictures:
    """Each picture is read where it is first used, and only once: logos stand on every slide."""

    def __init__(self, package: Package, options: LoadOptions):
        self._package = package
        self._options = options
        self._seen: set[bytes] = set()

    def text(self, name: str) -> str:
        """Markdown of the words in the picture (or its caption); empty when there are none.

        :param name: Its part in the package.
        """
        if not (self._options.ocr or self._options.captioner) or not name.lower().endswith(_SUFFIXES):
            return ""
        if name not in self._package.names or len(self._seen) >= _MAX_PICTURES:
            return ""
        data = self._package.read(name)
        digest = hashlib.sha256(data).digest()
        if len(data) < _MIN_BYTES or digest in self._seen:
            return ""
        self._seen.add(digest)
        try:
            from ingest.loaders.images import load_image
        except ImportError:  # installed without recognition: the rest of the document counts
            return ""
        with tempfile.TemporaryDirectory(prefix="picture-", ignore_cleanup_errors=True) as folder:
            path = Path(folder) / f"picture{Path(name).suffix.lower()}"
            path.write_bytes(data)
            try:
                return "\n\n".join(page.page_content.strip() for page in load_image(path, self._options)).strip()
            except DocumentError:
                return ""
