"""RTF through kreuzberg, which keeps headings and tables."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from langchain_core.documents import Document

from ingest.loaders.options import LoadOptions


def load_rtf(path: Path, options: LoadOptions) -> Iterator[Document]:
    yield Document(rtf_markdown(path.read_bytes()))


def rtf_markdown(data: bytes) -> str:
    from kreuzberg import ExtractionConfig, extract_bytes_sync

    config = ExtractionConfig(output_format="markdown", use_cache=False)
    text = str(extract_bytes_sync(data, "application/rtf", config=config).content)
    return re.sub(r"\*\*(\S[^*\n]*)\*\*", r"\1", text).strip()
