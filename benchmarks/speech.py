"""Speech to text and back on recordings of people: errors, inventions, languages, seconds.

    RAGVOICE_HOME=... python benchmarks/speech.py [--limit 20] [--threads 2]

Reads RAGVOICE_EVAL_DATA (default ../shared/data) and prints Markdown tables. The variants take turns on each
recording, so that a busy machine slows all of them alike. WER is taken after Whisper's English normaliser.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from pathlib import Path

import jiwer
import platformdirs
from whisper_normalizer.english import EnglishTextNormalizer

from ragvoice.models import ModelStore
from ragvoice.speech.audio import decode
from ragvoice.speech.faster_whisper import FasterWhisperSpeechToText
from ragvoice.speech.piper import PiperTextToSpeech

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

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--limit", type=int, default=1000, help="recordings of each kind")
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--only", choices=("recognition", "voice"), help="one half of the report")
arguments = parser.parse_args()

data = Path(os.environ.get("RAGVOICE_EVAL_DATA", "../shared/data")) / "speech"
if not (data / "manifest.jsonl").is_file():
    sys.exit(f"There are no recordings in {data}; set RAGVOICE_EVAL_DATA.")
store = ModelStore.open(Path(os.environ.get("RAGVOICE_HOME") or platformdirs.user_data_path("ragvoice")))
whisper = store.path("whisper-base")
normalise = EnglishTextNormalizer()
rows = [json.loads(line) for line in (data / "manifest.jsonl").read_text(encoding="utf-8").splitlines()]

variants = {
    "en, window": FasterWhisperSpeechToText(whisper, cpu_threads=arguments.threads),
    "en, 30 s": FasterWhisperSpeechToText(whisper, cpu_threads=arguments.threads, windowed=False),
    "auto, window": FasterWhisperSpeechToText(whisper, language=None, cpu_threads=arguments.threads),
}

if arguments.only != "voice":
    print("| recordings | n | variant | WER | keywords heard | nothing heard | language right | s a clip |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for kind in ("librispeech_other", "questions", "misc", "ljspeech", "barista", "multilang", "nonspeech"):
        chosen = [row for row in rows if row["file"].startswith(f"{kind}/")][: arguments.limit]
        heard: dict[str, list[tuple[dict[str, object], str, str, float]]] = {name: [] for name in variants}
        for row in chosen:
            audio = decode(data / row["file"])
            for name, recogniser in variants.items():
                start = time.perf_counter()
                found = recogniser.transcribe(audio)
                heard[name].append((row, found.text, found.language, time.perf_counter() - start))
        for name, results in heard.items():
            pairs = [
                (normalise(row["transcript"]), normalise(text)) for row, text, _, _ in results if row["transcript"]
            ]
            keywords = [
                normalise(str(word)) in normalise(text)
                for row, text, _, _ in results
                for word in (row.get("keywords") or {}).values()
            ]
            languages = [row["lang"] == language for row, text, language, _ in results if row["lang"] and text]
            print(
                f"| {kind} | {len(chosen)} | {name}",
                f"{jiwer.wer([gold for gold, _ in pairs], [text for _, text in pairs]):.3f}" if pairs else "-",
                f"{statistics.mean(keywords):.3f}" if keywords else "-",
                sum(not text for _, text, _, _ in results),
                f"{sum(languages)}/{len(languages)}" if languages else "-",
                f"{statistics.mean(seconds for *_, seconds in results):.2f} |",
                sep=" | ",
                flush=True,
            )

if arguments.only != "recognition":
    voice = PiperTextToSpeech(store.path("piper-en-us-joe-medium"), threads=arguments.threads)
    voice.synthesise(SENTENCES[0])
    start = time.perf_counter()
    chunks = [voice.synthesise(sentence) for sentence in SENTENCES]
    seconds = time.perf_counter() - start
    texts = [normalise(variants["en, window"].transcribe(chunk).text) for chunk in chunks]
    error_rate = jiwer.wer([normalise(sentence) for sentence in SENTENCES], texts)
    print("\n| voice | sentences | RTF | s a sentence | WER of what Whisper hears |\n| --- | --- | --- | --- | --- |")
    spoken_s = sum(chunk.duration_s for chunk in chunks)
    print(
        f"| piper | {len(chunks)} | {seconds / spoken_s:.3f} | {seconds / len(chunks):.2f} | {error_rate:.3f} |",
        flush=True,
    )
