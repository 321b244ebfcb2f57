"""When the voice loop takes a question for finished: how often too early, for each pause, without knowing any words.

    python benchmarks/endpointing.py [FOLDER_WITH_MANIFEST ...]

Each recording is followed by two seconds of silence. "Cut" is a recording in which a pause of that length stands within
the speech, so that a loop that heard no words would have answered the first part of it; the loop itself waits longer
where the words look unfinished, and joins what follows before the voice has begun. The `Pause` figures say how often
work is begun that may be in vain.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

from ragvoice.datatypes import AudioChunk
from ragvoice.speech.audio import SAMPLE_RATE_HZ, decode
from ragvoice.voice.detection import SpeechDetector
from ragvoice.voice.endpointing import Endpointer, Pause
from ragvoice.voice.events import SpeechEnded

PAUSES_S = (0.4, 0.5, 0.6, 0.7, 0.8, 1.0, 1.5)


def probabilities(recording: AudioChunk) -> list[float]:
    """As the loop sees them: in frames of 20 ms."""
    sound_t = np.concatenate([recording.samples_t, np.zeros(2 * SAMPLE_RATE_HZ, np.float32)])
    detector = SpeechDetector()
    frames = [AudioChunk(sound_t[i : i + 320], SAMPLE_RATE_HZ) for i in range(0, len(sound_t), 320)]
    return [probability for frame in frames for _, probability in detector.feed(frame)]


def turns(windows: list[float], end_after_s: float) -> tuple[int, int]:
    """(turns that ended, pauses)"""
    endpointer = Endpointer()
    found = [endpointer.step(p, end_after_s=end_after_s) for p in windows]
    return sum(isinstance(e, SpeechEnded) for e in found), sum(isinstance(e, Pause) for e in found)


def main(folders: list[Path]) -> None:
    for folder in folders:
        lines = (folder / "manifest.jsonl").read_text().splitlines()
        files = [folder / line["file"] for line in map(json.loads, lines) if line.get("transcript")]
        by_kind: dict[str, list[list[float]]] = {}
        for file in files:
            kind = file.parent.name
            if kind != "long":
                by_kind.setdefault(kind, []).append(probabilities(decode(file)))
        for kind, recordings in by_kind.items():
            cut = [sum(turns(w, pause_s)[0] > 1 for w in recordings) for pause_s in PAUSES_S]
            pauses = np.mean([turns(w, 1.5)[1] for w in recordings])
            missed = sum(turns(w, 1.5)[0] == 0 for w in recordings)
            shown = "  ".join(f"{s} s: {n}" for s, n in zip(PAUSES_S, cut, strict=True))
            print(f"{kind:20} n={len(recordings):3}  no speech: {missed}  pauses each: {pauses:.1f}  cut at  {shown}")


if __name__ == "__main__":
    main([Path(name) for name in sys.argv[1:]] or [Path("data/recordings")])
