"""How much of each kind of file the loaders keep, against the expected texts of a folder of real documents.

    python benchmarks/formats.py [--json out.json] [--only docx] [--show FILE]

For every file of DATA/formats/manifest.jsonl: the share of the expected words found in their order (longest common
subsequence / expected words; words are compared without case, marks and addresses of links), the share of the words
that were read beyond the expected ones, headings and table cells found, pages, seconds. A file with demanded strings
instead of a text is scored by the share of the strings found (and of the unwanted ones left out).
"""

from __future__ import annotations

import argparse
import html
import json
import os
import re
import time
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rapidfuzz.distance import LCSseq

from ingest.loaders import load
from ragvoice.errors import DocumentError

GOAL = 0.9
_LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\([^()\s]*(?:\([^()]*\)[^()\s]*)*(?:\s+\"[^\"]*\")?\)")
_SEPARATOR_ROW = re.compile(r"^\|?(?:\s*:?-+:?\s*\|)+\s*(?::?-+:?)?\s*$")


@dataclass(frozen=True)
class Score:
    file: str
    format: str
    words: float | None
    """Share of the expected words in order (or of the demanded strings), 0 to 1; None: nothing is expected."""
    surplus: float | None
    """Share of the words read that the expected text does not have."""
    headings: str
    cells: str
    pages: str
    characters: int
    seconds: float
    error: str = ""


def words_of(text: str) -> list[str]:
    text = html.unescape(re.sub(r"<!--.*?-->", " ", text, flags=re.S))
    text = _LINK.sub(lambda link: " " if link[1] else link[2], text)
    folded = unicodedata.normalize("NFKC", text).casefold().replace("_", " ")
    return re.findall(r"\w+", folded)


def headings_of(text: str) -> list[str]:
    return [" ".join(words_of(line.lstrip("#"))) for line in text.splitlines() if re.match(r"#{1,6}\s", line)]


def cells_of(text: str) -> Counter[str]:
    cells: Counter[str] = Counter()
    for line in text.splitlines():
        if line.strip().startswith("|") and not _SEPARATOR_ROW.match(line.strip()):
            cells.update(" ".join(words_of(cell)) for cell in re.split(r"(?<!\\)\|", line.strip().strip("|")))
    del cells[""]
    return cells


def share(found: int, expected: int) -> str:
    return f"{found}/{expected}" if expected else ""


def score(data: Path, row: dict[str, object]) -> Score:
    name = str(row["file"])
    started = time.perf_counter()
    text, pages, error = "", set(), ""
    try:
        for document in load(data / name):
            text += document.page_content + "\n\n"
            place = document.metadata.get("place")
            if place is not None:
                pages.add((document.metadata.get("part", ""), place.kind, place.value))
            if "skipped" in document.metadata:
                error += f"{document.metadata['part']}: {document.metadata['skipped']}; "
    except DocumentError as refused:
        error = str(refused)
    seconds = time.perf_counter() - started
    format_ = name.partition("/")[0]
    known = re.fullmatch(r"pypdf-ok \d+ (\d+)", str(row.get("baseline", "")))
    page_share = f"{len(pages)}/{known[1]}" if known else str(len(pages) or "")
    base = {"file": name, "format": format_, "pages": page_share, "characters": len(text), "seconds": seconds}
    if row.get("expected_md"):
        expected = (data / name).parent.joinpath(str(row["expected_md"])).read_text(encoding="utf-8")
        return Score(**base, **against(expected, text), error=error)  # type: ignore[arg-type]
    demanded = row.get("must_include")
    if isinstance(demanded, list):
        flat = " ".join(words_of(text))
        unwanted = row.get("must_not_include") or []
        assert isinstance(unwanted, list)
        kept = sum(" ".join(words_of(wanted)) in flat for wanted in demanded)
        kept += sum(" ".join(words_of(one)) not in flat for one in unwanted)
        words = kept / (len(demanded) + len(unwanted))
        return Score(**base, words=words, surplus=None, headings="", cells="", error=error)  # type: ignore[arg-type]
    return Score(**base, words=None, surplus=None, headings="", cells="", error=error)  # type: ignore[arg-type]


def against(expected: str, text: str) -> dict[str, object]:
    wanted, got = words_of(expected), words_of(text)
    common = LCSseq.similarity(wanted, got)
    headings, cells = Counter(headings_of(expected)), cells_of(expected)
    return {
        "words": common / len(wanted) if wanted else float(not got),
        "surplus": 1 - common / len(got) if got else 0.0,
        "headings": share((headings & Counter(headings_of(text))).total(), headings.total()),
        "cells": share((cells & cells_of(text)).total(), cells.total()),
    }


def table(rows: Sequence[Sequence[str]]) -> str:
    head, *body = rows
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, ["---"] * len(head), *body])


def shown(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def report(scores: list[Score]) -> str:
    rows = [["file", "words", "surplus", "headings", "cells", "pages", "characters", "seconds", "error"]]
    for one in scores:
        rows.append([one.file, shown(one.words), shown(one.surplus), one.headings, one.cells, one.pages,
                     str(one.characters), f"{one.seconds:.2f}", one.error[:90]])  # fmt: skip
    formats = [["format", "files", "with an expected text", "mean of words", f"below {GOAL}", "refused", "seconds"]]
    for name in dict.fromkeys(one.format for one in scores):
        of_format = [one for one in scores if one.format == name]
        known = [one.words for one in of_format if one.words is not None]
        formats.append([
            name, str(len(of_format)), str(len(known)), shown(sum(known) / len(known)) if known else "",
            str(sum(words < GOAL for words in known)), str(sum(not one.characters for one in of_format)),
            f"{sum(one.seconds for one in of_format):.1f}",
        ])  # fmt: skip
    below = [
        f"* {one.file}: {one.words:.3f} {one.error}" for one in scores if one.words is not None and one.words < GOAL
    ]
    return "\n\n".join([table(rows), table(formats), f"Below {GOAL}:\n" + ("\n".join(below) or "none")])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = Path(os.environ.get("RAGVOICE_EVAL_DATA", "../shared/data"))
    parser.add_argument("--data", type=Path, default=default, help="folder with formats/ (RAGVOICE_EVAL_DATA)")
    parser.add_argument("--only", default="", help="only files whose path holds this")
    parser.add_argument("--json", type=Path, help="also write every score here")
    args = parser.parse_args()
    data = args.data / "formats"
    manifest = [json.loads(line) for line in (data / "manifest.jsonl").read_text(encoding="utf-8").splitlines()]
    scores = [score(data, row) for row in manifest if args.only in row["file"]]
    print(report(scores))
    if args.json:
        args.json.write_text(json.dumps([asdict(one) for one in scores], indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
