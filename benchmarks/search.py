"""Search over 10,000, 100,000 and 1,000,000 chunks: what the index that is chosen by size finds, and what it costs.

    python benchmarks/search.py [--sizes 10000,100000,1000000] [--queries 200] [--json FILE]
    python benchmarks/search.py --lexical [--sizes 10000,100000] [--queries 200]

Vectors: embeddings of real passages (../shared/data, else the sample company), then perturbed copies of them: Gaussian
noise of length `--noise` is added and the sum brought back to unit length. Two copies of a passage have a cosine of
about 1 / (1 + noise^2) = 0.70, the median cosine of a real passage and its nearest real neighbour. Queries: real
questions.

Recall@10 is against the comparison with every vector. Times are of single queries, one after the other. "exact" is
FAISS IndexFlatIP in memory. Filters allow a random share of the chunks, or half of them by topic (one side of the first
principal component, so that about half of the questions are about what they may not see). Memory is that of a process
of its own that opens the index and asks all questions; "mapped" is the part of it that the system can drop at any time.
The first run keeps the embeddings in the scratch folder for the next.

With `--lexical` it is BM25 that is measured: each text is made of halves of two real passages, every third one with a
word that few others have, so that the vocabulary grows with the corpus.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import multiprocessing
import os
import random
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import faiss
import numpy as np
import psutil
from numpy.typing import NDArray

from ragvoice.build import build_embeddings
from ragvoice.retrieval.lexical import LexicalIndex
from ragvoice.retrieval.vectors import VectorIndex, write_vectors
from ragvoice.settings import read_settings

ROOT = Path(__file__).resolve().parent.parent
SHARED = Path(os.environ.get("RAGVOICE_EVAL_DATA", ROOT.parent / "shared" / "data"))
SETS = ("squad2", "clapnq", "mtrag", "agency_faq")
PASSAGE_WORDS = 120
K = 10
BLOCK = 16_384
EXACT_QUERIES = 30
MIB = 2**20

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Found:
    """Of one filter."""

    recall: float
    p50_ms: float
    p95_ms: float
    cpu_p95_ms: float
    """Processor time, the same on a busy machine; a search uses one thread."""
    p95_100_ms: float
    """When 100 rows are asked for, as the hybrid search does."""


@dataclass(frozen=True)
class Row:
    chunks: int
    kind: str
    exact_p50_ms: float
    exact_p95_ms: float
    found: dict[str, Found]
    build_s: float
    build_mib: float
    """Growth of the building process's memory without what is mapped."""
    add_s: float
    remove_s: float
    remove_scattered_s: float
    open_ms: float
    memory_mib: float
    mapped_mib: float
    disk_mib: float


class Corpus:
    """`size` vectors, made again block by block whenever they are needed."""

    def __init__(self, real_rd: Floats, size: int, noise: float):
        self.size = size
        self._real_rd = real_rd
        self._noise = noise
        centred = real_rd - real_rd.mean(axis=0)
        side_r = centred @ np.linalg.svd(centred, full_matrices=False)[2][0] > 0
        self.topic_n: NDArray[np.bool_] = np.resize(side_r, size)

    def blocks(self) -> Iterator[tuple[NDArray[np.int64], Floats]]:
        for start in range(0, self.size, BLOCK):
            yield self.rows(start, min(start + BLOCK, self.size))

    def rows(self, start: int, end: int) -> tuple[NDArray[np.int64], Floats]:
        generator = np.random.default_rng([start, end])
        dimension = self._real_rd.shape[1]
        ids = np.arange(start, end, dtype=np.int64)
        noise = generator.standard_normal((end - start, dimension), dtype=np.float32)
        noise *= np.float32(self._noise / dimension**0.5)
        noise[ids < len(self._real_rd)] = 0  # the real ones are there as they are
        vectors = self._real_rd[ids % len(self._real_rd)] + noise
        return ids, vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def real_texts() -> tuple[list[str], list[str]]:
    """Passages and questions, shuffled."""
    passages: list[str] = []
    questions: list[str] = []
    folders = [SHARED / "handbooks", *(SHARED / name for name in SETS)]
    if not all(folder.is_dir() for folder in folders):
        print("The public sets are not here (RAGVOICE_EVAL_DATA): the sample company it is.", file=sys.stderr)
        folders = [ROOT / "data"]
    for folder in folders:
        for file in sorted([*folder.rglob("*.md"), *folder.rglob("*.txt")]):
            words = file.read_text(encoding="utf-8", errors="replace").split()
            passages += [" ".join(words[i : i + PASSAGE_WORDS]) for i in range(0, len(words), PASSAGE_WORDS)]
        for name, into, key in (("corpus.jsonl", passages, "text"), ("questions.jsonl", questions, "question")):
            if (folder / name).is_file():
                into += [
                    json.loads(line)[key] for line in (folder / name).read_text(encoding="utf-8").split("\n") if line
                ]
    random.Random(0).shuffle(passages)
    random.Random(0).shuffle(questions)
    return passages, questions


