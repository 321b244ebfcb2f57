"""What it saves to read the passages into the model while the question is still being asked.

    python benchmarks/prefix_cache.py [--index out/index] [--limit 40] [--heard 0.6]

Questions of the sample company (data/questions.jsonl), typed. One process, two bots of the same models that take turns
question by question: one is told the first words of the question beforehand (`VoiceBot.prepare`), the other is not;
what they have read is forgotten before the next.
Seconds are from the whole question to the model's first token, search included. Prints a markdown table.
"""

from __future__ import annotations

import argparse
import math
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from ragvoice.build import build_answering, build_retriever, open_live_index
from ragvoice.datatypes import Answer, Passage
from ragvoice.evaluation.datasets import read_dataset
from ragvoice.generation.answering import RUNNERS_UP, Answering
from ragvoice.generation.prompts import quoted
from ragvoice.settings import read_settings
from ragvoice.voicebot import VoiceBot

sys.path.insert(0, str(Path(__file__).resolve().parent))
from voice_turn_sides import forget

ROOT = Path(__file__).resolve().parent.parent


def first_words(text: str, share: float) -> str:
    words = text.split()
    return " ".join(words[: math.ceil(share * len(words))])


def read(answering: Answering, asked: str, found: Sequence[Passage]) -> list[str]:
    """The passages in the prompt, in their order."""
    return [quoted(passage) for passage in answering.prompt(asked, found, (), "spoken")[1]]


def quantile(values: list[float], share: float) -> float:
    return sorted(values)[round(share * (len(values) - 1))]


def said(answer: Answer) -> tuple[object, ...]:
    return answer.outcome, answer.answer, answer.citations, answer.confidence, answer.draft


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--index", type=Path, default=ROOT / "out" / "index")
    parser.add_argument("--limit", type=int, default=40, help="questions, spread over the file")
    parser.add_argument("--heard", type=float, default=0.6, help="share of the question's words known beforehand")
    arguments = parser.parse_args()
    command = [sys.executable, "-m", "ragvoice", "ingest", str(ROOT / "data" / "documents")]
    subprocess.run([*command, "--index", str(arguments.index)], check=True, stdout=subprocess.DEVNULL)
    settings = read_settings(index=arguments.index)
    retriever = build_retriever(settings, open_live_index(settings))
    answerings = {name: build_answering(settings) for name in ("without", "with")}
    bots = {name: VoiceBot(retriever, answering) for name, answering in answerings.items()}
    alone = [question for question in read_dataset(ROOT / "data").questions if not question.history]
    questions = alone[:: max(1, len(alone) // arguments.limit)][: arguments.limit]
    for bot in bots.values():
        bot.ask(questions[0].text)

    seconds: dict[str, list[float]] = defaultdict(list)
    all_read, same_answers, asked = list[bool](), 0, 0
    for number, question in enumerate(questions):
        partial = first_words(question.text, arguments.heard)
        for bot in bots.values():
            forget(bot)
        started = time.perf_counter()
        prepared = bots["with"].prepare(partial, (), question.groups)
        spent = time.perf_counter() - started
        answers = {
            name: bots[name].ask(question.text, (), question.groups)
            for name in (("with", "without") if number % 2 else ("without", "with"))
        }
        if not answers["without"].prompt_hash:  # asked back, or nothing found: the model read nothing
            continue
        asked += 1
        seconds["preparing"].append(spent)
        found = {text: retriever.search(text, 8, question.groups) for text in (partial, question.text)}
        ahead = read(answerings["with"], partial, found[partial])
        wanted = read(answerings["with"], question.text, found[question.text])
        if answerings["with"].kept_tokens:  # whatever stands beside them
            also = {quoted(passage) for passage in found[partial][: len(ahead) + RUNNERS_UP]}
            all_read.append(prepared and {*ahead, *also} >= set(wanted))
        else:
            all_read.append(prepared and ahead == wanted)
        same_answers += said(answers["with"]) == said(answers["without"])
        for name, answer in answers.items():
            first = answer.timings.first_token or math.nan
            seconds[name].append(first)
            seconds[f"{name}, {'all' if all_read[-1] else 'not all'} read ahead"].append(first)
        print(f"{question.id}: {'all' if all_read[-1] else 'not all'} read ahead", file=sys.stderr)

    print("| first token | questions | p50 s | p95 s |\n| --- | --- | --- | --- |")
    for name, values in sorted(seconds.items()):
        print(f"| {name} | {len(values)} | {statistics.median(values):.2f} | {quantile(values, 0.95):.2f} |")
    print(f"\nAll passages read ahead after {arguments.heard:.0%} of the words: {sum(all_read)} of {asked}.")
    print(f"Same answer, to the bit: {same_answers} of {asked}.")


if __name__ == "__main__":
    main()
