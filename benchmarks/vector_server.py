"""Search on a PostgreSQL server with pgvector beside the same vectors in files (FAISS): recall, times, cost of changes.

    python tests/postgres_server.py     # in another terminal, unless there is a server: prints an address
    python benchmarks/vector_server.py --address postgresql://... [--sizes 50000,100000] [--queries 100]

Vectors, questions, filters and recall are those of benchmarks/search.py; all copies of a passage are one document, and
filters leave or hide whole documents. "exact" asks the server for the comparison with every vector, whatever
the size. Changes are timed with the deletion of what they replace.
The schema `ragvoice` of the database must not be in use: the rows that this writes are left to `DROP SCHEMA`.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from search import Corpus, Floats, Found, embeddings, measure_search, nearest, seconds

from ragvoice.retrieval import pgvector_search
from ragvoice.retrieval.pgvector import PgVectorStore
from ragvoice.retrieval.vector_store import FaissStore, VectorStore

NOTHING = np.zeros(0, dtype=np.int64)


class Index:
    """What the stores need of an index folder."""

    def __init__(self, folder: Path, store: VectorStore, dimension: int, documents: int):
        self.folder, self.store, self._dimension, self._documents = folder, store, dimension, documents
        self.current: Path | None = None

    def write(self, keep_n: NDArray[np.int64], new_n: NDArray[np.int64], batches: Iterable[object]) -> None:
        """And publish, and let the generation before go."""
        number = 0 if self.current is None else int(self.current.name) + 1
        staged = self.folder / "generations" / str(number)
        staged.mkdir(parents=True)
        np.save(staged / "chunks.npy", (np.concatenate([keep_n, new_n]) % self._documents).astype(np.int32))
        self.store.write(staged, self.current, keep_n, batches, self._dimension)  # type: ignore[arg-type]
        (self.folder / "CURRENT").write_text(staged.name)
        if self.current:
            shutil.rmtree(self.current)
        self.current = staged
        self.store.retain(self.folder / "generations")


def filters(size: int, documents: int, topic_n: NDArray[np.bool_]) -> dict[str, NDArray[np.bool_] | None]:
    generator = np.random.default_rng(3)
    made: dict[str, NDArray[np.bool_] | None] = {"all": None}
    for share in (0.5, 0.1, 0.01):
        made[f"{share:.0%}"] = np.resize(generator.random(documents) < share, size)
    made["half by topic"] = topic_n
    return made


def row(size: int, kind: str, name: str, found: Found) -> str:
    times = f"{found.p50_ms:.1f} | {found.p95_ms:.1f} | {found.p95_100_ms:.1f}"
    return f"| {size:,} | {kind} | {name} | {found.recall:.3f} | {times} |"


def measure(
    corpus: Corpus, documents: int, queries_qd: Floats, store: VectorStore, work: Path
) -> tuple[list[str], str]:
    """Rows of the table of searches, and the row of the table of changes."""
    size = corpus.size
    ids_n = np.arange(size, dtype=np.int64)
    masks = filters(size, documents, corpus.topic_n)
    gold = nearest(corpus, queries_qd, masks)
    index = Index(work / f"{store.name}-{size}", store, queries_qd.shape[1], documents)
    shutil.rmtree(index.folder, ignore_errors=True)  # of a run that was stopped
    build_s = seconds(lambda: index.write(NOTHING, ids_n, corpus.blocks()))
    current = index.current
    assert current
    open_s = seconds(lambda: store.open(current))
    opened = store.open(current)
    described = opened.describe()
    kind = f"{store.name}, {described['kind'].split(',')[0]}"
    rows = [row(size, kind, name, measure_search(opened, queries_qd, masks[name], gold[name])) for name in masks]
    if "HNSW" in kind:
        opened._indexed = False  # type: ignore[attr-defined]
        found = measure_search(opened, queries_qd[:20], None, gold["all"][:20])
        rows.append(row(size, f"{store.name}, exact", "all", found))
    new = corpus.rows(size, size + 1000)
    add_s = seconds(lambda: index.write(ids_n, new[0], [new]))
    left_n = np.delete(np.arange(size + 1000), np.random.default_rng(4).choice(size, 100, replace=False))
    remove_s = seconds(lambda: index.write(left_n, NOTHING, []))
    shutil.rmtree(index.folder)
    sizes = f"{open_s * 1000:.0f} | {described['bytes'] / 2**20:.0f}"
    return rows, f"| {size:,} | {kind} | {build_s:.1f} | {add_s:.1f} | {remove_s:.1f} | {sizes} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--address", required=True, help="postgresql://user@host/db")
    parser.add_argument("--sizes", default="50000,100000", help="chunks, separated by commas, default: %(default)s")
    parser.add_argument("--queries", type=int, default=100)
    parser.add_argument("--passages", type=int, default=4000, help="real passages to embed and to make copies of")
    parser.add_argument("--noise", type=float, default=0.65, help="length of the noise added to a unit vector")
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "ragvoice-search")
    options = parser.parse_args()
    real_rd, queries_qd = embeddings(options.passages, options.queries, options.work)
    searches = ["| chunks | where | filter | recall@10 | p50 ms | p95 ms | p95 ms of 100 |", "| --- " * 7 + "|"]
    changes = ["| chunks | where | build s | add 1,000 s | remove 100 s | open ms | MiB |", "| --- " * 7 + "|"]
    for size in (int(text) for text in options.sizes.split(",")):
        print(f"{size:,} chunks ...", file=sys.stderr)
        corpus = Corpus(real_rd, size, options.noise)
        for store in (FaissStore(), PgVectorStore(options.address)):
            found, changed = measure(corpus, len(real_rd), queries_qd, store, options.work)
            searches += found
            changes.append(changed)
    print(f"{len(real_rd)} real passages, {len(queries_qd)} questions; exact up to {pgvector_search.EXACT_ROWS:,}\n")
    print("\n".join([*searches, "", *changes]))


if __name__ == "__main__":
    main()