def embeddings(passages: int, queries: int, cache: Path) -> tuple[Floats, Floats]:
    """Of real passages and questions; kept in `cache`, since they take longer than all the rest."""
    passage_texts, question_texts = real_texts()
    texts = [*passage_texts[:passages], *question_texts[:queries]]
    settings = read_settings()
    key = hashlib.sha256(json.dumps([settings.embedder, texts]).encode()).hexdigest()[:16]
    file = cache / f"embeddings-{key}.npy"
    if not file.is_file():
        print(f"embedding {len(texts)} texts ...", file=sys.stderr)
        cache.mkdir(parents=True, exist_ok=True)
        np.save(file, np.array(build_embeddings(settings).embed_documents(texts), dtype=np.float32))
    vectors = np.load(file)
    count = min(queries, len(question_texts))
    return vectors[:-count], vectors[-count:]


def nearest(
    corpus: Corpus, queries_qd: Floats, filters: dict[str, NDArray[np.bool_] | None]
) -> dict[str, list[set[int]]]:
    """The true `K` best rows of each question under each filter, from one pass over the vectors."""
    scores = {name: np.full((len(queries_qd), K), -2, dtype=np.float32) for name in filters}
    rows = {name: np.zeros((len(queries_qd), K), dtype=np.int64) for name in filters}
    for ids, vectors in corpus.blocks():
        block_qn = queries_qd @ vectors.T
        for name, allowed_n in filters.items():
            seen_qn = block_qn if allowed_n is None else np.where(allowed_n[ids], block_qn, np.float32(-2))
            best_qk = np.argpartition(-seen_qn, K, axis=1)[:, :K]
            both = np.hstack([scores[name], np.take_along_axis(seen_qn, best_qk, 1)])
            both_rows = np.hstack([rows[name], ids[best_qk]])
            order = np.argsort(-both, axis=1)[:, :K]
            scores[name], rows[name] = np.take_along_axis(both, order, 1), np.take_along_axis(both_rows, order, 1)
    return {name: [set(row.tolist()) for row in found] for name, found in rows.items()}


def measure_search(
    index: VectorIndex, queries_qd: Floats, allowed_n: NDArray[np.bool_] | None, gold: list[set[int]]
) -> Found:
    found, times, cpu_times, times_100 = 0, [], [], []
    index.search(queries_qd[0], K, allowed_n)
    for query_d, gold_rows in zip(queries_qd, gold, strict=True):
        started, cpu_started = time.perf_counter(), time.thread_time()
        rows, _ = index.search(query_d, K, allowed_n)
        times.append(time.perf_counter() - started)
        cpu_times.append(time.thread_time() - cpu_started)
        found += len(set(rows.tolist()) & gold_rows)
        if allowed_n is not None and not allowed_n[rows].all():
            raise SystemExit("a row came back that is not allowed")
    for query_d in queries_qd:
        started = time.perf_counter()
        index.search(query_d, 100, allowed_n)
        times_100.append(time.perf_counter() - started)
    return Found(
        found / (K * len(gold)), milliseconds(times, 50), milliseconds(times, 95), milliseconds(cpu_times, 95),
        milliseconds(times_100, 95),
    )  # fmt: skip


def milliseconds(times_s: list[float], percentile: int) -> float:
    return float(np.percentile(times_s, percentile)) * 1000


