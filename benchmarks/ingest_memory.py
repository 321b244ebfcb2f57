"""Whether the memory of an ingest grows with the corpus, stage by stage.

    python benchmarks/ingest_memory.py [--chunks 10000 35000 100000 300000]

Each size in a fresh process: a corpus.jsonl of so many rows of one chunk each, through the whole job. The embedder is
a stand-in that makes a random unit vector of each text, so that the job itself is measured and not a model, and a
large corpus takes minutes. Memory is what the process has to itself (RssAnon; pages of mapped files, which the system
takes back, are shown beside it), in MiB, at its highest in each stage.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import random
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
from langchain_core.embeddings import Embeddings

DIMENSION = 384
SAMPLE_EVERY_S = 0.05
STAGES = ("read", "embed", "vectors", "partition", "codes", "lexical index")
_MIB = 1024
"""/proc/self/status counts in KiB."""


class RandomEmbeddings(Embeddings):
    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        vectors_nd = np.random.default_rng(len(texts)).standard_normal((len(texts), DIMENSION)).astype(np.float32)
        return (vectors_nd / np.linalg.norm(vectors_nd, axis=1, keepdims=True)).tolist()  # type: ignore[no-any-return]

    def embed_query(self, text: str) -> list[float]:
        return self.embed_documents([text])[0]


class Watch:
    """Highest memory since each stage was first heard of, until the next one."""

    def __init__(self) -> None:
        self.stage = "start"
        self.peaks: dict[str, tuple[int, int]] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def report(self, stage: str, done: int, total: int) -> None:
        self.stage = "read" if stage == "embed" else stage  # they run side by side

    def end(self) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(SAMPLE_EVERY_S):
            status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
            own, mapped = (int(status[name].split()[0]) // _MIB for name in ("RssAnon", "RssFile"))
            highest = self.peaks.get(self.stage, (0, 0))
            self.peaks[self.stage] = (max(own, highest[0]), max(mapped, highest[1]))


def measure(chunks: int, results: multiprocessing.Queue) -> None:  # type: ignore[type-arg]
    from ingest.documents import Chunking
    from ingest.job import ingest
    from ragvoice.build import token_offsets
    from ragvoice.retrieval.generations import EmbedderIdentity
    from ragvoice.settings import Settings

    with tempfile.TemporaryDirectory() as scratch:
        documents = Path(scratch) / "documents"
        documents.mkdir()
        chance = random.Random(chunks)
        with (documents / "corpus.jsonl").open("w") as corpus:
            for number in range(chunks):
                text = " ".join(f"word{chance.randrange(50_000)}" for _ in range(40))
                corpus.write(json.dumps({"id": f"p{number}", "text": text}) + "\n")
        watch = Watch()
        started = time.perf_counter()
        summary = ingest(
            [documents], Path(scratch) / "index", RandomEmbeddings, EmbedderIdentity("stand-in", "1", 220, 0),
            Chunking(token_offsets(Settings()), 220, 0), report=watch.report,
        )  # fmt: skip
        watch.end()
        results.put((summary.chunks, time.perf_counter() - started, watch.peaks))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chunks", type=int, nargs="+", default=[10_000, 35_000, 100_000, 300_000])
    sizes = parser.parse_args().chunks
    shown = [stage for stage in ("start", *STAGES) if stage != "embed"]
    print("| chunks | s | " + " | ".join(shown) + " |\n| ---: |" + " ---: |" * (len(shown) + 1))
    spawn = multiprocessing.get_context("spawn")
    for size in sizes:
        results = spawn.Queue()
        process = spawn.Process(target=measure, args=(size, results))
        process.start()
        chunks, seconds, peaks = results.get()
        process.join()
        cells = (f"{peaks[stage][0]} ({peaks[stage][1]})" if stage in peaks else "" for stage in shown)
        print(f"| {chunks} | {seconds:.0f} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
