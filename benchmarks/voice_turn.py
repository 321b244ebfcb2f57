"""End of speech to the first sound of the spoken answer: the voice loop against what came before it.

    make bench            or: python benchmarks/voice_turn.py [--limit N] [--json OUT] [--plot PNG]

Recorded questions of the sample company (data/recordings, synthetic voices, none of them the bot's), each in a quiet
room and with pink noise. Seconds are counted from the last voiced sample (the detector's, on the clean recording) to
the first audible sample of the answer itself, so the pause that ends a turn counts. `loop` is `Desk.loop` and hears the
question in frames of 20 ms as it is spoken; `read` is the same, passages apart, after the model has read the documents,
as a server's does while nobody asks; `whole` is `VoiceBot.turn` and `plain` the plain pipeline (faster-whisper,
LangChain and transformers with their defaults), both given the recording after the same pause. The same models, a
process each, one at a time, turn about question by question; what one (but `read`) has read for a turn is forgotten
before the next. A question that one of them leaves unanswered is left out of all. Recordings of people, whose questions
the sample company cannot answer, count for the recognition only. Stages are medians of their own and need not add up.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from voice_turn_sides import PAUSE_S, SIDES, STAGES, Row, serve
from voice_turn_sound import Spoken, people, sample_company

ROOT = Path(__file__).resolve().parent.parent
SHARED = Path(os.environ.get("RAGVOICE_EVAL_DATA", ROOT.parent / "shared" / "data"))
NAMES = {
    "read": "voice loop, documents read",
    "loop": "voice loop",
    "whole": "whole recordings",
    "plain": "plain pipeline",
}
COLOURS = dict(
    zip(
        STAGES,
        ("#8c8c8c", "#4477aa", "#66ccee", "#228833", "#ccbb44", "#aa3377", "#ee6677", "#bbbbbb", "#dddddd"),
        strict=True,
    )
)
Turn = dict[str, Row]
"""Side -> what it made of one question."""
Ask = Callable[..., Any]
"""(side, method, its arguments) -> what the process answers."""


def started(sides: Sequence[str], index: Path) -> tuple[Ask, Callable[[], None]]:
    """How to ask them, and how to end them."""
    context = multiprocessing.get_context("spawn")
    processes = []
    pipes: dict[str, Connection] = {}
    for name in sides:
        pipes[name], theirs = context.Pipe()
        processes.append(context.Process(target=serve, args=(name, index, theirs), daemon=True))
        processes[-1].start()
        pipes[name].recv()

    def ask(side: str, method: str, *arguments: Any) -> Any:
        pipes[side].send((method, arguments))
        return pipes[side].recv()

    def stop() -> None:
        for pipe, process in zip(pipes.values(), processes, strict=True):
            pipe.send(None)
            process.join(timeout=20)

    return ask, stop


def measured(ask: Ask, sides: Sequence[str], questions: Sequence[Spoken]) -> list[Turn]:
    turns: list[Turn] = []
    for number, question in enumerate(questions):
        first = number % len(sides)
        turn: Turn = {}
        for side in (*sides[first:], *sides[:first]):
            turn[side] = ask(side, "turn", question) | {"recording": question.name, "room": question.room}
        turns.append({side: turn[side] for side in sides})
        shown = ", ".join(
            f"{side} {row['outcome']} {row.get('first sound', float('nan')):.2f} s" for side, row in turn.items()
        )
        print(f"[{number + 1}/{len(questions)}] {question.name} {question.room}: {shown}", file=sys.stderr, flush=True)
    return turns


def interruptions(ask: Ask, side: str, questions: Sequence[str], by: Sequence[Spoken]) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {"interrupt()": [], "speech": []}
    for number, question in enumerate(questions):
        for kind, speech in (("interrupt()", None), ("speech", by[number % len(by)])):
            seconds = ask(side, "interruption", question, speech)
            print(f"interrupted by {kind}: {seconds}", file=sys.stderr, flush=True)
            found[kind] += [] if seconds is None else [seconds]
    return found


def cold_starts(index: Path, recording: Path, times: int) -> list[float]:
    """Seconds of the whole command, from nothing loaded to a written WAV."""
    seconds = []
    for _ in range(times):
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, "-m", "ragvoice", "ask", "--audio", str(recording), "--index", str(index)]
            began = time.perf_counter()
            subprocess.run([*command, "--speak", f"{folder}/a.wav", "--json"], check=True, stdout=subprocess.DEVNULL)
            seconds.append(time.perf_counter() - began)
    return seconds


def percentile(values: Sequence[float], share: float) -> float:
    """Nearest rank."""
    return sorted(values)[min(len(values) - 1, round(share * (len(values) - 1)))]


def spread(values: Sequence[float]) -> str:
    return f"{statistics.median(values):.2f} | {percentile(values, 0.95):.2f}" if values else "- | -"


def table(turns: Sequence[Turn], sides: Sequence[str]) -> str:
    lines = ["| side | stage | p50 s | p95 s |", "| --- | --- | --- | --- |"]
    rooms = list(dict.fromkeys(turn[sides[0]]["room"] for turn in turns))
    for side in sides:
        rows = [turn[side] for turn in turns]
        for stage in STAGES:
            if values := [row[stage] for row in rows if stage in row]:
                lines.append(f"| {NAMES[side]} | {stage} | {spread(values)} |")
        first = {room: [row["first sound"] for row in rows if row["room"] == room] for room in rooms}
        first = {"first sound": [row["first sound"] for row in rows]} | first
        lines += [f"| {NAMES[side]} | **{label}** (n={len(v)}) | {spread(v)} |" for label, v in first.items()]
    for side in sides[1:] if turns else ():
        ratios = [turn[side]["first sound"] / turn[sides[0]]["first sound"] for turn in turns]
        lines.append(f"\n{NAMES[sides[0]]} against {NAMES[side]}, median: {statistics.median(ratios):.1f}x sooner.")
    return "\n".join(lines)


def recognition(turns: Sequence[Turn], sides: Sequence[str]) -> str:
    """Last voiced sample to the words, whatever became of them."""
    lines = ["| recordings of people | words known, p50 s | p95 s |", "| --- | --- | --- |"]
    for side in sides:
        values = [turn[side]["words known"] for turn in turns if "words known" in turn[side]]
        lines.append(f"| {NAMES[side]} (n={len(values)}) | {spread(values)} |")
    return "\n".join(lines)


def plot(turns: Sequence[Turn], sides: Sequence[str], file: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(9, 0.8 * len(sides) + 2), layout="constrained")
    names = [NAMES[side] for side in sides]
    left = [0.0] * len(sides)
    for stage in STAGES:
        widths = [statistics.median([max(0.0, turn[side].get(stage, 0.0)) for turn in turns]) for side in sides]
        if any(widths):
            axes.barh(names, widths, left=left, label=stage, color=COLOURS[stage])
            left = [sum(pair) for pair in zip(left, widths, strict=True)]
    for side, name in zip(sides, names, strict=True):
        marks = ("k|", statistics.median), ("kx", lambda values: percentile(values, 0.95))
        for mark, of in marks:
            axes.plot(of([turn[side]["first sound"] for turn in turns]), name, mark, markersize=12)
    axes.invert_yaxis()
    axes.set_xlabel(
        "seconds after the last voiced sample; medians of the stages, | median and x p95 of the first sound"
    )
    axes.set_title(f"A spoken answer begins, {len(turns)} answered questions")
    axes.legend(ncols=5, loc="upper center", bbox_to_anchor=(0.5, -0.28), frameon=False)
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=150)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--limit", type=int, help="first N recordings only, of either folder")
    parser.add_argument(
        "--sides", nargs="+", choices=list(SIDES), default=["loop", "whole", "plain"], help="the first is compared"
    )
    parser.add_argument("--snr", type=float, nargs="*", default=[20.0, 10.0], help="dB of the speech over the noise")
    parser.add_argument("--interruptions", type=int, default=20, help="of each kind")
    parser.add_argument("--people", type=Path, default=SHARED / "speech" / "questions", help="recordings of people")
    parser.add_argument("--json", type=Path, help="write every measurement here")
    parser.add_argument("--plot", type=Path, default=ROOT / "out" / "voice_turn.png")
    parser.add_argument("--index", type=Path, default=ROOT / "out" / "index")
    parser.add_argument("--cold", type=int, default=3, help="cold starts")
    arguments = parser.parse_args()
    sides: list[str] = arguments.sides
    command = [sys.executable, "-m", "ragvoice", "ingest", str(ROOT / "data" / "documents")]
    subprocess.run([*command, "--index", str(arguments.index)], check=True, stdout=subprocess.DEVNULL)
    recordings = ROOT / "data" / "recordings"
    questions = sample_company(recordings, arguments.snr, arguments.limit)
    human = people(arguments.people, arguments.limit)

    ask, stop = started(sides, arguments.index)
    for side in sides:  # the first turn of a process is a warm-up
        ask(side, "turn", questions[0])
    turns = measured(ask, sides, questions)
    answered = [turn for turn in turns if all(row["outcome"] == "answered" for row in turn.values())]
    heard = measured(ask, sides, human)
    stops: dict[str, list[float]] = {}
    live = next((side for side in ("loop", "read") if side in sides), None)
    if live and answered:
        asked = [turn[live]["question"] for turn in answered]
        stops = interruptions(
            ask, live, (asked * arguments.interruptions)[: arguments.interruptions], [*questions, *human]
        )
    stop()
    cold = cold_starts(arguments.index, recordings / questions[0].name, arguments.cold) if arguments.cold else []

    print(f"{len(turns)} turns, {len(answered)} answered by all; a pause of {PAUSE_S} s.\n\n{table(answered, sides)}")
    if heard:
        print(f"\n{recognition(heard, sides)}")
    for kind, seconds in stops.items():
        print(f"\nStopped by {kind} (n={len(seconds)}), p50 | p95: {spread(seconds)}")
    for side in sides:
        rows = [turn[side] for turn in (*turns, *heard)]
        idle = statistics.median(row["cores while idle"] for row in rows)
        print(f"\n{NAMES[side]}: {max(row['rss_mib'] for row in rows):.0f} MiB, {idle:.3f} cores while the others run.")
    if cold:
        print(f"\nCold start of the whole command, question to written answer: median {statistics.median(cold):.1f} s.")
    if answered:
        plot(answered, sides, arguments.plot)
    if arguments.json:
        measures = {"turns": turns, "people": heard, "interruptions_s": stops, "cold_start_s": cold}
        arguments.json.write_text(json.dumps(measures, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
