"""How much of each file of ../shared/data/formats the loaders read.

    python benchmarks/formats.py [--json OUT]

For every file with an expected text: the share of its words found in order (longest common subsequence of lower-case
words over the expected words), and the words read for each expected one, which shows noise. RAGVOICE_EVAL_DATA names
another data folder.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import time
from collections import defaultdict
from pathlib import Path

from rapidfuzz.distance import LCSseq

from ingest.loaders import load
from ragvoice.errors import DocumentError

_LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)|<!--.*?-->", re.DOTALL)


def words(text: str) -> list[str]:
    """Lower-case words without Markdown's marks, targets of links and comments."""
    return re.findall(r"\w+", _LINK.sub(r"\1", text).lower())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, help="write every figure here")
    folder = Path(os.environ.get("RAGVOICE_EVAL_DATA", "../shared/data")) / "formats"
    options = parser.parse_args()
    if not folder.is_dir():
        raise SystemExit(f"{folder} is not here; set RAGVOICE_EVAL_DATA")
    rows = [score(folder, json.loads(line)) for line in (folder / "manifest.jsonl").read_text().splitlines()]
    kinds = defaultdict(list)
    for row in rows:
        kinds[Path(row["file"]).suffix or "(none)"].append(row)
    print("| kind | files | read | mean share of expected words in order | below 0.9 |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for kind, here in sorted(kinds.items()):
        shares = [row["share"] for row in here if row["share"] is not None]
        mean = f"{sum(shares) / len(shares):.2f}" if shares else "-"
        read = sum(not row["reason"] for row in here)
        print(f"| {kind} | {len(here)} | {read} | {mean} | {sum(share < 0.9 for share in shares)} |")
    print("\nBelow 0.9, missing a demanded text, or not read:")
    for row in rows:
        if row["reason"] or row["missing"] or (row["share"] is not None and row["share"] < 0.9):
            print(f"  {row['file']}: {row['reason'] or row['share']} {row['missing'] or ''}")
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1))


def score(folder: Path, entry: dict) -> dict:
    file, started, reason, text = folder / entry["file"], time.perf_counter(), "", ""
    try:
        pages = load(file)
        text = "\n\n".join(page.page_content for page in pages)
        reason = "; ".join(str(page.metadata["skipped"]) for page in pages if page.metadata.get("skipped"))
    except DocumentError as error:
        reason = str(error)
    seconds = time.perf_counter() - started
    expected, share, noise = entry.get("expected_md"), None, None
    got = words(text)
    if expected:
        beside = [file.parent / expected, folder / expected]
        wanted = words(next(path for path in beside if path.is_file()).read_text(encoding="utf-8"))
        share = round(LCSseq.similarity(wanted, got) / max(len(wanted), 1), 3)
        noise = round(len(got) / max(len(wanted), 1), 2)
    joined = " ".join(got)
    missing = [part for part in entry.get("must_include") or [] if " ".join(words(part)) not in joined]
    return {
        "file": entry["file"],
        "share": share,
        "words_per_expected": noise,
        "missing": missing,
        "reason": reason,
        "seconds": round(seconds, 2),
    }


if __name__ == "__main__":
    main()
