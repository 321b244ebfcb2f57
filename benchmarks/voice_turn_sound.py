"""Recorded questions as a microphone hands them over: what is said, when it ends, and the room around it.

Array legend: `t` samples.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ragvoice.datatypes import AudioChunk
from ragvoice.evaluation.noise import add_noise, pink
from ragvoice.speech.audio import SAMPLE_RATE_HZ, decode
from ragvoice.speech.vad import VadOptions, spans_of, speech_probabilities

FRAME_S = 0.02
BEFORE_S = 0.5
AFTER_S = 40.0
"""The microphone stays open while the answer is awaited."""
AUDIBLE = 0.01
"""Share of a chunk's peak, 40 dB below it, from which on something is heard."""


@dataclass(frozen=True)
class Spoken:
    name: str
    room: str
    """`clean`, `10 dB` of the speech over the noise, or `people` for human recordings."""
    sound: AudioChunk
    """Half a second of the room, the question, and the room again; 16 kHz."""
    begins_s: float
    ends_s: float
    """Of the speech within `sound`, by the detector on the clean recording."""

    def until(self, seconds: float) -> AudioChunk:
        return AudioChunk(self.sound.samples_t[: int(seconds * SAMPLE_RATE_HZ)], SAMPLE_RATE_HZ)

    def since(self, seconds: float) -> AudioChunk:
        return AudioChunk(self.sound.samples_t[int(seconds * SAMPLE_RATE_HZ) :], SAMPLE_RATE_HZ)


def spoken(file: Path, room: str = "clean", snr_db: float | None = None, seed: int = 0) -> Spoken | None:
    """:param snr_db: of pink noise; None adds none. :return: None where the detector hears nobody."""
    recording = decode(file)
    spans = spans_of(speech_probabilities(recording), VadOptions(padding_ms=0), recording.duration_s)
    if not spans:
        return None
    before_t, after_t = (np.zeros(int(s * SAMPLE_RATE_HZ), np.float32) for s in (BEFORE_S, AFTER_S))
    sound = AudioChunk(np.concatenate([before_t, recording.samples_t, after_t]), SAMPLE_RATE_HZ)
    if snr_db is not None:
        sound = add_noise(sound, pink(len(sound.samples_t), seed), snr_db)
    return Spoken(file.name, room, sound, BEFORE_S + spans[0][0], BEFORE_S + spans[-1][1])


def sample_company(folder: Path, snrs_db: Sequence[float], limit: int | None) -> list[Spoken]:
    """Each recorded question in a quiet room and in noise, one after the other."""
    rooms: list[tuple[str, float | None]] = [("clean", None), *((f"{snr_db:g} dB", snr_db) for snr_db in snrs_db)]
    lines = (folder / "manifest.jsonl").read_text(encoding="utf-8").splitlines()[:limit]
    found = [
        spoken(folder / json.loads(line)["file"], room, snr_db, seed=number)
        for number, line in enumerate(lines)
        for room, snr_db in rooms
    ]
    return [one for one in found if one is not None]


def people(folder: Path, limit: int | None) -> list[Spoken]:
    """Questions that people recorded; nothing if the folder is not there."""
    found = [spoken(file, "people") for file in sorted(folder.glob("*.wav"))[:limit]]
    return [one for one in found if one is not None]


def leading_silence_s(audio: AudioChunk) -> float | None:
    """Seconds until something is heard; None when nothing ever is."""
    loud_t: NDArray[np.float32] = np.abs(audio.samples_t)
    audible = np.flatnonzero(loud_t > max(1e-4, AUDIBLE * float(loud_t.max(initial=0.0))))
    return int(audible[0]) / audio.sample_rate_hz if len(audible) else None


class Microphone:
    """Hands sound over in real time, frame by frame, each when its last sample was spoken, from a thread of its own."""

    def __init__(self, hear: Callable[[AudioChunk], object], sound: AudioChunk):
        self._hear = hear
        self._sound = sound
        self._stopped = threading.Event()
        self.began_at = time.perf_counter()
        self._thread = threading.Thread(target=self._run, name="microphone", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        size = int(FRAME_S * self._sound.sample_rate_hz)
        for start in range(0, len(self._sound.samples_t), size):
            spoken_at = self.began_at + (start + size) / self._sound.sample_rate_hz
            if self._stopped.wait(max(0.0, spoken_at - time.perf_counter())):
                return
            self._hear(AudioChunk(self._sound.samples_t[start : start + size], self._sound.sample_rate_hz))
