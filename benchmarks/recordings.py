"""Long recordings as they are ingested: words, times, seconds and memory of the process that transcribes them.

    python benchmarks/recordings.py [--minutes 1 10 60]

Joins recordings of people from ../shared/data/speech (RAGVOICE_EVAL_DATA) with pauses of 0.3 to 6 s to an M4A file of
each length and reads it as a job does: with the default settings, in a process with limits. WER is taken after
Whisper's English normaliser. The error of a time is that of stretches that begin with a recording, in seconds.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

import av
import jiwer
import numpy as np
from rapidfuzz.distance import Levenshtein
from whisper_normalizer.english import EnglishTextNormalizer

from ingest.command import load_options
from ingest.sandbox import ParseLimits, ParserPool
from ragvoice.settings import read_settings
from ragvoice.speech.audio import SAMPLE_RATE_HZ, decode

KINDS = ("librispeech_other/", "ljspeech/")
normalise = EnglishTextNormalizer()


@dataclass(frozen=True)
class Spoken:
    start_s: float
    words: list[str]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=int, nargs="+", default=[1, 10, 60])
    options = parser.parse_args()
    data = Path(os.environ.get("RAGVOICE_EVAL_DATA", "../shared/data")) / "speech"
    if not (data / "manifest.jsonl").is_file():
        raise SystemExit(f"There are no recordings in {data}; set RAGVOICE_EVAL_DATA.")
    rows = [json.loads(line) for line in (data / "manifest.jsonl").read_text(encoding="utf-8").splitlines()]
    clips = [row for row in rows if row["file"].startswith(KINDS) and row["transcript"]]
    settings = read_settings()
    limits = ParseLimits(unit_timeout_s=settings.parse_timeout_s, memory_bytes=int(settings.parse_memory_gib * 2**30))
    print("| minutes | stretches | words each | WER | median, largest error of times | s a minute | peak MiB |")
    print("| --- | --- | --- | --- | --- | --- | --- |", flush=True)
    for minutes in options.minutes:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "meeting.m4a"
            spoken = list(record(path, data, clips, minutes * 60))
            with ParserPool(load_options(settings), limits) as parsers:
                [parsed] = parsers.parse([path])
        if parsed.error:
            raise SystemExit(f"{minutes} minutes: {parsed.error}")
        pages = [page for page in parsed.documents if page.page_content]
        heard = [normalise(page.page_content).split() for page in pages]
        wanted = [word for one in spoken for word in one.words]
        errors = time_errors(spoken, heard, [float(page.metadata["place"].value) for page in pages])
        print(
            f"| {minutes} | {len(pages)} | {statistics.median(map(len, heard)):.0f}",
            f"{jiwer.wer(' '.join(wanted), ' '.join(word for words in heard for word in words)):.3f}",
            f"{statistics.median(errors):.2f}, {max(errors):.2f} ({len(errors)})",
            f"{parsed.seconds / minutes:.1f}",
            f"{parsed.peak_bytes // 2**20} |",
            sep=" | ",
            flush=True,
        )


def record(path: Path, data: Path, clips: list[dict[str, str]], duration_s: float) -> Iterator[Spoken]:
    """Writes the recording while its parts are asked for."""
    random = np.random.default_rng(0)
    position = 0
    with av.open(str(path), "w", format="ipod") as output:
        stream = output.add_stream("aac", rate=SAMPLE_RATE_HZ, layout="mono")
        for clip in cycle(clips):
            if position >= duration_s * SAMPLE_RATE_HZ:
                break
            yield Spoken(position / SAMPLE_RATE_HZ, normalise(clip["transcript"]).split())
            pause_t = random.normal(0, 0.0005, int(random.uniform(0.3, 6) * SAMPLE_RATE_HZ)).astype(np.float32)
            samples_t = np.concatenate([decode(data / clip["file"]).samples_t, pause_t])
            position += len(samples_t)
            frame = av.AudioFrame.from_ndarray(samples_t[None], format="flt", layout="mono")
            frame.sample_rate = SAMPLE_RATE_HZ
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))


def time_errors(spoken: list[Spoken], heard: list[list[str]], starts_s: list[float]) -> list[float]:
    """Of every stretch whose first word is, in the alignment of all words, the first of a recording."""
    wanted = [word for one in spoken for word in one.words]
    found = [word for words in heard for word in words]
    same = {
        block.dest_start + offset: block.src_start + offset
        for block in Levenshtein.opcodes(wanted, found)
        if block.tag == "equal"
        for offset in range(block.src_end - block.src_start)
    }
    begins, position = {}, 0
    for one in spoken:
        begins[position] = one.start_s
        position += len(one.words)
    errors, position = [], 0
    for words, start_s in zip(heard, starts_s, strict=True):
        if (begin_s := begins.get(same.get(position, -1))) is not None:
            errors.append(abs(start_s - begin_s))
        position += len(words)
    return errors


if __name__ == "__main__":
    main()
