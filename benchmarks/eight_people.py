"""Eight people ask at once: how long the last of them waits, and whether anything is lost or mixed up.

    python benchmarks/eight_people.py [--rounds 3] [--json OUT]

One `Desk`, eight persons, a question of the sample company each: `typed`, `recorded` (a whole recording) and `live`
(eight voice loops that hear their questions in frames of 20 ms at the same time). In each round everybody asks alone,
one after another, and all at once, in alternating order. Seconds are counted from the question (live: from its last
voiced sample) to the first sound and to the whole answer; the longest of the eight is given as a multiple of the mean
of those who asked alone. The answers of the two must be equal to the bit, and everybody's log must hold their own
turns and no others.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from voice_turn_sides import PATIENCE_S
from voice_turn_sound import Microphone, Spoken, spoken

from ragvoice.datatypes import Answer, AudioChunk
from ragvoice.desk import Desk, build_desk
from ragvoice.errors import RagVoiceError
from ragvoice.people.person import Person
from ragvoice.settings import read_settings
from ragvoice.voice.events import Failed, NothingHeard
from ragvoice.voicebot import Said

ROOT = Path(__file__).resolve().parent.parent
Ask = Callable[[Person, int], "Asked"]


@dataclass(frozen=True)
class Asked:
    first_sound_s: float
    whole_s: float
    question: str
    answer: str
    """Empty when none came."""
    outcome: str
    confidence: float
    error: str = ""

    @property
    def content(self) -> tuple[object, ...]:
        """What must not depend on who else asks."""
        return self.question, self.answer, self.outcome, self.confidence, self.error


def followed(events: Iterable[object], began_at: float) -> Asked:
    """Read up to the answer, or to what comes instead of one."""
    first_sound_s = 0.0
    try:
        for event in events:
            now_s = time.perf_counter() - began_at
            match event:
                case Said(audio=AudioChunk()):
                    first_sound_s = first_sound_s or now_s
                case Answer():
                    return Asked(first_sound_s, now_s, event.question, event.answer, event.outcome, event.confidence)
                case NothingHeard() | Failed():
                    return Asked(0.0, now_s, "", "", "nothing", 0.0, str(getattr(event, "error", "nothing heard")))
    except RagVoiceError as error:
        return Asked(0.0, time.perf_counter() - began_at, "", "", "nothing", 0.0, str(error))
    return Asked(0.0, time.perf_counter() - began_at, "", "", "nothing", 0.0, "no answer")


def live(desk: Desk, person: Person, question: Spoken) -> Asked:
    loop = desk.loop(person)
    watchdog = threading.Timer(10 * PATIENCE_S, loop.close)
    watchdog.daemon = True
    watchdog.start()
    microphone = Microphone(loop.hear, question.sound)
    try:
        return followed(loop.events(), microphone.began_at + question.ends_s)
    finally:
        watchdog.cancel()
        microphone.stop()
        loop.close()


def at_once(ask: Ask, persons: Sequence[Person]) -> list[Asked]:
    found: dict[int, Asked] = {}
    gate = threading.Barrier(len(persons))

    def run(number: int) -> None:
        gate.wait()
        found[number] = ask(persons[number], number)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(persons))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [found[number] for number in range(len(persons))]


def alone(ask: Ask, persons: Sequence[Person]) -> list[Asked]:
    return [ask(person, number) for number, person in enumerate(persons)]


def mixed_up(desk: Desk, persons: Sequence[Person], answered: Sequence[Sequence[Asked]]) -> int:
    """Turns in a log that are not its person's, or are missing there."""
    wrong = 0
    for number, person in enumerate(persons):
        conversations = desk.conversations(person)
        logged = sorted(
            (turn.question, turn.answer)
            for conversation in conversations.list()
            for turn in conversations.turns(conversation.conversation_id)
        )
        expected = sorted((turns[number].question, turns[number].answer) for turns in answered if turns[number].answer)
        wrong += sum(a != b for a, b in zip(logged, expected, strict=False)) + abs(len(logged) - len(expected))
    return wrong


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--people", type=int, default=8)
    parser.add_argument(
        "--kinds", nargs="+", choices=["typed", "recorded", "live"], default=["typed", "recorded", "live"]
    )
    parser.add_argument("--json", type=Path, help="write every measurement here")
    parser.add_argument("--index", type=Path, default=ROOT / "out" / "index")
    arguments = parser.parse_args()
    command = [sys.executable, "-m", "ragvoice", "ingest", str(ROOT / "data" / "documents")]
    subprocess.run([*command, "--index", str(arguments.index)], check=True, stdout=subprocess.DEVNULL)
    folder = ROOT / "data" / "recordings"
    lines = [json.loads(line) for line in (folder / "manifest.jsonl").read_text(encoding="utf-8").splitlines()]
    lines = lines[2 :: len(lines) // arguments.people][: arguments.people]
    texts = [line["transcript"] for line in lines]
    sounds = [one for line in lines if (one := spoken(folder / line["file"]))]

    everything: dict[str, list[dict[str, Any]]] = {}
    print(
        "| questions | first sound alone, mean s | longest at once | times "
        "| whole answer alone, mean s | longest at once | times |"
    )
    print("| --- |" + " --- |" * 6, flush=True)
    remarks = list[str]()
    for kind in arguments.kinds:
        with tempfile.TemporaryDirectory() as scratch:
            desk = build_desk(read_settings(index=arguments.index, turns=Path(scratch) / "turns.sqlite"))
            persons = [Person(f"person {number}") for number in range(arguments.people)]

            def ask(person: Person, number: int, kind: str = kind, desk: Desk = desk) -> Asked:
                if kind == "live":
                    return live(desk, person, sounds[number])
                question = texts[number] if kind == "typed" else sounds[number].until(sounds[number].ends_s + 0.6)
                began_at = time.perf_counter()
                talk = desk.conversations(person).resolve("new")
                return followed(desk.ask(person, question, conversation_id=talk), began_at)

            ask(Person("warm-up"), 0)
            rounds: list[dict[str, list[Asked]]] = []
            for number in range(arguments.rounds):
                ways = {"alone": alone, "at once": at_once}
                order = ("alone", "at once") if number % 2 == 0 else ("at once", "alone")
                rounds.append({way: ways[way](ask, persons) for way in order})
                print(f"{kind}, round {number + 1} of {arguments.rounds}", file=sys.stderr, flush=True)
            wrong = mixed_up(desk, persons, [turns for one in rounds for turns in one.values()])
        print(f"| {kind} | {shown(rounds, 'first_sound_s')} | {shown(rounds, 'whole_s')} |", flush=True)
        pairs = [pair for one in rounds for pair in zip(one["alone"], one["at once"], strict=True)]
        lost = sum(not asked.answer for pair in pairs for asked in pair)
        changed = [(a, b) for a, b in pairs if a.content != b.content]
        remarks.append(
            f"{kind}: of {2 * len(pairs)} turns {lost} lost; {len(changed)} of {len(pairs)} answers other than alone; "
            f"{wrong} turns in a wrong log."
        )
        remarks += [f"    {a.content} alone, {b.content} at once" for a, b in changed]
        everything[kind] = [{way: [asdict(a) for a in turns] for way, turns in one.items()} for one in rounds]
    print("\n" + "\n".join(remarks))
    if arguments.json:
        arguments.json.write_text(json.dumps(everything, indent=1), encoding="utf-8")


def shown(rounds: Sequence[dict[str, list[Asked]]], measure: str) -> str:
    """Mean alone, longest at once (median over the rounds), and the median of their quotients."""
    means = [statistics.mean(getattr(asked, measure) for asked in one["alone"]) for one in rounds]
    longest = [max(getattr(asked, measure) for asked in one["at once"]) for one in rounds]
    times = statistics.median(most / mean for most, mean in zip(longest, means, strict=True))
    return f"{statistics.median(means):.2f} | {statistics.median(longest):.2f} | **{times:.1f}**"


if __name__ == "__main__":
    main()
