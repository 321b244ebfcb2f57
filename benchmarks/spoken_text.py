"""What the voice says for written forms: money, dates, times, addresses, against accepted readings.

    python benchmarks/spoken_text.py [--half tune] [--wrong]

Reads written_to_spoken.jsonl of ../shared/data/spoken_text (RAGVOICE_EVAL_DATA). A line is right when espeak-ng gives
it the phonemes of an accepted reading; stress, pauses, length and "and" are not compared. Even lines are for writing
the rules (`--half tune`), odd ones for the report. Compared: the text as it is, num2words on its numbers where that
is installed, `speakable`, and another normaliser's output (`--other FILE`, JSON list of {"written", "spoken"}).
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path

from rapidfuzz.distance import Levenshtein

from ragvoice.speech.speakable import speakable

Say = Callable[[str], str]
_UNCOMPARED = re.compile(r"\([a-z-]+\)|[ˈˌː\s_-]")
_AND = re.compile(r"\b(?:and|And)\b|&")
_HALF_OF_DAY = re.compile(r"\b([AP])M\b")
"""espeak-ng takes AM for a word where no digit precedes it."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--half", choices=("tune", "report"), default="report")
    parser.add_argument("--other", type=Path, help="what another normaliser made of the same lines")
    parser.add_argument("--wrong", action="store_true", help="list the lines that speakable gets wrong (tune only)")
    options = parser.parse_args()
    file = Path(os.environ.get("RAGVOICE_EVAL_DATA", "../shared/data")) / "spoken_text" / "written_to_spoken.jsonl"
    if not file.is_file():
        sys.exit(f"There is no {file}; set RAGVOICE_EVAL_DATA.")
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    rows = rows[0 if options.half == "tune" else 1 :: 2]
    systems: dict[str, Say] = {"as written": str, **num2words_on_numbers(), "speakable": speakable}
    if options.wrong:
        systems = {"speakable": speakable}
    if options.other:
        said = {row["written"]: row["spoken"] for row in json.loads(options.other.read_text(encoding="utf-8"))}
        systems[options.other.stem] = said.__getitem__
    results = {name: [score(say, row) for row in rows] for name, say in systems.items()}
    print(
        f"| {options.half}, {len(rows)} lines | n |",
        " | ".join(results),
        "|\n| --- | ---",
        "| --- " * len(results),
        "|",
    )
    classes = [row["class"] for row in rows]
    for kind in sorted(set(classes)):
        places = [place for place, name in enumerate(classes) if name == kind]
        rights = (f"{statistics.mean(scores[place][0] for place in places):.2f}" for scores in results.values())
        print(f"| {kind} | {len(places)} |", " | ".join(rights), "|")
    for title, column in (("all, right", 0), ("all, phoneme error rate", 1), ("milliseconds a line", 2)):
        means = (f"{statistics.mean(one[column] for one in scores):.3f}" for scores in results.values())
        print(f"| {title} | {len(rows)} |", " | ".join(means), "|")
    if options.wrong and options.half == "tune":
        for row, (right, *_) in zip(rows, results["speakable"], strict=True):
            if not right:
                said, accepted = speakable(row["written"]), row["spoken_accepted"][0]
                print(f"{row['class']}: {row['written']!r} -> {said!r}, {accepted!r}")


def score(say: Say, row: dict[str, object]) -> tuple[float, float, float]:
    """(right, errors a phoneme, milliseconds) against the nearest accepted reading."""
    started = time.perf_counter()
    text = say(str(row["written"]))
    elapsed_ms = 1000 * (time.perf_counter() - started)
    heard = phonemes(text)
    accepted = [phonemes(str(one)) for one in row["spoken_accepted"]]  # type: ignore[attr-defined]
    rate = min(Levenshtein.distance(heard, one) / max(1, len(one)) for one in accepted)
    return float(rate == 0), rate, elapsed_ms


@cache
def phonemes(text: str) -> str:
    text = _HALF_OF_DAY.sub(r"\1 M", _AND.sub(" ", text))
    command = ["espeak-ng", "-q", "--ipa", "-v", "en-us", "--stdin"]
    done = subprocess.run(command, input=text.encode(), capture_output=True, check=True)
    return _UNCOMPARED.sub("", done.stdout.decode()).replace("o", "ɔ")  # forty is said with either, by spelling


def num2words_on_numbers() -> dict[str, Say]:
    try:
        from num2words import num2words
    except ImportError:
        return {}
    number = re.compile(r"-?\d[\d,]*(?:\.\d+)?")
    return {"num2words": lambda text: number.sub(lambda m: num2words(float(m[0].replace(",", ""))), text)}


if __name__ == "__main__":
    main()
