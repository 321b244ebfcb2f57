"""The files of one index generation, and the one switch that publishes it.

    index/
      CURRENT                 name of the generation that readers open; replaced atomically
      lock                    held by the one writer
      pgvector-index          only with vectors on a server: names the index there
      work/                   what a job that runs, or was stopped, has read and embedded so far (`ingest.journal`)
      generations/<name>/
        manifest.json         schema version, embedder, chunking, counts, size and SHA-256 of every other file
        catalogue.sqlite      roots, files, documents with their text, chunks as slices of it
        chunks.npy            the document (its number) of each chunk, in the order of the chunk ids
        vectors/              shards; their rows are in the order of the chunk ids (`ragvoice.retrieval.shards`)
        lexical/              BM25, its rows too

A generation is written beside the current one and never changed once published; files that stay as they were are hard
links to those of the generation before.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path

from ragvoice.errors import VectorIndexError

SCHEMA_VERSION = 2

_HASHED_BYTES = 64 * 2**20
"""Files are hashed whenever an index is opened, the smallest first, up to so many bytes together; of the others only
the size is compared. `ragvoice index verify` hashes all of them."""

CATALOGUE_SQL = """
CREATE TABLE roots (root TEXT PRIMARY KEY, prefix TEXT NOT NULL);
CREATE TABLE files (
  root TEXT NOT NULL REFERENCES roots, file TEXT NOT NULL, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL,
  file_hash TEXT NOT NULL, skipped TEXT NOT NULL, PRIMARY KEY (root, file)) WITHOUT ROWID;
CREATE INDEX files_by_hash ON files (file_hash);
CREATE TABLE documents (
  number INTEGER PRIMARY KEY, doc_id TEXT NOT NULL UNIQUE, root TEXT NOT NULL REFERENCES roots, file TEXT NOT NULL,
  source TEXT NOT NULL, title TEXT NOT NULL, titled_by_name INTEGER NOT NULL, text TEXT NOT NULL,
  content_hash TEXT NOT NULL, source_hash TEXT NOT NULL, allowed_groups TEXT NOT NULL, stated TEXT NOT NULL,
  ruled TEXT NOT NULL);
CREATE INDEX documents_by_file ON documents (root, file);
CREATE TABLE chunks (
  id INTEGER PRIMARY KEY AUTOINCREMENT, document INTEGER NOT NULL REFERENCES documents (number),
  start_index INTEGER NOT NULL, end_index INTEGER NOT NULL, section TEXT NOT NULL, table_header TEXT NOT NULL,
  page INTEGER, place TEXT, embedded_hash BLOB NOT NULL);
CREATE INDEX chunks_by_document ON chunks (document, start_index);
CREATE INDEX chunks_by_hash ON chunks (embedded_hash);
"""
"""`file` is the path below the root; `skipped` lists what of the file could not be read, as [name, reason] pairs;
`stated` is the metadata that the file itself states, `ruled` what the rules files say of it, both JSON objects."""


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
    files: dict[str, tuple[int, str]] = field(default_factory=dict)
    """Path below the generation's folder -> (bytes, SHA-256)."""
    published: str = ""
    """ISO 8601, UTC."""
    vector_store: str = "faiss"
    """Where the vectors are."""
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


def is_current(index: Path, name: str) -> bool:
    """Whether the generation `name` is the published one."""
    try:
        return current_name(index) == name
    except FileNotFoundError:
        return False


def open_catalogue(folder: Path) -> sqlite3.Connection:
    """The catalogue of a published generation, read-only and for any thread; nothing changes it any more."""
    uri = (folder / "catalogue.sqlite").resolve().as_uri()  # quotes what has a meaning in a URI, such as # and ?
    return sqlite3.connect(f"{uri}?mode=ro&immutable=1", uri=True, check_same_thread=False)


def ingested_folders(index: Path) -> tuple[Path, ...]:
    """The folders and files that the index was made from; none before the first ingest, or when it is damaged."""
    try:
        with closing(open_catalogue(current_generation(index))) as database:
            return tuple(Path(root) for (root,) in database.execute("SELECT root FROM roots"))
    except (VectorIndexError, sqlite3.Error):
        return ()


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


