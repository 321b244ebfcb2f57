"""Bring an index in step with the roots that the user named."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings

from ingest.access import AccessRules
from ingest.headings import first_heading
from ingest.loaders import CORPUS_FILE, CorpusLoader
from ingest.loaders.options import DEFAULT_OPTIONS, LoadOptions
from ingest.sandbox import ParseLimits, ParserPool
from ingest.sources import Root, SourceFile, resolve_root, walk
from ingest.splitting import PageSpan, TokenOffsets, split
from ingest.writer import GenerationWriter, ParsedDocument, remembered_roots, writing
from ragvoice.datatypes import Place
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


_DEFAULT_LIMITS = ParseLimits()


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
    options: LoadOptions = DEFAULT_OPTIONS,
    limits: ParseLimits = _DEFAULT_LIMITS,
    report: Report = lambda stage, done, total: None,
) -> IngestSummary:
    """Other roots of the index stay as they are; with `rebuild` every root that it remembers is read again.

    :param embeddings: Called when something must be embedded; an unchanged folder loads no model.
    :param prefix: Put before the doc_ids of the named roots.
    :param options: How files are read.
    :param limits: Of time and memory for one file; each is parsed in a process of its own.
    :raises UsageError: nothing there, nothing readable, or two documents of one name.
    :raises VectorIndexError: the index is locked, damaged, of another embedder, or cannot be written.
    """
    started = time.perf_counter()
    roots = list(dict.fromkeys(resolve_root(path, prefix) for path in paths))
    if any(root.path == index.resolve() for root in roots):
        raise UsageError("The index cannot stand in the folder of the documents itself. Choose another with --index.")
    summary = IngestSummary()
    with (
        writing(index),
        GenerationWriter(index, embedder, rebuild=rebuild) as writer,
        ParserPool(options, limits) as parsers,
    ):
        known = remembered_roots(index) if rebuild else writer.roots()
        roots = [root if root.prefix else Root(root.path, known.get(str(root.path), "")) for root in roots]
        roots += _others(known, roots, summary) if rebuild else []
        dirty = rebuild
        for root in roots:
            dirty |= _sync(root, writer, parsers, chunking, summary, report)
        if not dirty and (index / "CURRENT").is_file():
            manifest = read_manifest(current_generation(index))
        else:
            writer.forgets = summary.removed > 0
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
        writer.forgets = True
        writer.publish(embeddings())


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


def _sync(
    root: Root,
    writer: GenerationWriter,
    parsers: ParserPool,
    chunking: Chunking,
    summary: IngestSummary,
    report: Report,
) -> bool:
    """:returns: Whether anything of this root has changed."""
    own = _owned_roots(root, writer)
    known = writer.documents()
    parts = _parts(known)
    mine = {doc_id for doc_id, (owner, _, _) in known.items() if owner in own}
    rules = AccessRules(root)
    before = len(summary.skipped)
    files = list(walk(root, lambda relative, reason: summary.skipped.append(Skipped(root.doc_id(relative), reason))))
    writer.set_root(str(root.path), root.prefix)
    seen: dict[str, str] = {}
    dirty = False
    for number, file in enumerate(files):
        report("read", number, len(files))
        groups = rules.groups(file.path.resolve())
        for candidate in _documents(root, file, parsers, known, parts, summary):
            doc_id = candidate.doc_id
            if doc_id in seen:
                summary.skipped.append(Skipped(doc_id, f"the same doc_id as in {seen[doc_id]}"))
                continue
            seen[doc_id] = file.relative
            owner, old_hash, old_groups = known.get(doc_id, ("", "", ""))
            if owner and owner not in own:
                raise UsageError(_clash(doc_id, Path(owner)))
            if old_hash == candidate.file_hash and old_groups == json.dumps(list(groups)):
                summary.unchanged += 1
                continue
            if old_hash == candidate.file_hash:
                writer.set_groups(doc_id, groups)
            else:
                if owner:
                    writer.remove(doc_id)
                writer.add(_parsed(root, candidate, groups, chunking))
            summary.changed += bool(owner)
            summary.added += not owner
            dirty = True
    report("read", len(files), len(files))
    summary.skipped += [Skipped(root.doc_id(name), problem) for name, problem in rules.problems()]
    if not seen and not mine:
        reasons = "; ".join(f"{skip.doc_id}: {skip.reason}" for skip in summary.skipped[before : before + 3])
        raise UsageError(
            f"No readable document in {root.path.name or 'the folder'}"
            + (f" ({reasons})." if reasons else ".")
            + " Supported: Markdown, text, HTML, PDF, Office and OpenDocument files, RTF, EPUB, CSV, JSON, e-mail,"
            " pictures, ZIP and corpus.jsonl."
        )
    for doc_id in mine - seen.keys():
        writer.remove(doc_id)
        summary.removed += 1
        dirty = True
    for absorbed in own - {str(root.path)}:
        writer.rename_root(absorbed, str(root.path))
        dirty = True
    return dirty


def _owned_roots(root: Root, writer: GenerationWriter) -> set[str]:
    """The root, and the roots inside it that were ingested before it: their documents are its own from now on.

    :raises UsageError: when the root is itself inside a known one, and its documents would be there twice.
    """
    own = {str(root.path)}
    for path, prefix in writer.roots().items():
        if prefix != root.prefix or path in own:
            continue
        if Path(path).is_relative_to(root.path):
            own.add(path)
        elif root.path.is_relative_to(path):
            raise UsageError(
                f"{root.path.name} is in the index already, as a part of {Path(path).name}. Ingest that folder, "
                "or give these documents a name of their own with: --name PREFIX"
            )
    return own


def _clash(doc_id: str, owner: Path) -> str:
    if owner.exists():
        return (
            f"{doc_id!r} is in the index already, from another folder. "
            "Give this folder's documents a name of their own with: --name PREFIX"
        )
    return (
        f"{doc_id!r} is in the index already, from a folder that is gone. If the folder has moved, add --rebuild; "
        "if these are other documents, give them a name of their own with: --name PREFIX"
    )


@dataclass(frozen=True)
class _Candidate:
    doc_id: str
    relative: str
    file_hash: str
    pages: list[Document]
    """Empty when the index holds this very content."""


_PARSER_VERSION = "4"
"""Part of every file hash: raise it when loaders or splitting change, and all documents are read again."""


def _parts(doc_ids: Iterable[str]) -> dict[str, list[str]]:
    """doc_id of a file -> the documents that the index has of it: itself, and what is inside it."""
    parts: dict[str, list[str]] = {}
    for doc_id in doc_ids:
        parts.setdefault(doc_id.split("!/", 1)[0], []).append(doc_id)
    return parts


def _documents(
    root: Root,
    file: SourceFile,
    parsers: ParserPool,
    known: dict[str, tuple[str, str, str]],
    parts: dict[str, list[str]],
    summary: IngestSummary,
) -> Iterator[_Candidate]:
    """The documents of one file; an unchanged file is not parsed again."""
    doc_id = root.doc_id(file.relative)

    def bad_line(number: int, reason: str) -> None:
        summary.skipped.append(Skipped(doc_id, f"line {number}: {reason}"))

    try:
        if file.path.name == CORPUS_FILE:
            for row in CorpusLoader(file.path, bad_line).lazy_load():
                relative = str(row.metadata["doc_id"])
                yield _Candidate(root.doc_id(relative), relative, _hash(row.metadata["title"], row.page_content), [row])
            return
        with file.path.open("rb") as stream:
            digest = _hash(hashlib.file_digest(stream, "sha256").hexdigest())
        same = [part for part in parts.get(doc_id, []) if known[part][1] == digest]
        for part in same:
            yield _Candidate(part, file.relative + part[len(doc_id) :], digest, [])
        if not same:
            for name, pages in groupby(
                _parse(parsers, file.path), key=lambda page: str(page.metadata.get("part") or "")
            ):
                inner = f"!/{name}" if name else ""
                yield from _part(doc_id + inner, file.relative + inner, digest, list(pages), summary)
    except OSError as error:
        summary.skipped.append(Skipped(doc_id, f"cannot be read: {error.strerror or error}"))
    except DocumentError as error:
        summary.skipped.append(Skipped(doc_id, str(error)))


def _parse(parsers: ParserPool, path: Path) -> tuple[Document, ...]:
    """:raises DocumentError: why the file cannot be read."""
    [parsed] = parsers.parse([path])
    if parsed.error:
        raise DocumentError(parsed.error)
    return parsed.documents


def _part(
    doc_id: str, relative: str, digest: str, pages: list[Document], summary: IngestSummary
) -> Iterator[_Candidate]:
    summary.skipped += [
        Skipped(doc_id, str(page.metadata["skipped"])) for page in pages if page.metadata.get("skipped")
    ]
    readable = [page for page in pages if page.page_content.strip()]
    if readable:
        yield _Candidate(doc_id, relative, digest, pages)


def _hash(*parts: str) -> str:
    return hashlib.sha256("\x00".join((_PARSER_VERSION, *parts)).encode()).hexdigest()


def _parsed(root: Root, candidate: _Candidate, groups: tuple[str, ...], chunking: Chunking) -> ParsedDocument:
    """Pages joined to one text, so that every offset in the product counts in the same string."""
    text, spans = "", []
    for page in candidate.pages:
        body = page.page_content.strip("\n")
        text += "\n\n" if text else ""
        spans.append(PageSpan(len(text), len(text) + len(body), _place(page)))
        text += body
    stated = next((str(page.metadata["title"]) for page in candidate.pages if page.metadata.get("title")), "")
    from_name = Path(candidate.relative).stem.replace("-", " ").replace("_", " ")
    chunks = split(text, spans, chunking.tokens_of, chunking.chunk_tokens, chunking.overlap_tokens, stated)
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


def _place(page: Document) -> Place | None:
    number = page.metadata.get("page")
    return Place("page", number) if number is not None else page.metadata.get("place")
