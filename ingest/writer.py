"""One new generation of an index, staged beside the current one and published by one switch.

Legend: `n` chunks, `d` embedding dimension.
"""

from __future__ import annotations

import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from itertools import chain
from pathlib import Path

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from ingest.catalogue import StagedCatalogue
from ingest.journal import WORK_FOLDER, Journal
from ragvoice.errors import VectorIndexError
from ragvoice.retrieval.generations import (
    EmbedderIdentity,
    Manifest,
    check_files,
    current_generation,
    drop_generations,
    is_current,
    link_or_copy,
    open_catalogue,
    publish,
    read_manifest,
    rebuild_hint,
)
from ragvoice.retrieval.index import CHUNKS_FILE
from ragvoice.retrieval.lexical import LEXICAL_FOLDER, LexicalIndex
from ragvoice.retrieval.shards import Batch
from ragvoice.retrieval.vector_store import VectorSearch, VectorStore

LOCK_FILE = "lock"

Step = Callable[[str, int, int], None]
"""Called with (what is being done, how much of it, of how much; 0 where that is not known)."""


@contextmanager
def writing(index: Path, wait_s: float = 0.0) -> Iterator[None]:
    """The one writer's lock.

    :param wait_s: How long to wait for another writer.
    :raises VectorIndexError: when another process is writing, or the folder cannot be written.
    """
    try:
        index.mkdir(parents=True, exist_ok=True)
        with FileLock(index / LOCK_FILE, timeout=wait_s):
            yield
    except Timeout as error:
        raise VectorIndexError(
            f"Another process is writing the index in {index}. Wait until it has ended (ragvoice status shows how far "
            "it is), or let this command wait for it with: --wait SECONDS"
        ) from error
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