def check_files(folder: Path, manifest: Manifest, *, hashed_bytes: int | None = None) -> None:
    """:param hashed_bytes: Hash the smallest files up to so many bytes together; the size of each is compared always.
    :raises VectorIndexError: when a file is missing or is not the one that was published.
    """
    index = folder.parent.parent
    left = _HASHED_BYTES if hashed_bytes is None else hashed_bytes
    for name, (size, digest) in sorted(manifest.files.items(), key=lambda item: item[1][0]):
        file = folder / name
        if not file.is_file() or file.stat().st_size != size:
            raise VectorIndexError(f"The index in {index} is damaged: {name} is not complete. {rebuild_hint(index)}")
        left -= size
        if left >= 0 and file_sha256(file) != digest:
            raise VectorIndexError(f"The index in {index} is damaged: {name} has changed. {rebuild_hint(index)}")


def publish(
    index: Path,
    staged: Path,
    embedder: EmbedderIdentity,
    documents: int,
    chunks: int,
    *,
    vector_store: str = "faiss",
    forgets: bool = False,
) -> Manifest:
    """Write the manifest, then switch `CURRENT` to the staged folder; drop all but the two newest generations.

    The one before the newest stays for readers that are opening it at this moment.

    :param forgets: Drop that one too, because it holds documents that were taken out.
    """
    published = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    files = _hashed_files(index, staged)
    manifest = Manifest(staged.name, embedder, documents, chunks, files, published, vector_store)
    _write_durably(staged / "manifest.json", json.dumps(asdict(manifest), indent=1))
    switch(index, staged.name, forgets=forgets)
    return manifest


def switch(index: Path, name: str, *, forgets: bool = False) -> None:
    """Make the generation `name`, complete with its manifest and on the disk, the current one."""
    previous = current_name(index) if (index / "CURRENT").is_file() and not forgets else ""
    _sync(index / "generations" / name)
    _sync(index / "generations")
    _write_durably(index / "CURRENT.new", name + "\n")
    os.replace(index / "CURRENT.new", index / "CURRENT")
    _sync(index)
    drop_generations(index, (name, previous))


def drop_generations(index: Path, keep: Sequence[str]) -> bool:
    """All but those named, also what writers that were killed have left. :returns: Whether there was any."""
    others = [folder for folder in (index / "generations").iterdir() if folder.name not in keep]
    for folder in others:
        shutil.rmtree(folder, ignore_errors=True)
    return bool(others)


def _hashed_files(index: Path, staged: Path) -> dict[str, tuple[int, str]]:
    """Size and hash of every staged file; a hard link to a file of the generation before has that one's hash."""
    known: dict[tuple[int, int], str] = {}
    try:
        previous = current_generation(index)
        for name, (_, digest) in read_manifest(previous).files.items():
            stat = (previous / name).stat()
            known[stat.st_dev, stat.st_ino] = digest
    except (VectorIndexError, OSError):
        known = {}  # none yet, or a damaged one that is rebuilt
    found = {}
    for file in sorted(staged.rglob("*")):
        if file.is_file():
            stat = file.stat()
            digest = known.get((stat.st_dev, stat.st_ino)) or _synced_sha256(file)
            found[file.relative_to(staged).as_posix()] = (stat.st_size, digest)
    return found


def sync_all(folder: Path) -> None:
    """Every file below the folder, and the folders themselves."""
    for path in (folder, *folder.rglob("*")):
        _sync(path)


def _synced_sha256(file: Path) -> str:
    _sync(file)
    return file_sha256(file)


def link_or_copy(source: Path, target: Path) -> None:
    """Nothing changes a published file, so two generations may have the same one."""
    try:
        os.link(source, target)
    except OSError:  # another file system, or one without hard links
        shutil.copyfile(source, target)


def file_sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _write_durably(file: Path, text: str) -> None:
    with file.open("w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())


def _sync(path: Path) -> None:
    """Down to the disk, so that a power cut after the switch finds what the switch speaks of."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
