"""One root and the staged catalogue: what is new, changed, moved, gone, unreadable, or still the same."""

from __future__ import annotations

import hashlib
import shlex
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import Path

from langchain_core.documents import Document

from ingest.access import AccessRules, Ruling
from ingest.catalogue import KnownFile, StagedCatalogue, moved
from ingest.documents import Chunking, Origin, ParsedDocument, parsed_document
from ingest.embedding import EmbeddingQueue
from ingest.journal import Journal
from ingest.loaders import CORPUS_FILE, CorpusLoader
from ingest.sandbox import ParsedFile, ParserPool
from ingest.sources import Root, SourceFile, walk
from ingest.summary import IngestSummary, Skipped
from ragvoice.errors import DocumentError, UsageError
from ragvoice.retrieval.generations import file_sha256

Report = Callable[[str, int, int], None]
"""Called with (stage, done, total): "read" counts files, "embed" counts chunks."""

_SETTLED_NS = 2 * 10**9
"""A file that was written so shortly before may be written again within the same tick of the file system's clock."""


@dataclass(frozen=True)
class Workshop:
    """What the roots of one job share."""

    catalogue: StagedCatalogue
    parsers: ParserPool
    journal: Journal
    queue: EmbeddingQueue
    chunking: Chunking
    reading: str
    """Names the loaders' version and options; another one reads every file again."""
    retry_skipped: bool
    report: Report


@dataclass(frozen=True)
class _Task:
    """A file whose content must be read."""

    file: SourceFile
    known: KnownFile
    ruling: Ruling


