"""A microphone that plays recorded questions, and the sound that the page makes."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import numpy as np
import pytest
from chromium import (
    chromium,
    heard_until_ms,
    microphone_file,
    new_page,
    sound_of,
    wait_for_silence,
    wait_for_sound,
)
from playwright.sync_api import Page, Playwright, expect
from served_page import ROOT, ServedPage
from typed_questions import ask, finished_answers, open_ask, sources

from ragvoice.datatypes import AudioChunk
from ragvoice.settings import Settings
from ragvoice.speech.audio import decode, wav_bytes

pytestmark = pytest.mark.slow

RECORDINGS = ROOT / "data" / "recordings"
DOCTORS_NOTE = RECORDINGS / "tf-011-kal.flac"
PASSWORD = RECORDINGS / "tf-074-slt.flac"
SPEAK_UP = Path(__file__).with_name("speak_up.js")
SILENT_WITHIN_MS = {"Escape": 1000, "button": 1000, "voice": 3000}
"""Far more than docs/voice.md measures: the tests may share their machine. A voice is recognised as one first."""

Listening = Callable[..., AbstractContextManager[Page]]


@pytest.fixture
def listening(playwright: Playwright, served: ServedPage, tmp_path: Path) -> Listening:
    """Opens the page Ask in a browser whose microphone plays a recording."""

    @contextmanager
    def opened(recording: Path, allowed: bool = True) -> Iterator[Page]:
        file = microphone_file(recording, tmp_path)
        permissions = ["microphone"] if allowed else []
        with chromium(playwright, file) as browser, new_page(browser, permissions=permissions) as page:
            page.add_init_script(path=SPEAK_UP)
            open_ask(page, served.url)
            yield page

    return opened


def start_talking(page: Page) -> None:
    page.get_by_role("button", name="Start talking").click()


def without_silence(recording: Path) -> bytes:
    """A WAV file that begins with the voice."""
    audio = decode(recording)
    voiced = np.flatnonzero(np.abs(audio.samples_t) > 0.02)
    return wav_bytes(AudioChunk(audio.samples_t[voiced[0] :], audio.sample_rate_hz))


def words(text: str) -> list[str]:
    from whisper_normalizer.english import EnglishTextNormalizer

    return str(EnglishTextNormalizer()(text)).split()


def share_heard(written: str, heard: str) -> float:
    """Of the written words, those that are heard in the same order."""
    import jiwer

    aligned = jiwer.process_words(" ".join(words(written)), " ".join(words(heard)))
    return float(aligned.hits / len(words(written)))


def test_share_heard():
    assert share_heard("From the eighth day.", "Well from the 8th day on") == 1.0
    assert share_heard("one house two cats", "one house two dogs") == 0.75


def test_a_spoken_question_is_transcribed_answered_and_heard(listening: Listening, settings: Settings):
    from ragvoice.build import build_speech_to_text

    with listening(DOCTORS_NOTE) as page:
        start_talking(page)

        voice = page.get_by_role("region", name="Ask aloud")
        partial = voice.locator(".question")
        expect(partial).to_contain_text("doctor")  # while it is heard or looked up
        [answer] = finished_answers(page, 1)
        question = page.locator(".rv-question").inner_text()
        wait_for_sound(page)
        wait_for_silence(page)
        heard = build_speech_to_text(settings).transcribe(sound_of(page)).text

        assert words(question.removeprefix("heard")) == words("From which day do I need a doctor's note in England?")
        assert "eighth day" in answer
        expect(sources(page).first.locator("mark")).to_contain_text("eighth day")
        assert share_heard(answer, heard) >= 0.8, (answer, heard)


@pytest.mark.parametrize("means", ["Escape", "button", "voice"])
def test_an_interruption_silences_the_answer(listening: Listening, means: str, capsys: pytest.CaptureFixture[str]):
    with listening(DOCTORS_NOTE) as page:
        start_talking(page)
        wait_for_sound(page)

        match means:
            case "Escape":
                page.keyboard.press("Escape")
            case "button":
                page.get_by_role("button", name="Stop the answer").click()
            case "voice":
                page.evaluate("(sound) => window.speakUp(sound)", base64.b64encode(without_silence(PASSWORD)).decode())
        wait_for_silence(page)

        until_ms = heard_until_ms(page)
        with capsys.disabled():
            print(f"\n{means}: silent after {until_ms:.0f} ms, {sound_of(page).duration_s:.1f} s of sound")
        assert until_ms < SILENT_WITHIN_MS[means]
        if means == "voice":
            expect(page.locator(".rv-question").last).to_contain_text("password")
        else:
            assert sound_of(page).duration_s < 3  # the whole answer is longer
            expect(page.get_by_role("button", name="Stop listening")).to_be_visible()


def test_the_page_shows_what_was_heard_of_an_answer_that_was_stopped(listening: Listening):
    with listening(DOCTORS_NOTE) as page:
        start_talking(page)
        wait_for_sound(page)
        page.wait_for_timeout(1_000)
        page.keyboard.press("Escape")

        expect(page.get_by_text("Stopped").first).to_be_visible()
        shown = page.locator(".rv-answer").last.inner_text()
        assert 0 < len(shown.split()) < 6, shown
        assert "doctor" not in shown, "From the eighth day we need a fit note from a doctor."


def test_a_typed_question_follows_up_on_a_spoken_one(listening: Listening):
    with listening(DOCTORS_NOTE) as page:
        start_talking(page)
        finished_answers(page, 1)

        ask(page, "And in Poland?")

        answers = finished_answers(page, 2)
        assert "eighth day" in answers[0]
        assert "sick note" in answers[1]  # the question alone says nothing of illness


def test_a_blocked_microphone_is_explained(listening: Listening):
    with listening(DOCTORS_NOTE, allowed=False) as page:
        start_talking(page)

        expect(page.get_by_role("alert").filter(has_text="The microphone is blocked")).to_be_visible()
        expect(page.get_by_role("textbox", name="Ask a question")).to_be_enabled()


def test_a_missing_microphone_is_explained(page: Page, served: ServedPage):
    open_ask(page, served.url)
    start_talking(page)

    expect(page.get_by_role("alert").filter(has_text="No microphone was found")).to_be_visible()


def test_a_recording_is_uploaded_and_answered(page: Page, served: ServedPage):
    open_ask(page, served.url)
    page.get_by_test_id("stChatInput").locator("input[type=file]").set_input_files(PASSWORD)
    page.get_by_test_id("stChatInputSubmitButton").click()

    [answer] = finished_answers(page, 1)
    assert "password" in page.locator(".rv-question").inner_text()
    assert words(answer)
    wait_for_sound(page)
