"""For everybody: by keyboard alone, on a phone, in the dark, and what an error looks like."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from chromium import new_page
from playwright.sync_api import Browser, Locator, Page, expect
from served_page import ServedPage
from typed_questions import ask, finished_answers, open_ask, sources

pytestmark = pytest.mark.slow

QUESTION = "From which day do I need a doctor's note in England?"
PHONE = {"width": 390, "height": 844}
_CONTRAST = (Path(__file__).with_name("contrast.js")).read_text(encoding="utf-8")


def focus_by_keyboard(page: Page, selector: str, key: str = "Tab", most: int = 60) -> None:
    """Until the focused element is of the selector."""
    for _ in range(most):
        page.keyboard.press(key)
        if page.evaluate("(selector) => document.activeElement.matches(selector)", selector):
            return
    raise AssertionError(f"{most} times {key} did not lead to {selector}")


def settled_contrast(text: Locator) -> tuple[float, float]:
    """See contrast.js; while Streamlit draws the page anew it fades what it has not reached yet."""
    before, now = None, text.evaluate(_CONTRAST)
    while before != now:
        text.page.wait_for_timeout(1500)
        before, now = now, text.evaluate(_CONTRAST)
    return now[0], now[1]


def test_by_keyboard_alone(page: Page, served: ServedPage):
    open_ask(page, served.url)

    focus_by_keyboard(page, "textarea")
    page.keyboard.type(QUESTION)
    page.keyboard.press("Enter")
    finished_answers(page, 1)
    focus_by_keyboard(page, "[class*=st-key-open] button", "Shift+Tab")
    page.keyboard.press("Enter")

    document = page.get_by_role("dialog")
    expect(document.locator("mark")).to_contain_text("eighth day")
    page.keyboard.press("Escape")
    expect(document).to_have_count(0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_in_light_and_dark(browser: Browser, served: ServedPage, scheme: str):
    with new_page(browser, viewport=PHONE, color_scheme=scheme, has_touch=True) as page:
        open_ask(page, served.url)
        ask(page, QUESTION)
        finished_answers(page, 1)

        source = sources(page).first
        source.scroll_into_view_if_needed()
        expect(source).to_be_in_viewport()
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        for part in (".rv-question", ".rv-answer", ".rv-where", "mark", ".voice .state"):
            ratio, background = settled_contrast(page.locator(part).first)
            assert ratio >= 4.5, part  # WCAG 2.2, 1.4.3
            assert (background < 0.2) == (scheme == "dark"), part


def test_what_is_not_in_the_documents_looks_different(page: Page, served: ServedPage):
    open_ask(page, served.url)
    ask(page, "What's the capital of Australia?")

    finished_answers(page, 1)
    expect(page.get_by_text(re.compile("Not in the documents$")).first).to_be_visible()
    expect(page.locator(".rv-missing")).to_be_visible()
    expect(page.get_by_role("heading", name="Sources")).to_have_count(0)


def test_a_file_that_is_no_recording(page: Page, served: ServedPage, tmp_path: Path):
    file = tmp_path / "holiday.wav"
    file.write_text("not a sound")
    open_ask(page, served.url)
    page.get_by_test_id("stChatInput").locator("input[type=file]").set_input_files(file)
    page.get_by_test_id("stChatInputSubmitButton").click()

    expect(page.get_by_role("alert").filter(has_text="This recording cannot be read")).to_be_visible()
    ask(page, QUESTION)
    expect(page.locator(".rv-answer")).to_contain_text("eighth day")