def exact_times(corpus: Corpus, queries_qd: Floats) -> list[float]:
    faiss.omp_set_num_threads(1)  # as the index searches
    flat = faiss.IndexFlatIP(queries_qd.shape[1])
    for _, vectors in corpus.blocks():
        flat.add(vectors)
    times = []
    for query_d in queries_qd[:EXACT_QUERIES]:
        started = time.perf_counter()
        flat.search(query_d[None, :], K)
        times.append(time.perf_counter() - started)
    return times


def memory_of_reader(folder: Path, queries_qd: Floats) -> tuple[float, float, float]:
    """In a process of its own: (milliseconds to open, MiB that the index added to the process, MiB of these mapped)."""
    process = psutil.Process()
    VectorIndex.open(folder).search(queries_qd[0], K)  # what the libraries load on first use is not counted
    before = process.memory_info()
    opened = []
    for _ in range(5):
        started = time.perf_counter()
        index = VectorIndex.open(folder)
        opened.append(time.perf_counter() - started)
    for query_d in queries_qd:
        index.search(query_d, 100)
    after = process.memory_info()
    return statistics.median(opened) * 1000, (after.rss - before.rss) / MIB, (after.shared - before.shared) / MIB


def build(folder: Path, corpus: Corpus) -> float:
    """Runs in a process of its own: MiB that building took at its peak, without mapped files."""
    process = psutil.Process()
    peak = before = private(process)

    def watch(*_: object) -> None:
        nonlocal peak
        peak = max(peak, private(process))

    def watched() -> Iterator[tuple[NDArray[np.int64], Floats]]:
        for block in corpus.blocks():
            watch()
            yield block

    write_vectors(folder, None, np.zeros(0, dtype=np.int64), watched(), corpus.rows(0, 1)[1].shape[1], watch)
    return (peak - before) / MIB


def private(process: psutil.Process) -> int:
    memory = process.memory_info()
    return int(memory.rss - memory.shared)


def seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def measure(corpus: Corpus, queries_qd: Floats, folder: Path) -> Row:
    dimension = queries_qd.shape[1]
    size = corpus.size
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        pool.submit(int).result()  # the start of the process is not counted
        started = time.perf_counter()
        build_mib = pool.submit(build, folder, corpus).result()
        build_s = time.perf_counter() - started
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        open_ms, memory_mib, mapped_mib = pool.submit(memory_of_reader, folder, queries_qd).result()

    generator = np.random.default_rng(3)
    filters: dict[str, NDArray[np.bool_] | None] = {"all": None}
    filters |= {f"{share:.0%}": generator.random(size) < share for share in (0.5, 0.1, 0.01)}
    filters["half by topic"] = corpus.topic_n
    gold = nearest(corpus, queries_qd, filters)
    index = VectorIndex.open(folder)
    found = {name: measure_search(index, queries_qd, allowed, gold[name]) for name, allowed in filters.items()}
    describe = index.describe()

    ids = np.arange(size, dtype=np.int64)
    new = corpus.rows(size, size + 1000)
    middle = np.delete(ids, np.arange(size // 2, size // 2 + 100))
    scattered = np.delete(ids, generator.choice(size, 100, replace=False))
    changed = folder.with_name("changed")
    add_s = seconds(lambda: write_vectors(changed, folder, ids, [new], dimension))
    remove_s = seconds(lambda: write_vectors(changed, folder, middle, [], dimension))
    remove_scattered_s = seconds(lambda: write_vectors(changed, folder, scattered, [], dimension))
    shutil.rmtree(changed)
    shutil.rmtree(folder)
    exact = exact_times(corpus, queries_qd)
    return Row(
        size, describe["kind"], milliseconds(exact, 50), milliseconds(exact, 95), found, build_s, build_mib, add_s,
        remove_s, remove_scattered_s, open_ms, memory_mib, mapped_mib, describe["bytes"] / MIB,
    )  # fmt: skip


def mixed_texts(passages: list[str], size: int) -> Iterator[str]:
    generator = random.Random(0)
    for number in range(size):
        first, second = passages[number % len(passages)].split(), generator.choice(passages).split()
        rare = [f"item{generator.randrange(size)}"] if number % 3 == 0 else []
        yield " ".join([*first[: len(first) // 2], *second[len(second) // 2 :], *rare])


def measure_lexical(size: int, queries: int, folder: Path) -> str:
    """Runs in a process of its own: a row of the table."""
    process = psutil.Process()
    passages, questions = real_texts()
    LexicalIndex.build(passages[:10]).scores("load what is loaded on first use")
    before = private(process)
    built: list[LexicalIndex] = []
    build_s = seconds(lambda: built.append(LexicalIndex.build(mixed_texts(passages, size), folder)))
    build_mib = (private(process) - before) / MIB
    built[0].save(folder)
    built.clear()
    disk_mib = sum(file.stat().st_size for file in (folder / "lexical").iterdir()) / MIB
    load_s = seconds(lambda: built.append(LexicalIndex.load(folder)))
    times = [seconds(lambda question=question: built[0].scores(question)) for question in questions[:queries]]  # type: ignore[misc]
    return (
        f"| {size:,} | {build_s:.1f} ({build_mib:.0f}) | {load_s * 1000:.0f} | {milliseconds(times, 50):.1f} | "
        f"{milliseconds(times, 95):.1f} | {disk_mib:.0f} |"
    )


def lexical_table(sizes: list[int], queries: int, work: Path) -> str:
    lines = ["| chunks | build s (memory MiB) | load ms | p50 ms | p95 ms | disk MiB |", "| --- " * 6 + "|"]
    for size in sizes:
        folder = work / f"lexical-{size}"
        shutil.rmtree(folder, ignore_errors=True)  # of a run that was stopped
        folder.mkdir(parents=True)
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
            lines.append(pool.submit(measure_lexical, size, queries, folder).result())
        shutil.rmtree(folder)
    return "\n".join(lines)


def tables(rows: list[Row]) -> str:
    lines = [
        "| chunks | index | exact p50 / p95 ms | filter | recall@10 | p50 ms | p95 ms | p95 CPU ms | p95 ms of 100 |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        head = f"| {row.chunks:,} | {row.kind.split(',')[0]} | {row.exact_p50_ms:.1f} / {row.exact_p95_ms:.1f}"
        for name, one in row.found.items():
            lines.append(
                f"{head} | {name} | {one.recall:.3f} | {one.p50_ms:.1f} | {one.p95_ms:.1f} | {one.cpu_p95_ms:.1f} | "
                f"{one.p95_100_ms:.1f} |"
            )
            head = "| | | "
    lines += [
        "",
        "| chunks | build s (memory MiB) | add 1,000 s | remove 100 s, together / scattered | open ms | memory MiB "
        "(mapped) | disk MiB |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        lines.append(
            f"| {row.chunks:,} | {row.build_s:.1f} ({row.build_mib:.0f}) | {row.add_s:.2f} | {row.remove_s:.2f} / "
            f"{row.remove_scattered_s:.2f} | {row.open_ms:.1f} | {row.memory_mib:.0f} ({row.mapped_mib:.0f}) | "
            f"{row.disk_mib:.0f} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--sizes", default="10000,100000,1000000", help="chunks, separated by commas, default: %(default)s"
    )
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--passages", type=int, default=4000, help="real passages to embed and to make copies of")
    parser.add_argument("--noise", type=float, default=0.65, help="length of the noise added to a unit vector")
    parser.add_argument(
        "--work", type=Path, default=Path(tempfile.gettempdir()) / "ragvoice-search", help="scratch folder"
    )
    parser.add_argument("--json", type=Path, help="write all figures here")
    parser.add_argument("--lexical", action="store_true", help="measure BM25 instead of the vectors")
    options = parser.parse_args()
    sizes = [int(text) for text in options.sizes.split(",")]
    if options.lexical:
        print(lexical_table(sizes, options.queries, options.work))
        return
    real_rd, queries_qd = embeddings(options.passages, options.queries, options.work)
    rows = []
    for size in sizes:
        print(f"{size:,} chunks ...", file=sys.stderr)
        rows.append(measure(Corpus(real_rd, size, options.noise), queries_qd, options.work / f"vectors-{size}"))
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps([asdict(row) for row in rows], indent=1))
    print(f"{len(real_rd)} real passages, {len(queries_qd)} questions, noise {options.noise}\n")
    print(tables(rows))


if __name__ == "__main__":
    main()
