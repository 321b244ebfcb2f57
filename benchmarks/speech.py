"""Speech to text and back: errors of words and of the company's own words, inventions, languages, seconds.

    RAGVOICE_HOME=... python benchmarks/speech.py [--limit 20] [--threads 2] [--only recognition] [--variants told]

Reads RAGVOICE_EVAL_DATA (default ../shared/data), data/recordings and the questions of data/ that hold a word of the
company, said by espeak-ng, and prints Markdown tables. The variants take turns on each recording, so that a busy
machine slows all of them alike: `default`, `told` (the words of the index), `auto` (language detected), `30s` (no
window). WER is taken after Whisper's English normaliser; the words are those mined from the index, told or not.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ragvoice.build import build_speech_to_text, build_store, build_text_to_speech, build_vocabulary, open_index
from ragvoice.datatypes import AudioChunk, Transcription
from ragvoice.evaluation.speech_metrics import Errors, normalise, pooled, vocabulary_errors, word_errors
from ragvoice.settings import Settings, home
from ragvoice.speech.audio import decode
from ragvoice.speech.faster_whisper import FasterWhisperSpeechToText
from ragvoice.speech.speakable import speakable
from ragvoice.speech.system_voice import SystemTextToSpeech

REPOSITORY = Path(__file__).resolve().parents[1]
WORDS = 60
SENTENCES = (
    "You can carry over five days of annual leave until the end of March.",
    "Please send your travel expenses to the finance department within thirty days.",
    "The office is closed on public holidays, but the reception stays open.",
    "Part-time employees are covered as well.",
    "Ask your manager before you book the flight.",
    "Parental leave is paid for the first sixteen weeks.",
    "New laptops are ordered by the IT team every Monday morning.",
    "If you are ill for more than three days, we need a certificate from your doctor.",
    "The canteen opens at noon and closes at two o'clock.",
    "Your password must be changed after one year.",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--limit", type=int, default=1000, help="recordings of each kind")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument(
        "--variants", nargs="+", default=["default", "told"], choices=("default", "told", "auto", "30s")
    )
    parser.add_argument("--index", type=Path, help="of the company whose words count; default: that of `evaluate data`")
    parser.add_argument("--words", type=int, default=WORDS, help="told at most")
    parser.add_argument("--only", choices=("recognition", "voice"), help="one half of the report")
    options = parser.parse_args()
    if options.only != "voice":
        recognition(options)
    if options.only != "recognition":
        voice(options)


@dataclass(frozen=True)
class Clip:
    sound: Callable[[], AudioChunk]
    transcript: str | None
    """Empty when nobody speaks; None when it is not known."""
    keywords: tuple[str, ...] = ()
    language: str = ""


def recognition(options: argparse.Namespace) -> None:
    index = options.index or home() / "evaluation" / "data"
    settings = Settings(index=index, vocabulary_words=options.words, threads=options.threads)
    words = build_vocabulary(settings, open_index(settings))
    whisper = build_store().path(settings.stt)
    make = partial(FasterWhisperSpeechToText, whisper, cpu_threads=options.threads)
    known: dict[str, Callable[[], FasterWhisperSpeechToText]] = {
        "default": make,
        "told": partial(make, vocabulary=words),
        "auto": partial(make, language=None),
        "30s": partial(make, windowed=False),
    }
    variants = {name: known[name]() for name in options.variants}
    pooled_words: dict[str, list[Errors]] = {name: [] for name in variants}
    pooled_own: dict[str, list[Errors]] = {name: [] for name in variants}
    print("| recordings | n | variant | WER | own words wrong | keywords heard | heard nothing | language | s a clip |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for kind, clips in kinds(words(), options.limit):
        heard: dict[str, list[tuple[Clip, Transcription, float]]] = {name: [] for name in variants}
        for clip in clips:
            audio = clip.sound()
            for name, recogniser in variants.items():
                start = time.perf_counter()
                heard[name].append((clip, recogniser.transcribe(audio), time.perf_counter() - start))
        for name, results in heard.items():
            pairs = [(clip.transcript, found.text) for clip, found, _ in results if clip.transcript]
            wrong = [word_errors(said, found) for said, found in pairs]
            own = [vocabulary_errors(said, found, words()) for said, found in pairs]
            pooled_words[name] += wrong
            pooled_own[name] += own
            keywords = [normalise(w) in normalise(found.text) for clip, found, _ in results for w in clip.keywords]
            language = [clip.language == found.language for clip, found, _ in results if clip.language and found.text]
            print(
                f"| {kind} | {len(clips)} | {name} | {shown(wrong)} | {shown(own)}",
                f"{statistics.mean(keywords):.3f}" if keywords else "-",
                sum(not found.text for _, found, _ in results),
                f"{sum(language)}/{len(language)}" if language else "-",
                f"{statistics.mean(seconds for *_, seconds in results):.2f} |",
                sep=" | ",
                flush=True,
            )
    for name in variants:
        print(f"| all | | {name} | {shown(pooled_words[name])} | {shown(pooled_own[name])} | | | | |")


def kinds(words: Sequence[str], limit: int) -> Iterator[tuple[str, list[Clip]]]:
    rows = read(REPOSITORY / "data" / "recordings" / "manifest.jsonl")
    folder = REPOSITORY / "data" / "recordings"
    yield "sample company", [Clip(partial(decode, folder / row["file"]), row["transcript"]) for row in rows[:limit]]
    asked = [row["question"] for row in read(REPOSITORY / "data" / "questions.jsonl")]
    own = [text for text in asked if vocabulary_errors(text, "", words).total]
    said_by = SystemTextToSpeech()
    yield "own words, espeak-ng", [Clip(partial(said_by.synthesise, speakable(text)), text) for text in own[:limit]]
    data = Path(os.environ.get("RAGVOICE_EVAL_DATA", "../shared/data")) / "speech"
    if not (data / "manifest.jsonl").is_file():
        print(f"There are no recordings in {data}, left out; set RAGVOICE_EVAL_DATA.", file=sys.stderr)
        return
    rows = read(data / "manifest.jsonl")
    for kind in ("librispeech_other", "questions", "misc", "ljspeech", "barista", "multilang", "nonspeech"):
        chosen = [row for row in rows if row["file"].startswith(f"{kind}/")][:limit]
        yield (
            kind,
            [
                Clip(
                    partial(decode, data / row["file"]),
                    row["transcript"],
                    tuple(map(str, (row.get("keywords") or {}).values())),
                    row["lang"] or "",
                )
                for row in chosen
            ],
        )


def read(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def shown(errors: list[Errors]) -> str:
    counted = pooled(errors)
    return "-" if counted.rate is None else f"{counted.rate:.3f} ({counted.total})"


def voice(options: argparse.Namespace) -> None:
    settings = Settings(threads=options.threads)
    speaker, recogniser = build_text_to_speech(settings), build_speech_to_text(settings)
    speaker.synthesise(SENTENCES[0])
    start = time.perf_counter()
    chunks = [speaker.synthesise(sentence) for sentence in SENTENCES]
    seconds = time.perf_counter() - start
    wrong = [word_errors(said, recogniser.transcribe(made).text) for said, made in zip(SENTENCES, chunks, strict=True)]
    print("\n| voice | sentences | RTF | s a sentence | WER of what Whisper hears |\n| --- | --- | --- | --- | --- |")
    spoken_s = sum(chunk.duration_s for chunk in chunks)
    print(f"| {settings.tts_name} | {len(chunks)} | {seconds / spoken_s:.3f} | {seconds / len(chunks):.2f}", end="")
    print(f" | {shown(wrong)} |")


if __name__ == "__main__":
    main()
