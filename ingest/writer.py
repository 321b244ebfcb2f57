"""One new generation of an index, staged beside the current one and published by one switch.

Legend: `n` chunks, `d` embedding dimension.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType

import faiss
import numpy as np
from filelock import FileLock, Timeout
from langchain_core.embeddings import Embeddings
from numpy.typing import NDArray

from ingest.splitting import Chunk
from ragvoice.errors import VectorIndexError
from ragvoice.retrieval.generations import (
    CATALOGUE_SQL,
    EmbedderIdentity,
    Manifest,
    check_files,
    current_generation,
    open_catalogue,
    publish,
    read_manifest,
    rebuild_hint,
)
from ragvoice.retrieval.lexical import LexicalIndex

_EMBED_AT_ONCE = 256
"""Chunks given to the embedder in one call; it sorts them by length, so fewer would waste padding."""

Progress = Callable[[int, int], None]
"""Called with (chunks embedded, chunks to embed)."""


@dataclass(frozen=True)
class ParsedDocument:
    doc_id: str
    root: str
    source: str
    title: str
    text: str
    file_hash: str
    allowed_groups: tuple[str, ...]
    chunks: tuple[Chunk, ...]

    @property
    def content_hash(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()


@contextmanager
def writing(index: Path, wait_s: float = 0.0) -> Iterator[None]:
    """The one writer's lock.

    :raises VectorIndexError: when another process is writing, or the folder cannot be written.
    """
    try:
        index.mkdir(parents=True, exist_ok=True)
        with FileLock(index / "lock", timeout=wait_s):
            yield
    except Timeout as error:
        raise VectorIndexError(f"Another process is writing the index in {index}. Wait until it has ended.") from error
    except OSError as error:
        raise VectorIndexError(
            f"The index in {index} cannot be written ({error.strerror or error}). The index that was there is "
            "unharmed. Check permissions and free space, or choose another place with --index."
        ) from error
    except sqlite3.Error as error:
        raise VectorIndexError(
            f"The index in {index} cannot be written ({error}). The index that was there is unharmed. "
            "Check free space, or choose another place with --index."
        ) from error


def remembered_roots(index: Path) -> dict[str, str]:
    """Absolute path of each root of the published generation -> its prefix, whatever embedder it was made with.

    Empty when there is no index, or one too damaged to say: what the user names is rebuilt all the same.
    """
    try:
        with closing(open_catalogue(current_generation(index))) as database:
            return dict(database.execute("SELECT root, prefix FROM roots"))
    except (VectorIndexError, sqlite3.Error):
        return {}


def embedded_text(title: str, section: str, text: str) -> str:
    """What the embedder and the lexical index see of a chunk: its words below the headings they stand under."""
    return "\n".join(part for part in (title, section, text) if part)


class GenerationWriter:
    """Use inside `writing(index)`. Nothing is visible to readers before `publish`; leaving without it undoes all.

    An index that exists must have been made with the same embedder and chunking, unless `rebuild` starts anew.
    """

    def __init__(self, index: Path, embedder: EmbedderIdentity, *, rebuild: bool = False):
        self._index = index
        self._embedder = embedder
        (index / "generations").mkdir(exist_ok=True)
        self._staged = index / "generations" / f"{time.strftime('%Y%m%dT%H%M%S')}-{time.time_ns() % 10**6:06d}"
        self._published = False
        self.forgets = False
        """Publish so that the generation before goes at once: it holds what must not be found any more."""
        self._new: list[tuple[int, str, str]] = []
        """(chunk id, text to embed, its hash) not embedded yet."""
        previous = None
        if (index / "CURRENT").is_file() and not rebuild:
            previous = current_generation(index)
            manifest = read_manifest(previous)
            check_files(previous, manifest)
            if manifest.embedder != embedder:
                raise VectorIndexError(
                    f"The index in {index} was made with {_describe(manifest.embedder)}; "
                    f"the settings now say {_describe(embedder)}. {rebuild_hint(index)}"
                )
        self._staged.mkdir()
        self._vectors: faiss.Index | None = None
        try:
            if previous:
                shutil.copyfile(previous / "catalogue.sqlite", self._staged / "catalogue.sqlite")
                self._vectors = _read_vectors(previous / "vectors.faiss", index)
            self._database = sqlite3.connect(self._staged / "catalogue.sqlite")
            if not previous:
                self._database.executescript(CATALOGUE_SQL)
        except BaseException:
            shutil.rmtree(self._staged, ignore_errors=True)
            raise

    def __enter__(self) -> GenerationWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._database.close()
        if not self._published:
            shutil.rmtree(self._staged, ignore_errors=True)

    def roots(self) -> dict[str, str]:
        """Absolute path of each root -> its prefix."""
        return dict(self._database.execute("SELECT root, prefix FROM roots"))

    def set_root(self, root: str, prefix: str) -> None:
        self._database.execute("INSERT OR REPLACE INTO roots VALUES (?, ?)", (root, prefix))

    def rename_root(self, old: str, new: str) -> None:
        """The documents of one root belong to another from now on."""
        self._database.execute("UPDATE documents SET root = ? WHERE root = ?", (new, old))
        self._database.execute("DELETE FROM roots WHERE root = ?", (old,))

    def documents(self) -> dict[str, tuple[str, str, str]]:
        """doc_id -> (root, file hash, allowed groups as stored)."""
        rows = self._database.execute("SELECT doc_id, root, file_hash, allowed_groups FROM documents")
        return {doc_id: (root, file_hash, groups) for doc_id, root, file_hash, groups in rows}

    def remove(self, doc_id: str) -> None:
        ids = [row[0] for row in self._database.execute("SELECT id FROM chunks WHERE doc_id = ?", (doc_id,))]
        if ids and self._vectors is not None:
            self._vectors.remove_ids(faiss.IDSelectorBatch(np.array(ids, dtype=np.int64)))
        self._database.execute("DELETE FROM chunks WHERE doc_id = ?", (doc_id,))
        self._database.execute("DELETE FROM documents WHERE doc_id = ?", (doc_id,))

    def set_groups(self, doc_id: str, groups: Sequence[str]) -> None:
        self._database.execute(
            "UPDATE documents SET allowed_groups = ? WHERE doc_id = ?", (json.dumps(list(groups)), doc_id)
        )

    def add(self, document: ParsedDocument) -> None:
        self._database.execute(
            "INSERT INTO documents VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                document.doc_id,
                document.root,
                document.source,
                document.title,
                document.text,
                document.content_hash,
                document.file_hash,
                json.dumps(list(document.allowed_groups)),
            ),
        )
        for chunk in document.chunks:
            text = embedded_text(document.title, chunk.section, document.text[chunk.start : chunk.end])
            digest = hashlib.sha256(text.encode()).hexdigest()
            place = json.dumps(asdict(chunk.place)) if chunk.place else None
            page = chunk.place.value if chunk.place and chunk.place.kind == "page" else None
            cursor = self._database.execute(
                "INSERT INTO chunks (doc_id, start_index, end_index, section, page, place, embedded_hash) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                (document.doc_id, chunk.start, chunk.end, chunk.section, page, place, digest),
            )
            self._new.append((int(cursor.lastrowid or 0), text, digest))

    def publish(self, embeddings: Embeddings, progress: Progress | None = None) -> Manifest:
        """Embed what is new, build the lexical index, switch."""
        self._embed(embeddings, progress or (lambda done, total: None))
        rows = self._database.execute(
            "SELECT d.title, c.section, substr(d.text, c.start_index + 1, c.end_index - c.start_index) "
            "FROM chunks c JOIN documents d USING (doc_id) ORDER BY c.id"
        )
        LexicalIndex.build([embedded_text(*row) for row in rows]).save(self._staged)
        documents = self._database.execute("SELECT count(*) FROM documents").fetchone()[0]
        chunks = self._database.execute("SELECT count(*) FROM chunks").fetchone()[0]
        self._database.commit()
        self._database.execute("VACUUM")  # so that nothing of a removed document stays in free pages
        self._database.close()
        if self._vectors is None:
            self._vectors = _empty_vectors(len(embeddings.embed_query("dimension")))
        try:
            faiss.write_index(self._vectors, str(self._staged / "vectors.faiss"))
        except RuntimeError as error:  # its only word for a full disk
            raise OSError(f"vectors: {error}") from error
        manifest = publish(self._index, self._staged, self._embedder, documents, chunks, forgets=self.forgets)
        self._published = True
        return manifest

    def _embed(self, embeddings: Embeddings, progress: Progress) -> None:
        """Equal texts (in other documents, or twice in this job) are embedded once."""
        fresh: dict[str, str] = {}
        known = self._known_vectors({digest for _, _, digest in self._new})
        for _, text, digest in self._new:
            if digest not in known:
                fresh.setdefault(digest, text)
        pending = sorted(fresh.items(), key=lambda item: len(item[1]))
        for start in range(0, len(pending), _EMBED_AT_ONCE):
            progress(start, len(pending))
            batch = pending[start : start + _EMBED_AT_ONCE]
            vectors_nd = np.asarray(embeddings.embed_documents([text for _, text in batch]), dtype=np.float32)
            known.update({digest: vector_d for (digest, _), vector_d in zip(batch, vectors_nd, strict=True)})
        progress(len(pending), len(pending))
        if self._new:
            vectors_nd = np.stack([known[digest] for _, _, digest in self._new])
            if self._vectors is None:
                self._vectors = _empty_vectors(vectors_nd.shape[1])
            self._vectors.add_with_ids(vectors_nd, np.array([id_ for id_, _, _ in self._new], dtype=np.int64))

    def _known_vectors(self, digests: Iterable[str]) -> dict[str, NDArray[np.float32]]:
        """Vectors that the index holds already for equal texts."""
        if self._vectors is None:
            return {}
        wanted, new_ids = set(digests), {id_ for id_, _, _ in self._new}
        rows = self._database.execute("SELECT id, embedded_hash FROM chunks")
        return {
            digest: self._vectors.reconstruct(id_) for id_, digest in rows if digest in wanted and id_ not in new_ids
        }


def _empty_vectors(dimension: int) -> faiss.IndexIDMap2:
    return faiss.IndexIDMap2(faiss.IndexFlatIP(dimension))


def _read_vectors(file: Path, index: Path) -> faiss.Index:
    try:
        return faiss.read_index(str(file))
    except RuntimeError as error:
        raise VectorIndexError(
            f"The index in {index} is damaged: {file.name} cannot be read. {rebuild_hint(index)}"
        ) from error


def _describe(embedder: EmbedderIdentity) -> str:
    return f"{embedder.name} ({embedder.fingerprint[:8]}, {embedder.chunk_tokens}-token chunks)"
