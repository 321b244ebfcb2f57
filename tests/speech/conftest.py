"""The real small models, from the store that the product uses. A missing model fails the test: a skip would hide it."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import platformdirs
import pytest

from ragvoice.datatypes import AudioChunk
from ragvoice.errors import ModelError
from ragvoice.models import ModelStore
from ragvoice.speech.faster_whisper import FasterWhisperSpeechToText
from ragvoice.speech.piper import PiperTextToSpeech


@pytest.fixture(scope="session")
def store() -> ModelStore:
    return ModelStore.open(Path(os.environ.get("RAGVOICE_HOME") or platformdirs.user_data_path("ragvoice")))


def installed(store: ModelStore, name: str) -> Path:
    try:
        return store.path(name)
    except ModelError as error:
        pytest.fail(f"This test runs on the real model {name}. {error} (RAGVOICE_HOME says where)", pytrace=False)


@pytest.fixture(scope="session")
def whisper_folder(store: ModelStore) -> Path:
    return installed(store, "whisper-base")


@pytest.fixture(scope="session")
def voice_folder(store: ModelStore) -> Path:
    return installed(store, "piper-en-us-joe-medium")


@pytest.fixture(scope="session")
def recogniser(whisper_folder: Path) -> FasterWhisperSpeechToText:
    return FasterWhisperSpeechToText(whisper_folder, cpu_threads=2)


@pytest.fixture(scope="session")
def voice(voice_folder: Path) -> PiperTextToSpeech:
    return PiperTextToSpeech(voice_folder, threads=2)


@pytest.fixture(scope="session")
def question(voice: PiperTextToSpeech) -> AudioChunk:
    """About 2.5 s, at the voice's rate."""
    return voice.synthesise("How many days of annual leave do I get?")


@pytest.fixture
def tone() -> AudioChunk:
    """One second of 440 Hz at 16 kHz, peak 0.5."""
    times_t = np.arange(16_000, dtype=np.float32) / 16_000
    return AudioChunk((0.5 * np.sin(2 * np.pi * 440 * times_t)).astype(np.float32), 16_000)
