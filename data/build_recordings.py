"""Build the spoken questions of the sample company with speech synthesisers.

Run it from the top of the repository:

    python data/build_recordings.py

It needs the program "flite" (Debian package of the same name) and the Python packages
soundfile and soxr. It reads data/questions.jsonl and writes 16 kHz mono
16-bit FLAC files and manifest.jsonl to data/recordings. The voices are synthetic.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import soundfile
import soxr

DATA = Path(__file__).resolve().parent
QUESTIONS = DATA / "questions.jsonl"
RECORDINGS = DATA / "recordings"
RATE = 16_000
PAUSE_S = 0.25  # silence before and after the question
PEAK = 0.6


class Voice(NamedTuple):
    """A voice of the synthesiser, and how it is bent."""

    name: str
    flite: str
    pitch_hz: int | None = None
    stretch: float = 1.0


VOICES = (
    Voice("slt", "slt"),
    Voice("awb", "awb"),
    Voice("rms", "rms"),
    Voice("kal", "kal16"),
    Voice("rms-slow-high", "rms", pitch_hz=125, stretch=1.15),
)
"""A woman and three men; the last is one of them slower and higher."""

# The voices take turns in this order.
QUESTION_IDS = (
    *("tf-003", "tf-006", "tf-007", "tf-011", "tf-015", "tf-018", "tf-020", "tf-022", "tf-027", "tf-029"),  # PDF
    *("tf-033", "tf-036", "tf-037", "tf-049", "tf-054", "tf-056", "tf-059", "tf-061", "tf-062", "tf-068"),  # PDF, DOCX
    *("tf-074", "tf-078", "tf-080", "tf-083", "tf-085", "tf-086", "tf-090", "tf-091", "tf-092", "tf-093"),  # Markdown
    *("tf-094", "tf-106", "tf-107", "tf-108", "tf-111", "tf-113", "tf-114", "tf-115"),  # Markdown, HTML
    *("tf-191", "tf-193", "tf-204"),  # no answer in the documents
)


def speak(voice: Voice, text: str, target: Path) -> None:
    """Let the synthesiser write a WAV file."""
    command = ["flite", "-voice", voice.flite, "--setf", f"duration_stretch={voice.stretch}"]
    if voice.pitch_hz is not None:
        command += ["--setf", f"int_f0_target_mean={voice.pitch_hz}"]
    command += ["-t", text, "-o", str(target)]
    subprocess.run(command, check=True, capture_output=True)


def load_mono(path: Path) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Read a WAV file as mono at 16 kHz, with an even level and a short pause at both ends."""
    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    mono = soxr.resample(samples.mean(axis=1), rate, RATE)
    mono = mono * (PEAK / max(float(np.abs(mono).max()), 1e-6))
    loud = np.flatnonzero(np.abs(mono) > 0.01)
    pause = np.zeros(int(PAUSE_S * RATE), dtype=np.float32)
    return np.concatenate([pause, mono[loud[0] : loud[-1] + 1], pause]).astype(np.float32)


def main() -> None:
    """Build every recording and the manifest."""
    lines = QUESTIONS.read_text(encoding="utf-8").splitlines()
    questions = {entry["id"]: entry["question"] for entry in map(json.loads, lines)}
    RECORDINGS.mkdir(parents=True, exist_ok=True)
    for old in RECORDINGS.glob("*.flac"):
        old.unlink()
    manifest: list[str] = []
    for number, question_id in enumerate(QUESTION_IDS):
        voice = VOICES[number % len(VOICES)]
        text = questions[question_id]
        with tempfile.TemporaryDirectory() as folder:
            speak(voice, text, Path(folder) / "speech.wav")
            samples = load_mono(Path(folder) / "speech.wav")
        name = f"{question_id}-{voice.name}.flac"
        soundfile.write(RECORDINGS / name, samples, RATE, format="FLAC", subtype="PCM_16")
        entry = {
            "file": name,
            "question_id": question_id,
            "transcript": text,
            "voice": voice.name,
            "engine": "flite",
            "synthetic": True,
            "duration_s": round(len(samples) / RATE, 2),
        }
        manifest.append(json.dumps(entry, ensure_ascii=False))
        print(entry["duration_s"], name)
    (RECORDINGS / "manifest.jsonl").write_text("\n".join(manifest) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
