"""The embedder against LangChain with its defaults, and against other ways to run the same model.

    python benchmarks/embedders.py [--only "LangChain, defaults" ours] [--slices 10] [--size 64] [--threads 1]

Texts: chunks of real handbooks as the job cuts them (../shared/data, else the sample company's Markdown), in slices.
Each candidate has a process of its own and they take turns slice by slice, there and back, so that other work on the
machine slows all alike; `x` is the median of the ratios to the first candidate, slice by slice. On a busy machine two
threads wait for each other, torch's most of all, which flatters the others: there, use one thread and CPU time.
Cosines are with the vectors of the first candidate. Latency is of one question alone. `--recall` embeds the passages
and questions of squad2 and agency_faq with each and prints hit@5 of the nearest vectors alone.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import resource
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from statistics import median

import numpy as np
from embedder_candidates import CANDIDATES, MODEL, Floats

from ingest.embedded_text import embedded_text
from ingest.splitting import PageSpan, split
from ragvoice.build import token_offsets
from ragvoice.settings import Settings

ROOT = Path(__file__).resolve().parent.parent
SHARED = Path(os.environ.get("RAGVOICE_EVAL_DATA", ROOT.parent / "shared" / "data"))
QUESTION = "How many days of annual leave do I get?"
LATENCY_ROUNDS = 20
K = 5


@dataclass(frozen=True)
class Turn:
    vectors: Floats
    wall_s: float
    cpu_s: float


@dataclass(frozen=True)
class Row:
    name: str
    tokens_per_s: float
    wall_ratio: float
    cpu_ratio: float
    cosine_mean: float
    cosine_min: float
    latency_ms: float
    load_s: float
    peak_mib: float


class Runner:
    """A candidate in its own process. :raises RuntimeError: when it cannot be opened there."""

    def __init__(self, name: str, threads: int):
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process: BaseProcess = context.Process(target=_serve, args=(name, threads, theirs), daemon=True)
        self._process.start()
        theirs.close()
        reply = self._connection.recv()
        if isinstance(reply, str):
            raise RuntimeError(reply)
        self.load_s: float = reply

    def embed(self, texts: list[str]) -> Turn:
        self._connection.send(texts)
        turn: Turn = self._connection.recv()
        return turn

    def close(self) -> float:
        """Peak memory in MiB."""
        self._connection.send(None)
        peak: float = self._connection.recv()
        self._process.join()
        return peak


def _serve(name: str, threads: int, connection: Connection) -> None:
    started = time.perf_counter()
    try:
        embed = CANDIDATES[name](threads)
        embed([QUESTION])
    except Exception as error:  # whatever a package that is missing or too old raises
        connection.send(f"{type(error).__name__}: {error}")
        return
    connection.send(time.perf_counter() - started)
    while (texts := connection.recv()) is not None:
        wall, cpu = time.perf_counter(), time.process_time()
        vectors = embed(texts)
        connection.send(Turn(vectors, time.perf_counter() - wall, time.process_time() - cpu))
    connection.send(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def chunk_texts(settings: Settings) -> list[str]:
    """What the job would embed, in an order that is shuffled but always the same."""
    folder = SHARED / "handbooks"
    tokens = token_offsets(settings)
    texts = []
    for file in sorted((folder if folder.is_dir() else ROOT / "data").rglob("*.md")):
        text = file.read_text(encoding="utf-8", errors="replace")
        whole = [PageSpan(0, len(text), None)]
        for chunk in split(text, whole, tokens, settings.chunk_tokens, settings.overlap_tokens, file.stem):
            words = text[chunk.start : chunk.end]
            texts.append(embedded_text(file.stem, chunk.section, words, chunk.table_header))
    random.Random(0).shuffle(texts)
    return texts


def race(runners: dict[str, Runner], slices: Sequence[list[str]], tokens: Sequence[int]) -> list[Row]:
    turns: dict[str, list[Turn]] = {name: [] for name in runners}
    for number, texts in enumerate(slices):
        for name in list(runners)[:: -1 if number % 2 else 1]:
            turns[name].append(runners[name].embed(texts))
    latencies: dict[str, list[float]] = {name: [] for name in runners}
    for _ in range(LATENCY_ROUNDS):
        for name, runner in runners.items():
            latencies[name].append(runner.embed([QUESTION]).wall_s * 1000)
    base = next(iter(turns.values()))
    rows = []
    for name, own in turns.items():
        cosines = np.concatenate([(a.vectors * b.vectors).sum(1) for a, b in zip(base, own, strict=True)])
        rows.append(
            Row(
                name,
                median(count / turn.wall_s for count, turn in zip(tokens, own, strict=True)),
                median(a.wall_s / b.wall_s for a, b in zip(base, own, strict=True)),
                median(a.cpu_s / b.cpu_s for a, b in zip(base, own, strict=True)),
                float(cosines.mean()),
                float(cosines.min()),
                median(latencies[name]),
                runners[name].load_s,
                0.0,
            )
        )
    return rows


def hit_at_5(runner: Runner, folder: Path, limit: int) -> float:
    """Share of the answerable questions with a gold passage among the nearest five."""
    passages = [json.loads(line) for line in (folder / "corpus.jsonl").read_text(encoding="utf-8").splitlines()]
    questions = [json.loads(line) for line in (folder / "questions.jsonl").read_text(encoding="utf-8").splitlines()]
    asked = [question for question in questions if question["answerable"]][:limit]
    vectors_nd = runner.embed([f"{passage['title']}\n{passage['text']}" for passage in passages]).vectors
    queries_qd = runner.embed([question["question"] for question in asked]).vectors
    nearest_qk = np.argsort(-(queries_qd @ vectors_nd.T), axis=1)[:, :K]
    ids = [passage["id"] for passage in passages]
    hits = [
        any(ids[i] in question["gold_ids"] for i in nearest)
        for question, nearest in zip(asked, nearest_qk, strict=True)
    ]
    return sum(hits) / len(hits)


def _open(names: Sequence[str], threads: int) -> dict[str, Runner]:
    runners = {}
    for name in names:
        try:
            runners[name] = Runner(name, threads)
        except RuntimeError as error:
            print(f"{name} is left out: {error}")
    return runners


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=list(CANDIDATES), default=list(CANDIDATES), metavar="NAME")
    parser.add_argument("--slices", type=int, default=10)
    parser.add_argument("--size", type=int, default=64, help="texts of a slice")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--recall", action="store_true")
    parser.add_argument("--limit", type=int, default=300, help="questions of each set, for the recall")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    os.environ["HF_HUB_OFFLINE"] = "1"
    settings = Settings(embedder=MODEL)
    texts, count = chunk_texts(settings), token_offsets(settings)
    slices = [texts[start : start + arguments.size] for start in range(0, len(texts), arguments.size)][
        : arguments.slices
    ]
    tokens = [sum(len(count(text)) + 2 for text in part) for part in slices]
    print(f"{sum(map(len, slices))} texts, {sum(tokens)} tokens, of {len(texts)}; slices of {arguments.size}\n")

    runners = _open(arguments.only, arguments.threads)
    rows = race(runners, slices, tokens)
    recall: dict[str, dict[str, float]] = {}
    for folder in (SHARED / "squad2", SHARED / "agency_faq") if arguments.recall else ():
        if folder.is_dir():
            recall[folder.name] = {name: hit_at_5(runner, folder, arguments.limit) for name, runner in runners.items()}
        else:
            print(f"{folder.name} is not here, left out; set RAGVOICE_EVAL_DATA.")
    rows = [Row(**{**asdict(row), "peak_mib": runners[row.name].close()}) for row in rows]

    heads = "| candidate | tokens/s | wall | CPU | cosine mean / min | one question ms | load s | peak MiB |"
    print(heads + "".join(f" {name} hit@{K} |" for name in recall))
    print("| --- |" + " --- |" * (heads.count("|") - 2 + len(recall)))
    for row in rows:
        print(
            f"| {row.name} | {row.tokens_per_s:.0f} | x{row.wall_ratio:.2f} | x{row.cpu_ratio:.2f} "
            f"| {row.cosine_mean:.4f} / {row.cosine_min:.4f} | {row.latency_ms:.1f} | {row.load_s:.1f} "
            f"| {row.peak_mib:.0f} |" + "".join(f" {hits[row.name]:.3f} |" for hits in recall.values())
        )
    if arguments.json:
        arguments.json.write_text(json.dumps({"rows": [asdict(row) for row in rows], "recall": recall}, indent=1))


if __name__ == "__main__":
    main()
