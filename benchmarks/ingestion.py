"""The ingestion job against LangChain with its defaults: speed, memory, an unchanged second run, what is found after.

    python benchmarks/ingestion.py [--files 150] [--rounds 3] [--plain same own] [--copies 1 4] [--json FILE]

On real handbooks (../shared/data, else the sample company's Markdown), each job in a fresh process with an index of
its own, in turn. `ours` is the command `ragvoice ingest`, all that it does included (parsing in sandboxed processes,
access rules, BM25, publishing). `same` embeds the very chunks of `ours` with HuggingFaceEmbeddings' defaults and adds
them to FAISS, and reads the files, but need not split them; `own` splits with RecursiveCharacterTextSplitter's
defaults: 4,000 characters, of which the model reads the first 256 tokens, so most of the text is never embedded.

Source tokens are those of the files, in the embedder's tokens. `x` are medians of the ratios to `same`, round by round.
Memory is the highest sum over the processes of the job of what each holds (shared pages shared out). Found: questions
that employees wrote with a gold page among the first five chunks; the line that asks is blanked in the page. `--copies`
ingests so many copies of the folder, with every tenth word changed, to see whether memory grows with the corpus.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

import psutil

from ingest.embedded_text import embedded_text
from ragvoice.build import build_retriever, open_index, token_offsets
from ragvoice.settings import Settings

ROOT = Path(__file__).resolve().parent.parent
SHARED = Path(os.environ.get("RAGVOICE_EVAL_DATA", ROOT.parent / "shared" / "data"))
PLAIN = Path(__file__).with_name("plain_ingest.py")
K = 5
SAMPLE_EVERY_S = 0.1
MIB = 2**20
_WORD = re.compile(r"\b[a-z]{4,}\b")


@dataclass(frozen=True)
class Job:
    name: str
    wall_s: float
    cpu_s: float
    peak_mib: float


@dataclass(frozen=True)
class Corpus:
    folder: Path
    files: int
    tokens: int
    questions: list[str]
    golds: list[str]
    """File of each question, relative to the folder."""


def measure(name: str, command: Sequence[str | Path], ready: Callable[[], bool]) -> Job:
    """Run a command; its time ends when `ready`, or when it ends. :raises RuntimeError: with its last words."""
    with tempfile.TemporaryFile() as output:
        started = time.perf_counter()
        process = subprocess.Popen([*map(str, command)], stdout=output, stderr=output, cwd=ROOT)
        tree = psutil.Process(process.pid)
        peak, ended, done = 0, threading.Event(), [0.0, 0.0]

        def wait() -> None:
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            done[:] = [time.perf_counter() - started, usage.ru_utime + usage.ru_stime]
            ended.set()

        threading.Thread(target=wait, daemon=True).start()
        wall = cpu = None
        while not ended.wait(SAMPLE_EVERY_S):
            if wall is None:
                peak = max(peak, _memory(tree))
            if wall is None and ready():
                wall, cpu = time.perf_counter() - started, sum(tree.cpu_times()[:2])
        if process.returncode:
            output.seek(0)
            raise RuntimeError(f"{name}: {output.read()[-2000:].decode(errors='replace')}")
    return Job(name, wall or done[0], cpu or done[1], peak / MIB)


def _memory(tree: psutil.Process) -> int:
    """Bytes of all processes of the job; 0 when they have just ended."""
    total = 0
    try:
        for process in [tree, *tree.children(recursive=True)]:
            try:
                total += process.memory_full_info().pss
            except (psutil.NoSuchProcess, psutil.ZombieProcess, psutil.AccessDenied):
                continue
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return 0
    return total


def ours(corpus: Corpus, index: Path) -> Job:
    command = [sys.executable, "-m", "ragvoice", "ingest", corpus.folder, "--index", index]
    return measure("ours", command, lambda: False)


def plain(name: str, corpus: Corpus, work: Path, chunks: Path | None) -> tuple[Job, list[list[str]]]:
    """The job, and what it finds for each question."""
    answer, questions = work / f"{name}.json", work / "questions.json"
    answer.unlink(missing_ok=True)
    questions.write_text(json.dumps(corpus.questions))
    command = [sys.executable, "-W", "ignore", PLAIN, corpus.folder, answer, "--questions", questions]
    job = measure(name, [*command, "--chunks", chunks] if chunks else command, answer.is_file)
    found: list[list[str]] = json.loads(answer.with_suffix(".json.found").read_text())
    return job, found


def write_corpus(target: Path, limit: int, copies: int, count: Callable[[str], int]) -> Corpus:
    """Files spread evenly over the handbooks; copies after the first with every tenth longer word exchanged."""
    source = SHARED / "handbooks"
    asked = []
    if source.is_dir():
        asked = [json.loads(line) for line in (source / "questions.jsonl").read_text(encoding="utf-8").splitlines()]
    else:
        print(
            "The handbooks are not here: the sample company's Markdown instead, no questions. Set RAGVOICE_EVAL_DATA."
        )
        source = ROOT / "data"
    every = sorted(source.rglob("*.md"))
    files = [every[i * len(every) // limit] for i in range(limit)] if 0 < limit < len(every) else every
    names = {file.relative_to(source).as_posix() for file in files}
    asked = [row for row in asked if row["gold_ids"][0] in names]
    tokens = 0
    for file in files:
        name = file.relative_to(source).as_posix()
        lines = file.read_text(encoding="utf-8", errors="replace").split("\n")
        for row in asked:
            if row["gold_ids"][0] == name:
                lines[row["gold_line"] - 1] = ""
        text = "\n".join(lines)
        for copy in range(copies):
            to = target / f"copy-{copy}" / name if copy else target / name
            to.parent.mkdir(parents=True, exist_ok=True)
            written = _perturbed(text, random.Random(f"{copy} {name}")) if copy else text
            to.write_text(written, encoding="utf-8")
            tokens += count(written)
    golds = [row["gold_ids"][0] for row in asked]
    return Corpus(target, len(files) * copies, tokens, [row["question"] for row in asked], golds)


def _perturbed(text: str, chance: random.Random) -> str:
    words = _WORD.findall(text)
    return _WORD.sub(lambda word: chance.choice(words) if chance.random() < 0.1 else word[0], text)


def export_chunks(index: Path, file: Path) -> int:
    """What was embedded, with its file, one JSON a line."""
    opened = open_index(Settings(index=index))
    rows = range(opened.manifest.chunks)
    passages = opened.passages(rows, [0.0] * len(rows), [0.0] * len(rows))
    with file.open("w", encoding="utf-8") as stream:
        for passage in passages:
            text = embedded_text(passage.title, passage.section, passage.text, passage.table_header)
            stream.write(json.dumps({"source": passage.source, "text": text}) + "\n")
    return len(passages)


def found_by_ours(index: Path, corpus: Corpus, dense_weight: float | None) -> list[list[str]]:
    """:param dense_weight: None is the default's fusion with BM25; 1 the vectors alone."""
    settings = Settings(index=index) if dense_weight is None else Settings(index=index, dense_weight=dense_weight)
    retriever = build_retriever(settings, open_index(settings))
    return [[passage.source for passage in retriever.search(question, K)] for question in corpus.questions]