class RootSync:
    """Use once. `run` leaves the catalogue as the folder is, and hands new chunks to the embedding queue."""

    def __init__(self, root: Root, shop: Workshop, summary: IngestSummary):
        self._root = root
        self._name = str(root.path)
        self._shop = shop
        self._catalogue = shop.catalogue
        self._summary = summary
        self._rules = AccessRules(root)
        self._own = _owned_roots(root, shop.catalogue)
        self._had_documents = shop.catalogue.has_documents(self._own)
        self._tasks: deque[_Task] = deque()
        self._unread: set[str] = set()
        """Files that cannot be looked at; what the index has of them stays."""
        self._gone: set[str] = set()
        """Files that went away after they were listed."""
        self._clashing: set[str] = set()
        """Files of which a document has the name of another one."""
        self._dirty = False

    def run(self) -> bool:
        """:returns: Whether the index must be published anew.
        :raises UsageError: when there is nothing to read, or two documents have one name.
        """
        before = len(self._summary.skipped)
        files = list(walk(self._root, self._unreadable))
        if not files and self._had_documents and not self._unread:
            self._leave_as_it_was()
            return False
        self._catalogue.set_root(self._name, self._root.prefix)
        for parsed in self._shop.parsers.parse(self._to_parse(files)):
            self._take_parsed(self._tasks.popleft(), parsed)
        self._shop.report("read", len(files), len(files))
        if self._rules.changed():
            self._rule_anew(files)
        self._summary.skipped += [Skipped(self._root.doc_id(name), why) for name, why in self._rules.problems()]
        self._summary.warnings += self._rules.unmatched()
        self._drop_gone({file.relative for file in files} - self._gone)
        if not self._had_documents and not self._catalogue.has_documents({self._name}):
            raise UsageError(_nothing_readable(self._root, self._summary.skipped[before : before + 3]))
        return self._dirty

    def _to_parse(self, files: Sequence[SourceFile]) -> Iterator[Path]:
        """Settles every file that need not be parsed; the others become tasks, in order."""
        for number, file in enumerate(files):
            self._shop.report("read", number, len(files))
            task = self._settled(file)
            if task is not None:
                self._tasks.append(task)
                yield file.path

    def _settled(self, file: SourceFile) -> _Task | None:
        try:
            ruling = self._rules.of(file.path.resolve())
            before = self._catalogue.file(self._name, file.relative)
            known = KnownFile(file.size, _settled_mtime(file), self._file_hash(file, before))
        except OSError as error:
            self._lost(file, error)
            return None
        if before and before.file_hash == known.file_hash and self._may_keep(file, before):
            self._keep(file, before, ruling)
        elif file.path.name == CORPUS_FILE:
            self._take_corpus(_Task(file, known, ruling))
        elif not (self._take_twin(file, known, ruling) or self._take_journaled(_Task(file, known, ruling))):
            return _Task(file, known, ruling)
        return None

    def _file_hash(self, file: SourceFile, before: KnownFile | None) -> str:
        """:raises OSError: when the file must be read for it and cannot be."""
        if before and (before.size, before.mtime_ns) == (file.size, file.mtime_ns):
            content = before.file_hash.rpartition(":")[2]
        else:
            content = file_sha256(file.path)
        return f"{self._shop.reading}{_naming(file.path)}:{content}"

    def _may_keep(self, file: SourceFile, known: KnownFile) -> bool:
        """Not what is to be tried again, nor documents that another prefix named."""
        if known.skipped and self._shop.retry_skipped:
            return False
        documents = self._catalogue.documents_of(self._name, file.relative)
        return all(document.doc_id == self._root.doc_id(document.source) for document in documents)

    def _keep(self, file: SourceFile, known: KnownFile, ruling: Ruling) -> None:
        for document in self._catalogue.documents_of(self._name, file.relative):
            self._take(self._origin(file, document.source, document.source_hash, ruling), None)
        self._summary.skipped += self._skips(file, known)
        self._remember(file, KnownFile(file.size, _settled_mtime(file), known.file_hash, known.skipped))

    def _take_twin(self, file: SourceFile, known: KnownFile, ruling: Ruling) -> bool:
        """A file of the same content is in the index: this one was copied, moved, or was in a root of its own."""
        found = self._catalogue.same_content(known.file_hash)
        if found is None or (found[1].skipped and self._shop.retry_skipped):
            return False
        documents, twin, twin_file = found
        for document in documents:
            source = file.relative + document.origin.source[len(twin_file) :]
            origin = self._origin(file, source, known.file_hash, ruling)
            self._take(origin, partial(moved, document, origin))
        self._settle(_Task(file, known, ruling), twin.skipped)
        return True

    def _take_journaled(self, task: _Task) -> bool:
        pages = self._shop.journal.pages(task.known.file_hash)
        if pages is not None:
            self._take_pages(task, pages)
        return pages is not None

    def _take_parsed(self, task: _Task, parsed: ParsedFile) -> None:
        if parsed.error:
            if self._is_as_hashed(task):  # the next run would come to the same
                self._settle(task, (("", parsed.error),))
            return
        self._shop.journal.keep_pages(task.known.file_hash, parsed.documents)
        self._take_pages(task, parsed.documents)

    def _take_pages(self, task: _Task, pages: Sequence[Document]) -> None:
        skipped: list[tuple[str, str]] = []
        for part, group in groupby(pages, key=lambda page: str(page.metadata.get("part") or "")):
            of_part = list(group)
            inner = f"!/{part}" if part else ""
            skipped += [(inner, str(page.metadata["skipped"])) for page in of_part if page.metadata.get("skipped")]
            if any(page.page_content.strip() for page in of_part):
                origin = self._origin(task.file, task.file.relative + inner, task.known.file_hash, task.ruling)
                self._take(origin, partial(parsed_document, origin, of_part, self._shop.chunking))
        self._settle(task, tuple(skipped))

    def _take_corpus(self, task: _Task) -> None:
        skipped: list[tuple[str, str]] = []
        loader = CorpusLoader(task.file.path, lambda number, reason: skipped.append(("", f"line {number}: {reason}")))
        try:
            for row in loader.lazy_load():
                row_hash = _hash(self._shop.reading, row.metadata["title"], row.page_content)
                origin = self._origin(task.file, str(row.metadata["doc_id"]), row_hash, task.ruling)
                self._take(origin, partial(parsed_document, origin, [row], self._shop.chunking))
        except DocumentError as error:
            skipped.append(("", str(error)))
        except OSError as error:
            self._lost(task.file, error)
            return
        self._settle(task, tuple(skipped))

    def _take(self, origin: Origin, make: Callable[[], ParsedDocument] | None) -> None:
        """:param make: Gives the document when the index has it not; None: the index has it."""
        elsewhere = self._catalogue.see(origin.doc_id, origin.file)
        if elsewhere is not None:
            self._summary.skipped.append(Skipped(origin.doc_id, f"the same doc_id as in {elsewhere}"))
            self._clashing.add(origin.file)
            return
        existing = self._catalogue.document(origin.doc_id)
        if existing and existing.root not in self._own:
            raise UsageError(_clash(origin.doc_id, Path(existing.root)))
        if existing and (make is None or existing.source_hash == origin.source_hash):
            same = (existing.allowed_groups, existing.ruled) == (origin.allowed_groups, origin.ruled)
            if not same or existing.root != origin.root:
                self._catalogue.update(origin)
            self._summary.unchanged += same
            self._summary.changed += not same
            self._dirty |= not same
            return
        assert make is not None
        if existing:
            self._catalogue.remove(origin.doc_id)
        self._shop.queue.add(self._catalogue.add(make()))
        self._summary.changed += existing is not None
        self._summary.added += existing is None
        self._dirty = True

    def _rule_anew(self, files: Sequence[SourceFile]) -> None:
        """Rules that came while files were read hold for them: a new version may be only for those whom they name."""
        self._rules = AccessRules(self._root)
        for file in files:
            for document in self._catalogue.documents_of(self._name, file.relative):
                ruling = self._rules.of(file.path.resolve())
                if (document.allowed_groups, document.ruled) != (ruling.groups, ruling.says):
                    self._catalogue.update(self._origin(file, document.source, document.source_hash, ruling))
                    self._dirty = True

    def _origin(self, file: SourceFile, source: str, source_hash: str, ruling: Ruling) -> Origin:
        doc_id = self._root.doc_id(source)
        return Origin(doc_id, self._name, file.relative, source, source_hash, ruling.groups, ruling.says)

    def _settle(self, task: _Task, skipped: tuple[tuple[str, str], ...]) -> None:
        """The file is done; what it did not give is reported now and whenever it is found unchanged."""
        known = KnownFile(task.known.size, task.known.mtime_ns, task.known.file_hash, skipped)
        self._summary.skipped += self._skips(task.file, known)
        self._dirty = True
        self._remember(task.file, known)

    def _remember(self, file: SourceFile, known: KnownFile) -> None:
        if file.relative in self._clashing:
            self._catalogue.drop_file(self._name, file.relative)  # looked at again, for the other one may have gone
        else:
            self._catalogue.set_file(self._name, file.relative, known)

    def _skips(self, file: SourceFile, known: KnownFile) -> list[Skipped]:
        doc_id = self._root.doc_id(file.relative)
        return [Skipped(doc_id + inner, reason) for inner, reason in known.skipped]

    def _is_as_hashed(self, task: _Task) -> bool:
        """Else it is left as a file that cannot be looked at: what a parser says is not said of that content."""
        try:
            if task.known.file_hash == self._file_hash(task.file, None):
                return True
            self._unreadable(task.file.relative, "was changed while it was read")
        except OSError as error:
            self._lost(task.file, error)
        return False

    def _lost(self, file: SourceFile, error: OSError) -> None:
        """It was there when the folder was listed."""
        if isinstance(error, FileNotFoundError):
            self._gone.add(file.relative)
        else:
            self._unreadable(file.relative, f"cannot be read: {error.strerror or error}")

    def _unreadable(self, relative: str, reason: str) -> None:
        """What was read of it earlier stays: a share that does not answer must not empty the index."""
        kept = 0
        for file in self._catalogue.files(self._name):
            if relative in (".", file) or file.startswith(f"{relative}/"):
                for document in self._catalogue.documents_of(self._name, file):
                    kept += self._catalogue.see(document.doc_id, file) is None
                self._unread.add(file)
        self._summary.unchanged += kept
        stays = "; what was read of it earlier stays" if kept else ""
        self._summary.skipped.append(Skipped(self._root.doc_id(relative), reason + stays))

    def _leave_as_it_was(self) -> None:
        """A folder whose every file is gone is rather a share that is not mounted."""
        self._summary.unchanged += len(self._catalogue.unseen(self._own))
        reason = (
            "the folder is empty now, and what was read of it earlier stays. Mount it if it is a share; "
            f"if its documents are to go, run: ragvoice index forget {shlex.quote(self._name)}"
        )
        self._summary.skipped.append(Skipped(self._root.doc_id("."), reason))

    def _drop_gone(self, there: set[str]) -> None:
        for doc_id in self._catalogue.unseen(sorted(self._own)):
            self._catalogue.remove(doc_id)
            self._summary.removed += 1
            self._dirty = True
        for file in self._catalogue.files(self._name):
            if file not in there and file not in self._unread:
                self._catalogue.drop_file(self._name, file)
                self._dirty = True
        for absorbed in self._own - {self._name}:
            self._catalogue.forget_root(absorbed)
            self._dirty = True


