"""RTF through kreuzberg, which keeps headings and tables."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from langchain_core.documents import Document

from ingest.loaders.options import LoadOptions
from ingest.loaders.properties import kept_properties


def load_rtf(path: Path, options: LoadOptions) -> Iterator[Document]:
    text, properties = read_rtf(path.read_bytes())
    yield Document(text, metadata=properties)


def rtf_markdown(data: bytes) -> str:
    return read_rtf(data)[0]


def read_rtf(data: bytes) -> tuple[str, dict[str, Any]]:
    """Markdown, and what the file states about itself."""
    from kreuzberg import ExtractionConfig, extract_bytes_sync

    config = ExtractionConfig(output_format="markdown", use_cache=False)
    result = extract_bytes_sync(data, "application/rtf", config=config)
    text = re.sub(r"\*\*(\S[^*\n]*)\*\*", r"\1", str(result.content)).strip()
    stated = result.metadata
    properties = {
        "title": stated.get("title"),
        "author": ", ".join(stated.get("authors") or []),
        "created": stated.get("created_at"),
        "modified": stated.get("modified_at"),
    }
    return text, dict(kept_properties(properties))
