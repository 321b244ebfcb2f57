"""Debian's Chromium, with a microphone that plays a recording and a page that remembers what it has played."""

from __future__ import annotations

import base64
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Playwright

from ragvoice.datatypes import AudioChunk
from ragvoice.speech.audio import decode, resample, write_wav

PATIENCE_S = 60
"""The tests share their machine: whatever is waited for may take so long."""
_SILENCE = np.zeros(48_000, np.float32)
_REMEMBER = Path(__file__).with_name("remember_sound.js").read_text(encoding="utf-8")


@contextmanager
def chromium(playwright: Playwright, microphone: Path | None = None) -> Iterator[Browser]:
    """:param microphone: A WAV file that is heard once, from when the page opens the microphone."""
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.fail("These tests need Chromium. Install it: sudo apt-get install chromium", pytrace=False)
    flags = ["--autoplay-policy=no-user-gesture-required", "--disable-dev-shm-usage"]
    if microphone is not None:
        flags += ["--use-fake-device-for-media-stream", f"--use-file-for-fake-audio-capture={microphone}%noloop"]
    browser = playwright.chromium.launch(executable_path=path, args=flags)
    try:
        yield browser
    finally:
        browser.close()


@contextmanager
def new_page(browser: Browser, **options: Any) -> Iterator[Page]:
    """A person of their own: no cookies of others. :param options: Of `Browser.new_context`."""
    context: BrowserContext = browser.new_context(**{"viewport": {"width": 1280, "height": 800}, **options})
    context.set_default_timeout(1000 * PATIENCE_S)
    context.add_init_script(_REMEMBER)
    try:
        yield context.new_page()
    finally:
        context.close()


def microphone_file(recording: Path, folder: Path) -> Path:
    """The recording as Chromium's fake microphone takes it: PCM16 WAV, 48 kHz, with silence before and after."""
    spoken = resample(decode(recording), 48_000).samples_t
    file = folder / f"{recording.stem}.wav"
    write_wav(file, AudioChunk(np.concatenate([_SILENCE, spoken, _SILENCE, _SILENCE]), 48_000))
    return file


def sound_of(page: Page) -> AudioChunk:
    """All that the page has sent to the loudspeaker; a second is left of every longer silence."""
    rate_hz, blocks = page.evaluate("[window.rememberedSound.rate, window.rememberedSound.blocks]")
    if not blocks:
        return AudioChunk(np.zeros(0, np.float32), 16_000)
    pcm = np.concatenate([np.frombuffer(base64.b64decode(block["pcm"]), "<i2") for block in blocks])
    return AudioChunk(pcm.astype(np.float32) / 32768, int(rate_hz))


def heard_until_ms(page: Page) -> float:
    """From the latest key, click or word (`speak_up.js`) to the last sample that was not silent; 0: none since."""
    return float(page.evaluate("window.rememberedSound.sinceLatestPress()"))


def wait_for_sound(page: Page) -> None:
    page.wait_for_function("window.rememberedSound.blocks.length > 3")


def wait_for_silence(page: Page, seconds: float = 1.5) -> None:
    page.wait_for_function("(seconds) => window.rememberedSound.silentFor() > seconds", arg=seconds)