def share_found(found: list[list[str]], corpus: Corpus) -> float:
    return sum(gold in sources for gold, sources in zip(corpus.golds, found, strict=True)) / len(corpus.golds)


def race(
    corpus: Corpus, names: Sequence[str], rounds: int, work: Path
) -> tuple[dict[str, list[Job]], dict[str, list[list[str]]]]:
    """Jobs of each name, round by round, and what each of the plain ones finds."""
    jobs: dict[str, list[Job]] = {name: [] for name in ("ours", *names)}
    found, chunks = {}, work / "chunks.jsonl"
    for number in range(rounds):
        for name in list(jobs)[:: -1 if number % 2 else 1]:
            if name == "ours":
                jobs[name].append(ours(corpus, work / f"index-{number}"))
                if number == 0:
                    print(f"{export_chunks(work / 'index-0', chunks)} chunks of ours", flush=True)
            else:
                job, found[name] = plain(name, corpus, work, chunks if name == "same" else None)
                jobs[name].append(job)
            print(f"round {number + 1}: {jobs[name][-1]}", flush=True)
    return jobs, found


def print_race(jobs: dict[str, list[Job]], shares: dict[str, float], corpus: Corpus) -> None:
    base = jobs.get("same", jobs["ours"])
    print("\n| job | source tokens/s | wall | CPU | peak MiB |\n| --- | --- | --- | --- | --- |")
    for name, own in jobs.items():
        wall = median(a.wall_s / b.wall_s for a, b in zip(base, own, strict=True))
        cpu = median(a.cpu_s / b.cpu_s for a, b in zip(base, own, strict=True))
        speed = median(corpus.tokens / job.wall_s for job in own)
        print(f"| {name} | {speed:.0f} | x{wall:.2f} | x{cpu:.2f} | {max(job.peak_mib for job in own):.0f} |")
    if corpus.questions:
        print(f"\n| search | hit@{K} of {len(corpus.questions)} |\n| --- | --- |")
        for name, share in shares.items():
            print(f"| {name} | {share:.3f} |")


