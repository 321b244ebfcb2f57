"""One file becomes documents: size, kind, the loader of that kind, and what holds for the output of every loader."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

from langchain_core.documents import Document

from ingest.loaders.media_types import Kind, kind_of
from ingest.loaders.options import DEFAULT_OPTIONS, LoadOptions
from ingest.loaders.text import storable
from ingest.loaders.unpacking import Unpacking
from ragvoice.errors import DocumentError

# Module and function of each kind; imported when the first file of the kind comes.
_LOADERS = {
    Kind.PDF: "pdf:load_pdf",
    Kind.DOCX: "word:load_docx",
    Kind.PPTX: "slides:load_pptx",
    Kind.XLSX: "spreadsheets:load_xlsx",
    Kind.ODT: "opendocument:load_opendocument",
    Kind.ODS: "opendocument:load_opendocument",
    Kind.ODP: "opendocument:load_opendocument",
    Kind.EPUB: "epub:load_epub",
    Kind.RTF: "rtf:load_rtf",
    Kind.HTML: "html:load_html",
    Kind.MARKDOWN: "text:load_markdown",
    Kind.TEXT: "text:load_text",
    Kind.DELIMITED: "delimited:load_delimited",
    Kind.JSON: "json_files:load_json",
    Kind.JSONL: "json_files:load_jsonl",
    Kind.CORPUS: "corpus:load_corpus",
    Kind.IMAGE: "images:load_image",
    Kind.RECORDING: "recordings:load_recording",
    Kind.LEGACY: "legacy:load_legacy",
}
# These hold other files and get the `Unpacking` of the file on disk as their third argument.
_CONTAINERS = {
    Kind.MAIL: "mail:load_mail",
    Kind.MSG: "outlook:load_msg",
    Kind.MBOX: "mail:load_mbox",
    Kind.ZIP: "archives:load_zip",
    Kind.TAR: "archives:load_tar",
    Kind.GZIP: "archives:load_compressed",
    Kind.BZIP2: "archives:load_compressed",
    Kind.XZ: "archives:load_compressed",
}
_TITLE_CHARACTERS = 300


def load(path: Path, options: LoadOptions = DEFAULT_OPTIONS) -> Iterator[Document]:
    """The pages of a file in reading order, with no character that SQLite or a splitter could trip over.

    :raises DocumentError: with a reason that a knowledge owner understands; possibly after some pages.
    """
    unpacking = Unpacking(options, _load_part)
    yield from _load(path, options, unpacking)


def _load_part(path: Path, unpacking: Unpacking) -> Iterator[Document]:
    return _load(path, unpacking.options, unpacking)


def _load(path: Path, options: LoadOptions, unpacking: Unpacking) -> Iterator[Document]:
    found, characters = False, 0
    try:
        for document in _loader(path, options, unpacking):
            _clean(document)
            characters += len(document.page_content)
            if characters > options.max_characters:
                raise DocumentError(f"more text than the limit of {options.max_characters:,} characters for one file")
            found = found or bool(document.page_content.strip()) or "skipped" in document.metadata
            yield document
    except DocumentError:
        raise
    except MemoryError as error:
        raise DocumentError("too large to be parsed in memory") from error
    except RecursionError as error:
        raise DocumentError("cannot be parsed: nested too deeply") from error
    except OSError as error:
        raise DocumentError(f"cannot be read: {error.strerror or type(error).__name__}") from error
    except Exception as error:  # parsers raise their own trees; one bad file must not stop the job
        words = str(error).strip()
        if words.startswith("Traceback"):
            words = words.rpartition("\n")[2]
        reason = re.sub(r"\s+", " ", words).strip()[:160] or type(error).__name__
        raise DocumentError(f"cannot be parsed: {reason}") from error
    if not found:
        raise DocumentError("no text in it")


def _loader(path: Path, options: LoadOptions, unpacking: Unpacking) -> Iterator[Document]:
    size = path.stat().st_size
    if size == 0:
        raise DocumentError("empty file")
    if size > options.max_file_bytes:
        limit = options.max_file_bytes // 2**20
        raise DocumentError(
            f"{size // 2**20} MiB is more than the limit of {limit} MiB for one file (the setting max_file_mib)"
        )
    kind = kind_of(path)
    if kind in _CONTAINERS:
        yield from _function(_CONTAINERS[kind])(path, options, unpacking)
    else:
        yield from _function(_LOADERS[kind])(path, options)


def _function(name: str) -> Callable[..., Iterator[Document]]:
    module, _, function = name.partition(":")
    try:
        found: Callable[..., Iterator[Document]] = getattr(import_module(f"ingest.loaders.{module}"), function)
    except ModuleNotFoundError as error:
        raise DocumentError(f"this kind of file needs the Python package {error.name}, which is missing") from error
    return found


def _clean(document: Document) -> None:
    document.page_content = storable(document.page_content)
    for name, value in list(document.metadata.items()):
        if isinstance(value, str):
            text = " ".join(storable(value).split())
            document.metadata[name] = text[:_TITLE_CHARACTERS] if name == "title" else text
    if not document.metadata.get("title", "x"):
        del document.metadata["title"]
