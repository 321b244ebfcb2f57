"""End of a spoken question to the first sample of its spoken answer: ours against the plain pipeline.

    make bench            or: python benchmarks/voice_turn.py [--limit N] [--json OUT]

Recorded questions of the sample company (data/recordings, synthetic voices, none of them the bot's). Both pipelines
have the same models, run in a process each, take turns question by question, and are measured from the moment the
whole recording is there. A question that ours does not answer is left out of both, since a refusal is quick.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
RECORDINGS = ROOT / "data" / "recordings"


def serve_ours(index: Path, pipe: Connection) -> None:
    from ragvoice.build import build_voicebot
    from ragvoice.datatypes import Answer
    from ragvoice.settings import read_settings
    from ragvoice.speech.audio import decode

    bot = build_voicebot(read_settings(index=index), listens=True, speaks=True)
    pipe.send("ready")
    while (recording := pipe.recv()) is not None:
        started = time.perf_counter()
        audio = decode(recording)
        decoded_s = time.perf_counter() - started
        answer = None
        for event in bot.turn(audio, speak=True):
            answer = event
        assert isinstance(answer, Answer)
        timings = answer.timings
        first_token, transcribe, retrieve = timings.first_token or 0, timings.transcribe or 0, timings.retrieve or 0
        row = {
            "question": answer.question,
            "answer": answer.answer,
            "outcome": answer.outcome,
            "transcribe": transcribe,
            "retrieve": retrieve,
            "first_token": first_token - transcribe - retrieve,
            "first_sentence_and_voice": (timings.first_audio or 0) - first_token,
            "first_audio": decoded_s + (timings.first_audio or 0),
            "total": time.perf_counter() - started,
        }
        pipe.send(row | {"rss_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024})


def serve_plain(index: Path, pipe: Connection) -> None:
    sys.path.insert(0, str(ROOT))
    from benchmarks.plain_pipeline import PlainPipeline
    from ragvoice.build import build_store
    from ragvoice.datatypes import EVERYONE
    from ragvoice.retrieval.index import DocumentIndex
    from ragvoice.settings import read_settings

    settings, store = read_settings(), build_store()
    opened = DocumentIndex.open(index)
    texts = [
        opened.document(document.doc_id).text for document in opened.documents() if EVERYONE in document.allowed_groups
    ]
    pipeline = PlainPipeline(
        texts,
        embedder=store.path(settings.embedder),
        llm=store.converted(settings.llm, "transformers"),
        stt=store.path(settings.stt),
        voice=store.path(settings.tts),
    )
    pipe.send("ready")
    while (recording := pipe.recv()) is not None:
        row = pipeline.turn(recording)
        pipe.send(row | {"rss_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024})


def cold_starts(index: Path, recording: Path, times: int) -> list[float]:
    """Seconds of the whole command, from nothing loaded to a written WAV."""
    seconds = []
    for _ in range(times):
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, "-m", "ragvoice", "ask", "--audio", str(recording), "--index", str(index)]
            started = time.perf_counter()
            subprocess.run([*command, "--speak", f"{folder}/a.wav", "--json"], check=True, stdout=subprocess.DEVNULL)
            seconds.append(time.perf_counter() - started)
    return seconds


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, round(share * (len(values) - 1)))]


def table(rows: dict[str, list[dict[str, Any]]]) -> str:
    lines = ["| pipeline | stage | p50 s | p95 s |", "| --- | --- | --- | --- |"]
    stages = {
        "ours": ("transcribe", "retrieve", "first_token", "first_sentence_and_voice", "first_audio"),
        "plain": ("transcribe", "retrieve", "generate", "speak", "first_audio"),
    }
    for name, names in stages.items():
        for stage in names:
            values = [row[stage] for row in rows[name]]
            shown = stage.replace("_", " ")
            lines.append(f"| {name} | {shown} | {statistics.median(values):.2f} | {percentile(values, 0.95):.2f} |")
    ratios = [p["first_audio"] / o["first_audio"] for o, p in zip(rows["ours"], rows["plain"], strict=True)]
    lines += [
        "",
        f"Answered questions: {len(ratios)}. Median of plain / ours, question by question: "
        f"{statistics.median(ratios):.1f}x sooner.",
        f"Peak memory: ours {max(row['rss_mib'] for row in rows['ours']):.0f} MiB, "
        f"plain {max(row['rss_mib'] for row in rows['plain']):.0f} MiB.",
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--limit", type=int, help="first N recordings only")
    parser.add_argument("--json", type=Path, help="write every measurement here")
    parser.add_argument("--index", type=Path, default=ROOT / "out" / "index")
    arguments = parser.parse_args()
    command = [sys.executable, "-m", "ragvoice", "ingest", str(ROOT / "data" / "documents")]
    subprocess.run([*command, "--index", str(arguments.index)], check=True, stdout=subprocess.DEVNULL)
    manifest = (RECORDINGS / "manifest.jsonl").read_text(encoding="utf-8").splitlines()
    recordings = [RECORDINGS / json.loads(line)["file"] for line in manifest][: arguments.limit]

    context = multiprocessing.get_context("spawn")
    pipes: dict[str, Connection] = {}
    for name, serve in (("ours", serve_ours), ("plain", serve_plain)):
        pipes[name], theirs = context.Pipe()
        context.Process(target=serve, args=(arguments.index, theirs), daemon=True).start()
        pipes[name].recv()
    for pipe in pipes.values():  # the first turn of a process is a warm-up
        pipe.send(recordings[0])
        pipe.recv()
    rows: dict[str, list[dict[str, Any]]] = {"ours": [], "plain": []}
    for number, recording in enumerate(recordings):
        turns = {}
        for name in ("ours", "plain") if number % 2 else ("plain", "ours"):
            pipes[name].send(recording)
            turns[name] = pipes[name].recv() | {"recording": recording.name}
        print(
            f"{recording.name}: {turns['ours']['outcome']}, ours {turns['ours']['first_audio']:.2f} s, "
            f"plain {turns['plain']['first_audio']:.2f} s",
            file=sys.stderr,
        )
        if turns["ours"]["outcome"] == "answered":
            for name, row in turns.items():
                rows[name].append(row)
    for pipe in pipes.values():
        pipe.send(None)
    cold = cold_starts(arguments.index, recordings[0], 3)
    print(table(rows))
    print(f"Cold start of the whole command, question to written answer: median {statistics.median(cold):.1f} s.")
    if arguments.json:
        arguments.json.write_text(json.dumps({"turns": rows, "cold_start_s": cold}, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
