"""The files of one index generation, and the one switch that publishes it.

    index/
      CURRENT                 name of the generation that readers open; replaced atomically
      lock                    held by the one writer
      generations/<name>/
        manifest.json         schema version, embedder, chunking, counts, size and SHA-256 of every other file
        catalogue.sqlite      roots, documents with their text, chunks as slices of it
        vectors.faiss         IndexIDMap2, ids are chunk ids
        lexical/              BM25

A generation is written beside the current one and never changed once published.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
from dataclasses import asdict, dataclass
from pathlib import Path

from ragvoice.errors import VectorIndexError

SCHEMA_VERSION = 1

_HASHED_UP_TO_BYTES = 64 * 2**20
"""Files up to this size are hashed whenever an index is opened; of larger ones only the size is compared."""

CATALOGUE_SQL = """
CREATE TABLE roots (root TEXT PRIMARY KEY, prefix TEXT NOT NULL);
CREATE TABLE documents (
  doc_id TEXT PRIMARY KEY, root TEXT NOT NULL REFERENCES roots, source TEXT NOT NULL, title TEXT NOT NULL,
  text TEXT NOT NULL, content_hash TEXT NOT NULL, file_hash TEXT NOT NULL, allowed_groups TEXT NOT NULL);
CREATE TABLE chunks (
  id INTEGER PRIMARY KEY, doc_id TEXT NOT NULL REFERENCES documents, start_index INTEGER NOT NULL,
  end_index INTEGER NOT NULL, section TEXT NOT NULL, page INTEGER, place TEXT, embedded_hash TEXT NOT NULL);
CREATE INDEX chunks_by_document ON chunks (doc_id, start_index);
"""


@dataclass(frozen=True)
class EmbedderIdentity:
    """What decides the vectors: two indexes with equal identities hold comparable vectors."""

    name: str
    fingerprint: str
    """Hash of the model's files."""
    chunk_tokens: int
    overlap_tokens: int


@dataclass(frozen=True)
class Manifest:
    generation: str
    embedder: EmbedderIdentity
    documents: int
    chunks: int
    files: dict[str, tuple[int, str]]
    """Path below the generation's folder -> (bytes, SHA-256)."""
    schema_version: int = SCHEMA_VERSION


def current_generation(index: Path) -> Path:
    """Folder of the published generation.

    :raises VectorIndexError: when there is no index here.
    """
    try:
        name = current_name(index)
    except OSError as error:
        raise VectorIndexError(
            f"There is no index in {index}. Build one with: ragvoice ingest FOLDER --index {index}"
        ) from error
    folder = index / "generations" / name
    if not name or Path(name).name != name or not folder.is_dir():
        raise VectorIndexError(f"The index in {index} names a generation that is not there. {rebuild_hint(index)}")
    return folder


def current_name(index: Path) -> str:
    """What `CURRENT` says, whether or not there is such a generation."""
    return (index / "CURRENT").read_text(encoding="utf-8", errors="replace").replace("\0", "").strip()


def open_catalogue(folder: Path) -> sqlite3.Connection:
    """The catalogue of a published generation, read-only and for any thread; nothing changes it any more."""
    uri = (folder / "catalogue.sqlite").resolve().as_uri()  # quotes what has a meaning in a URI, such as # and ?
    return sqlite3.connect(f"{uri}?mode=ro&immutable=1", uri=True, check_same_thread=False)


def rebuild_hint(index: Path) -> str:
    return f"Rebuild it with: ragvoice ingest FOLDER --index {index} --rebuild"


def read_manifest(folder: Path) -> Manifest:
    """:raises VectorIndexError: when it is unreadable, or of a schema that this version does not know."""
    index = folder.parent.parent
    try:
        data = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        version = int(data["schema_version"])
        if version != SCHEMA_VERSION:
            raise VectorIndexError(
                f"The index in {index} has schema {version}; this version of ragvoice reads {SCHEMA_VERSION}. "
                + rebuild_hint(index)
            )
        data["embedder"] = EmbedderIdentity(**data["embedder"])
        data["files"] = {name: (int(size), str(digest)) for name, (size, digest) in data["files"].items()}
        return Manifest(**data)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise VectorIndexError(
            f"The index in {index} is damaged: unreadable manifest. {rebuild_hint(index)}"
        ) from error


def check_files(folder: Path, manifest: Manifest) -> None:
    """:raises VectorIndexError: when a file is missing or is not the one that was published."""
    index = folder.parent.parent
    for name, (size, digest) in manifest.files.items():
        file = folder / name
        if not file.is_file() or file.stat().st_size != size:
            raise VectorIndexError(f"The index in {index} is damaged: {name} is not complete. {rebuild_hint(index)}")
        if size <= _HASHED_UP_TO_BYTES and file_sha256(file) != digest:
            raise VectorIndexError(f"The index in {index} is damaged: {name} has changed. {rebuild_hint(index)}")


def publish(
    index: Path, staged: Path, embedder: EmbedderIdentity, documents: int, chunks: int, *, forgets: bool = False
) -> Manifest:
    """Write the manifest, then switch `CURRENT` to the staged folder; drop all but the two newest generations.

    The one before the newest stays for readers that are opening it at this moment.

    :param forgets: Drop that one too, because it holds documents that were taken out.
    """
    files = {
        file.relative_to(staged).as_posix(): (file.stat().st_size, file_sha256(file))
        for file in sorted(staged.rglob("*"))
        if file.is_file()
    }
    manifest = Manifest(staged.name, embedder, documents, chunks, files)
    _write_durably(staged / "manifest.json", json.dumps(asdict(manifest), indent=1))
    previous = current_name(index) if (index / "CURRENT").is_file() and not forgets else ""
    _write_durably(index / "CURRENT.new", staged.name + "\n")
    os.replace(index / "CURRENT.new", index / "CURRENT")
    for folder in (index / "generations").iterdir():
        if folder.name not in (staged.name, previous):
            shutil.rmtree(folder, ignore_errors=True)
    return manifest


def file_sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _write_durably(file: Path, text: str) -> None:
    with file.open("w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
