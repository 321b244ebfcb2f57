"""Bring an index in step with the roots that the user named, and take things out of it."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from langchain_core.embeddings import Embeddings

from ingest.documents import Chunking
from ingest.embedding import EmbeddingQueue, Engine, local
from ingest.journal import Journal
from ingest.loaders.options import DEFAULT_OPTIONS, LoadOptions
from ingest.progress import JobState
from ingest.sandbox import ParseLimits, ParserPool
from ingest.sources import Root, resolve_root
from ingest.summary import IngestSummary, Skipped
from ingest.sync import Report, RootSync, Workshop
from ingest.writer import GenerationWriter, remembered_roots, writing
from ragvoice.errors import UsageError
from ragvoice.retrieval.generations import EmbedderIdentity, current_generation, read_manifest
from ragvoice.retrieval.vector_store import FaissStore, VectorStore

_FAISS = FaissStore()
_DEFAULT_LIMITS = ParseLimits()
_LOADERS_VERSION = "6"
"""Part of every file hash: raise it when loaders or splitting change, and all documents are read again."""


@dataclass(frozen=True)
class Reading:
    """How files are read; each in a process of its own."""

    options: LoadOptions = DEFAULT_OPTIONS
    limits: ParseLimits = _DEFAULT_LIMITS
    """Of time and memory for one file."""
    workers: int = 1
    """Files that are read at the same time."""
    models: str = ""
    """Names the recogniser and the captioner; with others every file is read again."""
    retry_skipped: bool = False
    """Read files again that could not be read before, though they have not changed."""

    @property
    def name(self) -> str:
        """Of what decides the text that a file gives."""
        options = (self.options.ocr, self.options.transcriber is not None, self.options.captioner is not None)
        return hashlib.sha256(f"{_LOADERS_VERSION} {options} {self.models}".encode()).hexdigest()[:12]


_DEFAULT_READING = Reading()


def ingest(
    paths: Sequence[Path],
    index: Path,
    embeddings: Callable[[], Embeddings],
    embedder: EmbedderIdentity,
    chunking: Chunking,
    *,
    prefix: str = "",
    rebuild: bool = False,
    reading: Reading = _DEFAULT_READING,
    store: VectorStore = _FAISS,
    engine: Engine | None = None,
    wait_s: float = 0.0,
    report: Report = lambda stage, done, total: None,
) -> IngestSummary:
    """Other roots of the index stay as they are; with `rebuild` every root that it remembers is read again.

    What is read and embedded is kept until the index is published, so a job that was killed goes on where it was.

    :param embeddings: Called when something must be embedded; an unchanged folder loads no model.
    :param prefix: Put before the doc_ids of the named roots.
    :param engine: Embeds the new chunks; None is the embedder in this process.
    :param wait_s: How long to wait for another writer of the index.
    :raises UsageError: nothing there, nothing readable, or two documents of one name.
    :raises VectorIndexError: the index is locked, damaged, of another embedder, or cannot be written.
    """
    started = time.perf_counter()
    roots = list(dict.fromkeys(resolve_root(path, prefix) for path in paths))
    if any(root.path == index.resolve() for root in roots):
        raise UsageError("The index cannot stand in the folder of the documents itself. Choose another with --index.")
    summary = IngestSummary()
    with (
        writing(index, wait_s),
        JobState(index, report) as state,
        GenerationWriter(index, embedder, store, rebuild=rebuild) as writer,
        closing(Journal(index, embedder)) as journal,
        ParserPool(reading.options, reading.limits, reading.workers) as parsers,
        EmbeddingQueue(engine or local(embeddings), journal, writer.has_vector, state.embedded) as queue,
    ):
        catalogue = writer.catalogue
        shop = Workshop(catalogue, parsers, journal, queue, chunking, reading.name, reading.retry_skipped, state.report)
        known = remembered_roots(index) if rebuild else catalogue.roots()
        roots = [root if root.prefix else Root(root.path, known.get(str(root.path), "")) for root in roots]
        roots += _others(known, roots, summary) if rebuild else []
        changes = [RootSync(root, shop, summary).run() for root in roots]
        queue.finish()
        summary.embedded = queue.embedded
        if rebuild or any(changes) or not (index / "CURRENT").is_file():
            forgets = catalogue.deleted
            manifest = writer.publish(journal, lambda: _dimension(embeddings()), state.report, forgets=forgets)
        else:
            manifest = writer.publish_nothing(journal)
    summary.chunks, summary.generation = manifest.chunks, manifest.generation
    summary.seconds = round(time.perf_counter() - started, 3)
    return summary


def remove(doc_id: str, index: Path, store: VectorStore = _FAISS, *, wait_s: float = 0.0) -> None:
    """Take one document out of the index. It returns with the next ingest if its file is still in the folder.

    :raises UsageError: when there is no such document.
    """
    with _editing(index, store, wait_s) as writer:
        if writer.catalogue.document(doc_id) is None:
            raise UsageError(f"There is no document {doc_id!r} in the index. See: ragvoice documents list")
        writer.catalogue.drop_file(*writer.catalogue.home_of(doc_id))
        writer.catalogue.remove(doc_id)


def forget(root: Path, index: Path, store: VectorStore = _FAISS, *, wait_s: float = 0.0) -> int:
    """Take all documents of a folder (or file) out that was ingested by that name, and the folder itself.

    :param root: Need not exist any more.
    :returns: How many documents there were.
    :raises UsageError: when the index does not know it.
    """
    with _editing(index, store, wait_s) as writer:
        named = str(root.expanduser().resolve())
        if named not in writer.catalogue.roots():
            known = ", ".join(sorted(writer.catalogue.roots())) or "none"
            raise UsageError(f"The index has no folder {named}. It has: {known}")
        return writer.catalogue.forget_root(named)


def compact(index: Path, store: VectorStore = _FAISS, *, wait_s: float = 0.0) -> None:
    """Write every file of the index anew, and drop older generations and the leavings of killed jobs."""
    with _editing(index, store, wait_s, compact=True):
        pass


@contextmanager
def _editing(index: Path, store: VectorStore, wait_s: float, *, compact: bool = False) -> Iterator[GenerationWriter]:
    """The index without any new text, published at the end; what is taken out leaves nothing behind."""
    embedder = read_manifest(current_generation(index)).embedder
    with (
        writing(index, wait_s),
        GenerationWriter(index, embedder, store) as writer,
        closing(Journal(index, embedder)) as journal,
    ):
        yield writer
        writer.publish(journal, lambda: 0, forgets=True, compact=compact)


def _others(known: dict[str, str], named: Sequence[Root], summary: IngestSummary) -> list[Root]:
    """The other roots of the index; those whose folder is gone are reported, for a rebuild loses their documents."""
    found = []
    for path, prefix in known.items():
        root = Root(Path(path), prefix)
        if root.path in {other.path for other in named}:
            continue
        if root.path.exists():
            found.append(root)
        else:
            summary.skipped.append(
                Skipped(root.doc_id(root.path.name), "the folder is gone, so its documents left the index")
            )
    return found


def _dimension(embeddings: Embeddings) -> int:
    return len(embeddings.embed_query("dimension"))