class GenerationWriter:
    """Use inside `writing(index)`. Nothing is visible to readers before `publish`; leaving without it undoes all.

    An index that exists must have been made with the same embedder and chunking, unless `rebuild` starts anew.
    """

    def __init__(self, index: Path, embedder: EmbedderIdentity, store: VectorStore, *, rebuild: bool = False):
        self._index = index
        self._embedder = embedder
        self._store = store
        (index / "generations").mkdir(exist_ok=True)
        self._staged = index / "generations" / f"{time.strftime('%Y%m%dT%H%M%S')}-{time.time_ns() % 10**6:06d}"
        self._previous = None if rebuild else _fitting_generation(index, embedder, store)
        self._before: VectorSearch | None = None
        self._staged.mkdir()
        try:
            self.catalogue = StagedCatalogue(self._staged, self._previous)
        except BaseException:
            shutil.rmtree(self._staged, ignore_errors=True)
            raise

    def __enter__(self) -> GenerationWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.catalogue.close()
        if not is_current(self._index, self._staged.name):  # an interruption may come after the switch
            shutil.rmtree(self._staged, ignore_errors=True)

    def has_vector(self, embedded_hash: bytes) -> bool:
        """Whether the generation before holds the vector of this text."""
        return self.catalogue.previous_id(embedded_hash) is not None

    def publish(
        self,
        journal: Journal,
        dimension: Callable[[], int],
        step: Step | None = None,
        *,
        forgets: bool = False,
        compact: bool = False,
    ) -> Manifest:
        """Vectors and lexical index of what the catalogue holds now, then the switch.

        :param journal: Holds the vectors of all new chunks; deleted with the publication.
        :param dimension: Asked for only when the index has no vector yet.
        :param forgets: Drop the generation before at once: it holds what must not be found any more.
        :param compact: Write every file anew, smaller where rows have gone.
        """
        step = step or (lambda name, done, total: None)
        same_chunks = not compact and not self.catalogue.chunks_changed()
        documents, chunks = self.catalogue.counts()
        np.save(self._staged / CHUNKS_FILE, self.catalogue.document_numbers())
        step("vectors", 0, chunks)
        self._write_vectors(journal, dimension, step, compact=compact)
        if same_chunks and self._previous:
            shutil.copytree(
                self._previous / LEXICAL_FOLDER,
                self._staged / LEXICAL_FOLDER,
                copy_function=lambda source, target: link_or_copy(Path(source), Path(target)),
            )
        else:
            step("lexical index", 0, chunks)
            LexicalIndex.build(self._counted(step, chunks), scratch=self._index / WORK_FOLDER).save(self._staged)
        self.catalogue.deleted |= compact
        self.catalogue.finish()
        manifest = publish(
            self._index, self._staged, self._embedder, documents, chunks,
            vector_store=self._store.name, forgets=forgets,
        )  # fmt: skip
        self._store.retain(self._index / "generations")
        journal.delete()
        return manifest

    def publish_nothing(self, journal: Journal) -> Manifest:
        """The current generation stays; what must not be found any more is not left by writers that were killed."""
        current = current_generation(self._index)
        if drop_generations(self._index, (current.name, self._staged.name)):
            self._store.retain(self._index / "generations")
        journal.delete()
        return read_manifest(current)

    def _write_vectors(self, journal: Journal, dimension: Callable[[], int], step: Step, *, compact: bool) -> None:
        kept_ids_n = self.catalogue.kept_ids()
        size = self._store.dimension(self._previous) if self._previous else None
        batches = self._batches(journal)
        first = next(batches, None)
        if first is not None:
            size = first[1].shape[1]
        if compact and self._previous and len(kept_ids_n):
            self._store.write(self._staged, None, kept_ids_n[:0], self._kept_batches(kept_ids_n), int(size or 0), step)
            return
        every = iter(()) if first is None else chain([first], batches)
        self._store.write(self._staged, self._previous, kept_ids_n, every, size or dimension(), step)

    def _batches(self, journal: Journal) -> Iterator[Batch]:
        for rows in self.catalogue.new_chunks():
            ids_n = np.array([id_ for id_, _ in rows], dtype=np.int64)
            yield ids_n, self._vectors_of([digest for _, digest in rows], journal)

    def _vectors_of(self, embedded_hashes: list[bytes], journal: Journal) -> NDArray[np.float32]:
        """Shape (n, d): from the journal, or from the generation before, which has embedded the same text."""
        found = [journal.vector(digest) for digest in embedded_hashes]
        missing = [i for i, vector_d in enumerate(found) if vector_d is None]
        if missing:
            before = self._opened_before()
            ids = [self.catalogue.previous_id(embedded_hashes[i]) for i in missing]
            rows = np.searchsorted(before.ids_n, np.array(ids, dtype=np.int64))
            for i, vector_d in zip(missing, before.vectors(rows), strict=True):
                found[i] = vector_d
        return np.stack([vector_d for vector_d in found if vector_d is not None])

    def _kept_batches(self, kept_ids_n: NDArray[np.int64], at_once: int = 4096) -> Iterator[Batch]:
        before = self._opened_before()
        for start in range(0, len(kept_ids_n), at_once):
            ids_n = kept_ids_n[start : start + at_once]
            yield ids_n, before.vectors(np.searchsorted(before.ids_n, ids_n))

    def _opened_before(self) -> VectorSearch:
        assert self._previous is not None
        self._before = self._before or self._store.open(self._previous)
        return self._before

    def _counted(self, step: Step, chunks: int) -> Iterator[str]:
        for number, text in enumerate(self.catalogue.embedded_texts()):
            if number % 4096 == 0:
                step("lexical index", number, chunks)
            yield text
        step("lexical index", chunks, chunks)


def _fitting_generation(index: Path, embedder: EmbedderIdentity, store: VectorStore) -> Path | None:
    """The generation to build upon; None when there is no index yet.

    :raises VectorIndexError: when it is damaged or was made with other settings.
    """
    if not (index / "CURRENT").is_file():
        return None
    previous = current_generation(index)
    manifest = read_manifest(previous)
    check_files(previous, manifest)
    if manifest.embedder != embedder:
        raise VectorIndexError(
            f"The index in {index} was made with {_describe(manifest.embedder)}; "
            f"the settings now say {_describe(embedder)}. {rebuild_hint(index)}"
        )
    if manifest.vector_store != store.name:
        raise VectorIndexError(
            f"The vectors of the index in {index} are in {manifest.vector_store}; the settings now say {store.name}. "
            + rebuild_hint(index)
        )
    return previous


def _describe(embedder: EmbedderIdentity) -> str:
    return (
        f"{embedder.name} ({embedder.fingerprint[:8]}, {embedder.chunk_tokens}-token chunks, "
        f"{embedder.overlap_tokens} shared)"
    )
