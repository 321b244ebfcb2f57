"""What `ragvoice status` tells of an index."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ingest.journal import unfinished
from ingest.progress import running_job
from ingest.summary import Skipped
from ragvoice.errors import VectorIndexError
from ragvoice.retrieval.generations import Manifest, current_generation, open_catalogue, read_manifest, rebuild_hint
from ragvoice.retrieval.vector_store import VectorStore


@dataclass(frozen=True)
class RootState:
    folder: str
    there: bool
    prefix: str
    documents: int
    chunks: int
    files: int


@dataclass(frozen=True)
class IndexState:
    index: str
    manifest: Manifest | None
    """None before the first ingest has ended."""
    problem: str | None = None
    """Why the index cannot be read."""
    roots: tuple[RootState, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    groups: dict[str, int] = field(default_factory=dict)
    """Documents that each group may read; "" counts those that nobody may read."""
    bytes: dict[str, int] = field(default_factory=dict)
    """Size of each part."""
    vectors: dict[str, Any] = field(default_factory=dict)
    running: dict[str, Any] | None = None
    """The job that is writing now: pid, started, stages."""
    unfinished: dict[str, Any] | None = None
    """What a job that was stopped has done; the next one goes on from there."""


def index_state(index: Path, store: VectorStore) -> IndexState:
    running = running_job(index)
    leftover = None if running is not None else unfinished(index)
    try:
        folder = current_generation(index)
        manifest = read_manifest(folder)
        with closing(open_catalogue(folder)) as database:
            prefixes = dict(database.execute("SELECT root, prefix FROM roots"))
            roots = tuple(_root(database, root, prefix) for root, prefix in sorted(prefixes.items()))
            skipped = tuple(
                Skipped(f"{prefixes[root]}/{file}{inner}" if prefixes.get(root) else file + inner, reason)
                for root, file, found in database.execute("SELECT root, file, skipped FROM files WHERE skipped != '[]'")
                for inner, reason in json.loads(found)
            )
            groups: dict[str, int] = {}
            for kind, count in database.execute("SELECT allowed_groups, count(*) FROM documents GROUP BY 1"):
                for group in json.loads(kind) or [""]:
                    groups[group] = groups.get(group, 0) + count
        vectors = store.open(folder).describe() if manifest.vector_store == store.name else {}
    except (VectorIndexError, sqlite3.Error) as error:
        there = (index / "CURRENT").exists()
        problem = str(error) if isinstance(error, VectorIndexError) else _damaged(index, error)
        return IndexState(str(index), None, problem if there else None, running=running, unfinished=leftover)
    sizes: dict[str, int] = {}
    for name, (size, _) in manifest.files.items():
        part = name.partition("/")[0]
        sizes[part] = sizes.get(part, 0) + size
    return IndexState(str(index), manifest, None, roots, skipped, groups, sizes, vectors, running, leftover)


def _damaged(index: Path, error: sqlite3.Error) -> str:
    return f"The index in {index} is damaged: its catalogue cannot be read ({error}). {rebuild_hint(index)}"


def _root(database: Any, root: str, prefix: str) -> RootState:
    [documents] = database.execute("SELECT count(*) FROM documents WHERE root = ?", (root,)).fetchone()
    [chunks] = database.execute(
        "SELECT count(*) FROM chunks JOIN documents ON number = document WHERE root = ?", (root,)
    ).fetchone()
    [files] = database.execute("SELECT count(*) FROM files WHERE root = ?", (root,)).fetchone()
    return RootState(root, Path(root).exists(), prefix, documents, chunks, files)
