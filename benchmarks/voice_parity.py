"""What a spoken question costs against a typed one, and what of a spoken answer arrives.

    python benchmarks/voice_parity.py data --index INDEX [--limit 40] [--no-answers] [--noise babble]
        [--journal RUN.jsonl] [--json OUT.json]

The set is ingested with `ragvoice ingest` first. Prints Markdown tables.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, fields
from pathlib import Path

from ragvoice.build import build_retriever, build_speech_to_text, build_text_to_speech, build_voicebot, open_index
from ragvoice.evaluation.datasets import read_dataset
from ragvoice.evaluation.voice_parity import VoiceRun, measure
from ragvoice.evaluation.voice_scores import TEXT, Loss, answer_scores, condition_scores, separation
from ragvoice.generation.grounding import content_words
from ragvoice.settings import read_settings


def shown(value: object) -> str:
    if isinstance(value, Loss):
        return f"{value.mean:+.3f} ({value.low:+.3f} to {value.high:+.3f})"
    return "-" if value is None else f"{value:.3f}" if isinstance(value, float) else str(value)


def table(rows: list[object]) -> None:
    names = [field.name for field in fields(rows[0])]  # type: ignore[arg-type]
    print("\n|", " | ".join(name.replace("_", " ") for name in names), "|\n|", " | ".join("---" for _ in names), "|")
    for row in rows:
        print("|", " | ".join(shown(getattr(row, name)) for name in names), "|", flush=True)


parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("dataset", type=Path)
parser.add_argument("--index", type=Path, required=True)
parser.add_argument("--limit", type=int, default=40)
parser.add_argument("--style", choices=("short", "spoken"), default="short")
parser.add_argument("--noise", choices=("babble", "pink", "white"), default="babble")
parser.add_argument("--no-answers", action="store_true", help="recognition and retrieval only")
parser.add_argument("--threads", type=int, default=1)
parser.add_argument("--journal", type=Path)
parser.add_argument("--json", type=Path)
arguments = parser.parse_args()

settings = read_settings(index=arguments.index, threads=arguments.threads)
retriever = build_retriever(settings, open_index(settings))
bot = None if arguments.no_answers else build_voicebot(settings, listens=False, speaks=False, retriever=retriever)
run = VoiceRun(
    lambda query, groups: retriever.search(query, 50, groups),
    build_speech_to_text(settings),
    build_text_to_speech(settings),
    bot,
    arguments.style,
    arguments.noise,
)
models = {
    "embedder": settings.embedder,
    "llm": settings.llm,
    "stt": settings.stt,
    "tts": settings.tts,
    "index": retriever.generation,
}
data = read_dataset(arguments.dataset, arguments.limit)
results = measure(data.questions, run, arguments.journal, models)
heard = [one for result in results for one in result.heard]
spoken = [result.spoken for result in results if result.spoken]

print(f"{data.name}, {len(results)} questions, style {arguments.style}, noise {arguments.noise}, voice {settings.tts}")
scores = condition_scores(heard)
table(list(scores))
report: dict[str, object] = {"conditions": [asdict(row) for row in scores]}
if spoken:
    table([answer_scores(spoken)])
    report["spoken_answers"] = asdict(answer_scores(spoken))

by_text = {one.id: one for one in heard if one.condition == TEXT}
said = [one for one in heard if one.condition != TEXT and one.recogniser_confidence is not None]
confidences = [one.recogniser_confidence or 0.0 for one in said]
separations = {
    "content words changed": separation(
        confidences, [content_words(one.asked) != content_words(one.heard) for one in said]
    ),
    "gold document lost": separation(
        confidences, [one.hit_at_5 is not None and one.hit_at_5 < (by_text[one.id].hit_at_5 or 0.0) for one in said]
    ),
}
for name, found in separations.items():
    print(f"\nconfidence of the recogniser, misheard: {name}", end="")
    table([found])
report["separation"] = {name: asdict(found) for name, found in separations.items()}
if arguments.json:
    report |= {"heard": [asdict(one) for one in heard], "answers": [asdict(one) for one in spoken]}
    arguments.json.write_text(json.dumps(report, indent=1), encoding="utf-8")
