"""Hostile and broken files of ../shared/data/robustness against what their manifest expects of each.

    python benchmarks/robustness.py [--json OUT]

First every file by itself, a good one after each: outcome, seconds, peak memory of the process that read it. Then all
of them in one job: what gave text must be in its index, everything else among what it skipped, for the same reason.
Exit code 1 when an outcome is not the expected one, a file hangs, crashes its process or needs more than 2 GiB, a
reason is not one plain line, or the good file is not read. RAGVOICE_EVAL_DATA names another data folder.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from ingest.command import load_options
from ingest.documents import Chunking
from ingest.job import Reading, ingest
from ingest.sandbox import ParsedFile, ParseLimits, ParserPool
from ragvoice.build import build_embeddings, embedder_identity, token_offsets
from ragvoice.retrieval.index import DocumentIndex
from ragvoice.settings import read_settings

GOOD = "# Garden\n\nNineteen tulips were planted."
MAX_MEMORY_BYTES = 2 * 2**30
# What the words of the manifest ask for, the first that occurs; a file without any of them fails.
EXPECTED = (
    ("must ingest", "text"),
    ("opens without a password", "text"),
    ("copy-protected: opens", "text"),
    ("only the attachment is encrypted", "any"),
    ('"encrypted" rejection', "encrypted"),
    ("encrypted rejection", "encrypted"),
    ("encrypted mail", "encrypted"),
    ("text or clean rejection", "any"),
    ("or extract something", "any"),
    ("clean rejection", "refused"),
    ("reject (entity expansion", "refused"),
    ("0 bytes", "refused"),
    ("no cells", "refused"),
    *((words, "any") for words in ("no crash", "clean handling", "bounded", "no external entity", "do not rasterise")),
    *((words, "any") for words in ("same", "please wait", "bad MIME", "broken after", "invalid", "malformed")),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, help="write every outcome here")
    parser.add_argument("--timeout", type=float, default=120, help="seconds for one page (default 120)")
    options = parser.parse_args()
    data = Path(os.environ.get("RAGVOICE_EVAL_DATA", "../shared/data")) / "robustness"
    if not data.is_dir():
        raise SystemExit(f"{data} is not here; set RAGVOICE_EVAL_DATA")
    entries = [json.loads(line) for line in (data / "manifest.jsonl").read_text(encoding="utf-8").splitlines()]
    settings = read_settings()
    reading = Reading(load_options(settings), ParseLimits(unit_timeout_s=options.timeout), settings.parse_workers)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "files"
        for entry in entries:
            (folder / entry["file"]).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(data / entry["file"], folder / entry["file"])
        (folder / "good.md").write_text(GOOD, encoding="utf-8")
        started = time.perf_counter()
        rows = list(one_by_one(entries, folder, reading))
        alone_s = time.perf_counter() - started
        problems = [f"{row['file']}: {row['problem']}" for row in rows if row["problem"]]
        started = time.perf_counter()
        problems += in_one_job(rows, folder, Path(name) / "index", reading)
        job_s = time.perf_counter() - started
    texts = sum(bool(row["characters"]) for row in rows)
    peak = max(int(row["peak_mib"]) for row in rows)
    print(f"\n{len(rows)} files: {texts} give text, {len(rows) - texts} a reason; at most {peak} MiB; {alone_s:.0f} s")
    print(
        f"one by one, {job_s:.0f} s in one job with {settings.parse_workers} readers; {len(problems)} not as expected"
    )
    print("\n".join(problems))
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1))
    raise SystemExit(1 if problems else 0)


def one_by_one(entries: list[dict[str, str]], folder: Path, reading: Reading) -> Iterator[dict[str, object]]:
    good = folder / "good.md"
    paths = [path for entry in entries for path in (folder / entry["file"], good)]
    with ParserPool(reading.options, reading.limits) as pool:
        results = pool.parse(iter(paths))
        for entry in entries:
            parsed, after = next(results), next(results)
            characters = sum(len(page.page_content.strip()) for page in parsed.documents)
            problem = judged(entry["expect"], parsed, characters)
            if [page.page_content for page in after.documents] != [GOOD]:
                problem = f"the good file after it was not read: {after.error}"
            row = {
                "file": entry["file"],
                "characters": characters,
                "reason": reason_of(parsed),
                "seconds": round(parsed.seconds, 1),
                "peak_mib": parsed.peak_bytes // 2**20,
                "problem": problem,
            }
            outcome = f"{characters} characters" if characters else row["reason"]
            print(f"{'PROBLEM' if problem else 'ok':8}{entry['file']}: {str(outcome)[:100]}", end=" ")
            print(f"({row['seconds']} s, {row['peak_mib']} MiB)", flush=True)
            yield row


def reason_of(parsed: ParsedFile) -> str:
    skipped = [str(page.metadata["skipped"]) for page in parsed.documents if "skipped" in page.metadata]
    return parsed.error or "; ".join(skipped)


def judged(expect: str, parsed: ParsedFile, characters: int) -> str:
    """What is wrong with the outcome; empty when nothing is."""
    reason = reason_of(parsed)
    expected = next((outcome for words, outcome in EXPECTED if words in expect), "")
    encrypted = reason.startswith("encrypted")
    checks = (
        (not expected, f"the manifest expects {expect!r}, which this script does not know"),
        (not characters and not reason, "neither text nor a reason"),
        ("took longer" in reason or "not finished" in reason, "it hangs"),
        ("crashed" in reason, "it crashes its process"),
        (not reason.isprintable() or "Traceback" in reason, f"no plain reason: {reason!r}"),
        (parsed.peak_bytes > MAX_MEMORY_BYTES, f"it needs {parsed.peak_bytes // 2**20} MiB"),
        (expected == "text" and not characters, f"it can be read, but: {reason}"),
        (expected == "encrypted" and (bool(characters) or not encrypted), f"not called encrypted: {reason!r}"),
        (expected == "refused" and bool(characters), f"{characters} characters of a file that has none"),
    )
    return next((words for wrong, words in checks if wrong), "")


def in_one_job(rows: list[dict[str, object]], folder: Path, index: Path, reading: Reading) -> list[str]:
    settings = read_settings()
    embeddings = build_embeddings(settings)
    chunking = Chunking(token_offsets(settings), settings.chunk_tokens, settings.overlap_tokens)
    identity = embedder_identity(settings)
    summary = ingest([folder], index, lambda: embeddings, identity, chunking, reading=reading)
    opened = DocumentIndex.open(index)
    read = {document.doc_id.partition("!/")[0] for document in opened.documents()}
    skipped = {one.doc_id.partition("!/")[0]: one.reason for one in summary.skipped}
    problems = [] if "good.md" in read else ["in one job: the good file is not in the index"]
    for row in rows:
        name = str(row["file"])
        if bool(row["characters"]) != (name in read):
            problems.append(f"{name}, in one job: {'not in' if row['characters'] else 'in'} the index")
        elif name not in read and skipped.get(name) != row["reason"]:
            problems.append(f"{name}, in one job: {skipped.get(name)!r} instead of {row['reason']!r}")
    return problems


if __name__ == "__main__":
    main()