def growth(limit: int, copies: Sequence[int], count: Callable[[str], int], work: Path) -> list[Job]:
    print(
        "\n| copies | files | source tokens | s | source tokens/s | peak MiB |\n| --- | --- | --- | --- | --- | --- |"
    )
    jobs = []
    for number in copies:
        corpus = write_corpus(work / f"corpus-{number}", limit, number, count)
        job = ours(corpus, work / f"index-of-{number}")
        speed = corpus.tokens / job.wall_s
        print(
            f"| {number} | {corpus.files} | {corpus.tokens} | {job.wall_s:.0f} | {speed:.0f} | {job.peak_mib:.0f} |",
            flush=True,
        )
        jobs.append(job)
    return jobs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=150, help="of each copy; 0: all of them")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--plain", nargs="*", choices=["same", "own"], default=["same", "own"], help="jobs beside ours")
    parser.add_argument("--copies", type=int, nargs="*", default=[], help="copies of the corpora for the memory")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    os.environ |= {"HF_HUB_OFFLINE": "1", "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    offsets = token_offsets(Settings())

    def count(text: str) -> int:
        return len(offsets(text))

    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        jobs: dict[str, list[Job]] = {}
        shares: dict[str, float] = {}
        if arguments.rounds:
            corpus = write_corpus(work / "corpus", arguments.files, 1, count)
            print(f"{corpus.files} files, {corpus.tokens} source tokens, {len(corpus.questions)} questions", flush=True)
            jobs, found = race(corpus, arguments.plain, arguments.rounds, work)
            again = ours(corpus, work / "index-0")
            print(f"\nunchanged second run: {again.wall_s:.1f} s, peak {again.peak_mib:.0f} MiB")
            if corpus.questions:
                shares["ours, fused with BM25"] = share_found(found_by_ours(work / "index-0", corpus, None), corpus)
                shares["ours, vectors alone"] = share_found(found_by_ours(work / "index-0", corpus, 1.0), corpus)
                shares |= {name: share_found(sources, corpus) for name, sources in found.items()}
            print_race(jobs, shares, corpus)
        grown = growth(arguments.files, arguments.copies, count, work) if arguments.copies else []
    if arguments.json:
        rows = {name: [asdict(job) for job in own] for name, own in (jobs | {"copies": grown}).items()}
        arguments.json.write_text(json.dumps({"jobs": rows, "hit@5": shares}, indent=1))


if __name__ == "__main__":
    main()
