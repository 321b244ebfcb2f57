"""Bring an index in step with the roots that the user named."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings

from ingest.access import read_rules
from ingest.loaders import load
from ingest.sources import Root, SourceFile, resolve_root, walk
from ingest.splitting import PageSpan, TokenOffsets, first_heading, split
from ingest.writer import GenerationWriter, ParsedDocument, writing
from ragvoice.errors import DocumentError, UsageError
from ragvoice.retrieval.generations import EmbedderIdentity, current_generation, read_manifest

Report = Callable[[str, int, int], None]
"""Called with (stage, done, total): "read" counts files, "embed" counts chunks."""


@dataclass(frozen=True)
class Skipped:
    doc_id: str
    reason: str


@dataclass
class IngestSummary:
    """Counts of documents; `chunks` is the size of the index afterwards."""

    added: int = 0
    changed: int = 0
    removed: int = 0
    unchanged: int = 0
    skipped: list[Skipped] = field(default_factory=list)
    chunks: int = 0
    seconds: float = 0.0
    generation: str = ""


@dataclass(frozen=True)
class Chunking:
    tokens_of: TokenOffsets
    chunk_tokens: int
    overlap_tokens: int


def ingest(
    paths: Sequence[Path],
    index: Path,
    embeddings: Callable[[], Embeddings],
    embedder: EmbedderIdentity,
    chunking: Chunking,
    *,
    prefix: str = "",
    rebuild: bool = False,
    report: Report = lambda stage, done, total: None,
) -> IngestSummary:
    """Other roots of the index stay as they are; with `rebuild` every root that it remembers is read again.

    :param embeddings: Called when something must be embedded; an unchanged folder loads no model.
    :param prefix: Put before the doc_ids of the named roots.
    :raises UsageError: nothing there, nothing readable, or two documents of one name.
    :raises VectorIndexError: the index is locked, damaged, of another embedder, or cannot be written.
    """
    started = time.perf_counter()
    roots = [resolve_root(path, prefix) for path in paths]
    summary = IngestSummary()
    with writing(index):
        remembered = _remembered_roots(index) if rebuild else []
        roots += [root for root in remembered if root.path not in {named.path for named in roots}]
        with GenerationWriter(index, embedder, rebuild=rebuild) as writer:
            dirty = rebuild
            for root in roots:
                prefix_known = writer.roots().get(str(root.path))
                if prefix_known is not None and not root.prefix:
                    root = Root(root.path, prefix_known)
                dirty |= _sync(root, writer, chunking, summary, report)
            if not dirty and (index / "CURRENT").is_file():
                manifest = read_manifest(current_generation(index))
            else:
                manifest = writer.publish(embeddings(), lambda done, total: report("embed", done, total))
    summary.chunks, summary.generation = manifest.chunks, manifest.generation
    summary.seconds = round(time.perf_counter() - started, 3)
    return summary


def remove(doc_id: str, index: Path, embeddings: Callable[[], Embeddings]) -> None:
    """Take one document out of the index. It returns with the next ingest if its file is still in the folder.

    :raises UsageError: when there is no such document.
    """
    embedder = read_manifest(current_generation(index)).embedder
    with writing(index), GenerationWriter(index, embedder) as writer:
        if doc_id not in writer.documents():
            raise UsageError(f"There is no document {doc_id!r} in the index. See: ragvoice documents list")
        writer.remove(doc_id)
        writer.publish(embeddings())


def _remembered_roots(index: Path) -> list[Root]:
    """Read from the old generation even when it was made with another embedder: that is what a rebuild is for."""
    if not (index / "CURRENT").is_file():
        return []
    file = current_generation(index) / "catalogue.sqlite"
    try:
        database = sqlite3.connect(f"file:{file}?mode=ro&immutable=1", uri=True)
        rows = database.execute("SELECT root, prefix FROM roots").fetchall()
        database.close()
    except sqlite3.Error:
        return []  # too damaged to say; the roots that the user names are rebuilt
    return [Root(Path(path), prefix) for path, prefix in rows if Path(path).exists()]


def _sync(root: Root, writer: GenerationWriter, chunking: Chunking, summary: IngestSummary, report: Report) -> bool:
    """:returns: Whether anything of this root has changed."""
    known = writer.documents()
    mine = {doc_id for doc_id, (owner, _, _) in known.items() if owner == str(root.path)}
    rules = read_rules(root)
    if rules.problem:
        summary.skipped.append(Skipped(root.doc_id("access.toml"), rules.problem))
    files = list(walk(root))
    before = len(summary.skipped)
    writer.set_root(str(root.path), root.prefix)
    seen: dict[str, str] = {}
    dirty = False
    for number, file in enumerate(files):
        report("read", number, len(files))
        groups = rules.groups(file.relative)
        for candidate in _documents(root, file, known, summary):
            doc_id = candidate.doc_id
            if doc_id in seen:
                summary.skipped.append(Skipped(doc_id, f"the same doc_id as in {seen[doc_id]}"))
                continue
            seen[doc_id] = file.relative
            owner, old_hash, old_groups = known.get(doc_id, ("", "", ""))
            if owner and owner != str(root.path):
                raise UsageError(
                    f"{doc_id!r} is in the index already, from another folder. "
                    "Give this folder's documents a name of their own with: --name PREFIX"
                )
            if old_hash == candidate.file_hash:
                summary.unchanged += 1
                if old_groups != json.dumps(list(groups)):
                    writer.set_groups(doc_id, groups)
                    dirty = True
                continue
            if owner:
                writer.remove(doc_id)
            writer.add(_parsed(root, candidate, groups, chunking))
            summary.changed += bool(owner)
            summary.added += not owner
            dirty = True
    report("read", len(files), len(files))
    if not seen and not mine:
        reasons = "; ".join(f"{skip.doc_id}: {skip.reason}" for skip in summary.skipped[before : before + 3])
        raise UsageError(
            f"No readable document in {root.path.name or 'the folder'}"
            + (f" ({reasons})." if reasons else ".")
            + " Supported: Markdown, text, HTML, PDF, DOCX and corpus.jsonl."
        )
    for doc_id in mine - seen.keys():
        writer.remove(doc_id)
        summary.removed += 1
        dirty = True
    return dirty


@dataclass(frozen=True)
class _Candidate:
    doc_id: str
    relative: str
    file_hash: str
    pages: list[Document]
    """Empty when the index holds this very content."""


_PARSER_VERSION = "1"
"""Part of every file hash: raise it when loaders or splitting change, and all documents are read again."""


def _documents(
    root: Root, file: SourceFile, known: dict[str, tuple[str, str, str]], summary: IngestSummary
) -> Iterator[_Candidate]:
    """The documents of one file; an unchanged file is not parsed again."""
    doc_id = root.doc_id(file.relative)
    try:
        if file.path.name == "corpus.jsonl":
            for row in load(file.path):
                relative = str(row.metadata["doc_id"])
                yield _Candidate(root.doc_id(relative), relative, _hash(row.metadata["title"], row.page_content), [row])
            return
        with file.path.open("rb") as stream:
            digest = _hash(hashlib.file_digest(stream, "sha256").hexdigest())
        unchanged = known.get(doc_id, ("", "", ""))[1] == digest
        yield _Candidate(doc_id, file.relative, digest, [] if unchanged else load(file.path))
    except OSError as error:
        summary.skipped.append(Skipped(doc_id, f"cannot be read: {error.strerror or error}"))
    except DocumentError as error:
        summary.skipped.append(Skipped(doc_id, str(error)))


def _hash(*parts: str) -> str:
    return hashlib.sha256("\x00".join((_PARSER_VERSION, *parts)).encode()).hexdigest()


def _parsed(root: Root, candidate: _Candidate, groups: tuple[str, ...], chunking: Chunking) -> ParsedDocument:
    """Pages joined to one text, so that every offset in the product counts in the same string."""
    text, spans = "", []
    for page in candidate.pages:
        body = page.page_content.strip("\n")
        text += "\n\n" if text else ""
        spans.append(PageSpan(len(text), len(text) + len(body), page.metadata.get("page")))
        text += body
    stated = next((str(page.metadata["title"]) for page in candidate.pages if page.metadata.get("title")), "")
    from_name = Path(candidate.relative).stem.replace("-", " ").replace("_", " ")
    chunks = split(text, spans, chunking.tokens_of, chunking.chunk_tokens, chunking.overlap_tokens)
    return ParsedDocument(
        candidate.doc_id,
        str(root.path),
        candidate.relative,
        stated or first_heading(text) or from_name,
        text,
        candidate.file_hash,
        groups,
        tuple(chunks),
    )
