"""Every file of ../shared/data/robustness in one job: none may stop it, each ends as text or as one line that says why.

    python benchmarks/robustness.py [--json OUT]

Prints outcome, seconds and peak memory of the process that read the file; exit code 1 when a file that must be read was
refused, one with a password was not called encrypted, or one ran into its time limit. RAGVOICE_EVAL_DATA names another
data folder.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path

from ingest.loaders.options import LoadOptions
from ingest.sandbox import ParseLimits, ParserPool


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, help="write every outcome here")
    parser.add_argument("--timeout", type=float, default=60, help="seconds for one page (default 60)")
    options = parser.parse_args()
    folder = Path(os.environ.get("RAGVOICE_EVAL_DATA", "../shared/data")) / "robustness"
    if not folder.is_dir():
        raise SystemExit(f"{folder} is not here; set RAGVOICE_EVAL_DATA")
    entries = [json.loads(line) for line in (folder / "manifest.jsonl").read_text().splitlines()]
    started, rows = time.perf_counter(), []
    with ParserPool(LoadOptions(), ParseLimits(unit_timeout_s=options.timeout)) as pool:
        for entry, parsed in zip(entries, pool.parse(folder / entry["file"] for entry in entries), strict=True):
            characters = sum(len(document.page_content) for document in parsed.documents)
            reasons = [str(d.metadata["skipped"]) for d in parsed.documents if d.metadata.get("skipped")]
            reason = parsed.error or "; ".join(reasons)
            problem = judged(entry["expect"], characters, reason)
            rows.append({"file": entry["file"], "characters": characters, "reason": reason, "problem": problem})
            outcome = f"{characters} characters" if characters else reason
            memory = parsed.peak_bytes // 2**20
            print(f"{problem or 'ok':12} {entry['file']}: {outcome[:110]} ({parsed.seconds:.1f} s, {memory} MiB)")
    failed = [row for row in rows if row["problem"]]
    print(f"{len(rows)} files, {len(failed)} not as expected, {time.perf_counter() - started:.0f} s")
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1))
    raise SystemExit(1 if failed else 0)


def judged(expect: str, characters: int, reason: str) -> str:
    """What is wrong with the outcome, as far as a program can tell; empty when nothing is."""
    if "took longer" in reason:
        return "TIMEOUT"
    if "must ingest" in expect or "opens without a password" in expect:
        return "" if characters else "NOT READ"
    if "encrypted" in expect and "rejection" in expect:
        return "" if not characters and ("encrypted" in reason or "password" in reason) else "NOT NAMED"
    return "" if characters or reason else "NO OUTCOME"


if __name__ == "__main__":
    main()