def _naming(file: Path) -> str:
    """What a file's name has to do with how it is read (`ingest.loaders.media_types`)."""
    return f"/{CORPUS_FILE}" if file.name == CORPUS_FILE else file.suffix.lower()


def _settled_mtime(file: SourceFile) -> int:
    """-1 for a file that was written just now: the next run compares its content."""
    return file.mtime_ns if time.time_ns() - file.mtime_ns > _SETTLED_NS else -1


def _owned_roots(root: Root, catalogue: StagedCatalogue) -> set[str]:
    """The root, and the roots inside it that were ingested before it: their documents are its own from now on.

    :raises UsageError: when the root is itself inside a known one, and its documents would be there twice.
    """
    own = {str(root.path)}
    for path, prefix in catalogue.roots().items():
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


def _nothing_readable(root: Root, skipped: Sequence[Skipped]) -> str:
    reasons = "; ".join(f"{skip.doc_id}: {skip.reason}" for skip in skipped)
    return (
        f"No readable document in {root.path.name or 'the folder'}"
        + (f" ({reasons})." if reasons else ".")
        + " Supported: Markdown, text, HTML, PDF, Office and OpenDocument files, RTF, EPUB, CSV, JSON, e-mail,"
        " pictures, recordings, archives and corpus.jsonl."
    )


def _hash(*parts: str) -> str:
    return hashlib.sha256("\x00".join(parts).encode()).hexdigest()
