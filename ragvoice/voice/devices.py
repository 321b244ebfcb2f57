"""Microphone and loudspeaker, or files in place of both.

Array legend: `t` samples.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ragvoice.datatypes import AudioChunk
from ragvoice.errors import AudioError
from ragvoice.speech.audio import SAMPLE_RATE_HZ, decode, resample
from ragvoice.voice.loop import VoiceLoop

FRAME_S = 0.02
_GIVE_UP_S = 5.0
"""Silence after which a recording without speech is a turn without words."""
_AHEAD_S = 5.0
"""Sound that may wait in the loop when files are given faster than they are spoken."""


class Player:
    """Sound on its way to a loudspeaker, which pulls it; from any thread.

    :param sample_rate_hz: of the loudspeaker.
    """

    def __init__(self, sample_rate_hz: int):
        self.sample_rate_hz = sample_rate_hz
        self._lock = threading.Lock()
        self._waiting_t = np.zeros(0, np.float32)
        self._played = 0
        self._paused = False

    @property
    def position_s(self) -> float:
        """Of the current answer, what has been pulled."""
        return self._played / self.sample_rate_hz

    @property
    def waiting_s(self) -> float:
        return len(self._waiting_t) / self.sample_rate_hz

    def begin(self) -> None:
        """Another answer: what is left of the last one is dropped."""
        with self._lock:
            self._waiting_t, self._played, self._paused = self._waiting_t[:0], 0, False

    def add(self, audio: AudioChunk) -> None:
        samples_t = resample(audio, self.sample_rate_hz).samples_t
        with self._lock:
            self._waiting_t = np.concatenate([self._waiting_t, samples_t])

    def clear(self) -> None:
        """Silence, at the next pull."""
        with self._lock:
            self._waiting_t, self._paused = self._waiting_t[:0], False

    def pause(self) -> None:
        """Silence, at the next pull, until `resume`."""
        self._paused = True

    def resume(self) -> None:
        self._paused = False

    def pull(self, count: int) -> NDArray[np.float32]:
        """At most so many samples: fewer when there are no more, none while paused."""
        with self._lock:
            count = 0 if self._paused else count
            samples_t, self._waiting_t = self._waiting_t[:count], self._waiting_t[count:]
            self._played += len(samples_t)
        return samples_t


@contextmanager
def microphone_and_loudspeaker(hear: Callable[[AudioChunk], object], player: Player) -> Iterator[None]:
    """The default devices of this machine, while the block runs.

    :raises AudioError: sounddevice or PortAudio is not installed, or there is no such device.
    """
    try:
        import sounddevice
    except (ImportError, OSError) as error:
        raise AudioError(
            "A microphone needs sounddevice and PortAudio. Install: pip install 'ragvoice[talk]', and on Linux "
            "apt-get install libportaudio2. Or talk through files: --input question.wav --output answer.wav"
        ) from error

    def heard(samples: NDArray[np.float32], frames: int, when: object, status: object) -> None:
        with suppress(AudioError):  # too much of it waits already; an exception would close the microphone
            hear(AudioChunk(samples[:, 0].copy(), SAMPLE_RATE_HZ))

    def wanted(samples: NDArray[np.float32], frames: int, when: object, status: object) -> None:
        samples_t = player.pull(frames)
        samples[: len(samples_t), 0] = samples_t
        samples[len(samples_t) :, 0] = 0.0

    shape = {"channels": 1, "dtype": "float32", "latency": "low"}
    try:
        with (
            sounddevice.InputStream(SAMPLE_RATE_HZ, int(FRAME_S * SAMPLE_RATE_HZ), callback=heard, **shape),
            sounddevice.OutputStream(player.sample_rate_hz, callback=wanted, **shape),
        ):
            yield
    except (sounddevice.PortAudioError, ValueError) as error:
        raise AudioError(
            f"The microphone or the loudspeaker cannot be used: {error}. Plug one in, or talk through files: "
            "--input question.wav --output answer.wav"
        ) from error


def play_files(
    loop: VoiceLoop,
    files: Sequence[Path],
    player: Player,
    answered: threading.Event,
    *,
    fast: bool,
) -> AudioChunk:
    """Each recording in turn, followed by silence until its answer is over; gives what the loudspeaker played.

    :param answered: set by whoever reads the events when a turn is over; cleared here.
    :param fast: give the sound as fast as it is taken, and play nothing in real time.
    :raises AudioError: a file cannot be read.
    """
    silence = AudioChunk(np.zeros(int(FRAME_S * SAMPLE_RATE_HZ), np.float32), SAMPLE_RATE_HZ)
    played: list[NDArray[np.float32]] = []
    next_at = time.monotonic()

    def give(frame: AudioChunk) -> None:
        nonlocal next_at
        waiting_s = loop.hear(frame)
        if fast:
            # Silence is given in real time, or the pause would be over before the words are known.
            time.sleep(FRAME_S if frame is silence or waiting_s > _AHEAD_S else 0)
            return
        played.append(player.pull(int(FRAME_S * player.sample_rate_hz)))
        next_at += FRAME_S
        time.sleep(max(0.0, next_at - time.monotonic()))

    for recording in [decode(file) for file in files]:
        answered.clear()
        for start in range(0, len(recording.samples_t), len(silence.samples_t)):
            give(AudioChunk(recording.samples_t[start : start + len(silence.samples_t)], SAMPLE_RATE_HZ))
        silent_s = 0.0
        while not answered.is_set() or (player.waiting_s and not fast):
            give(silence)
            silent_s += FRAME_S
            if abs(silent_s - _GIVE_UP_S) < FRAME_S / 2:
                loop.commit()  # nobody spoke in this recording
        if fast:
            played.append(player.pull(int(player.waiting_s * player.sample_rate_hz) + 1))
    return AudioChunk(np.concatenate([np.zeros(0, np.float32), *played]), player.sample_rate_hz)
