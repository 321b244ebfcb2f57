"""What a person does on the page Ask, and what they see there."""

from __future__ import annotations

from chromium import PATIENCE_S
from playwright.sync_api import Locator, Page, expect

expect.set_options(timeout=1000 * PATIENCE_S)


def open_ask(page: Page, url: str) -> Locator:
    """:return: The box for questions."""
    page.goto(url)
    box = page.get_by_role("textbox", name="Ask a question")
    expect(box).to_be_visible()
    return box


def ask(page: Page, question: str) -> None:
    """Type and send."""
    box = page.get_by_role("textbox", name="Ask a question")
    box.fill(question)
    box.press("Enter")


def finished_answers(page: Page, count: int) -> list[str]:
    """The texts of the answers, when so many are finished."""
    expect(page.get_by_role("button", name="Edit and ask again")).to_have_count(count)
    return page.locator(".rv-answer").all_inner_texts()


def sources(page: Page) -> Locator:
    return page.get_by_role("group", name="Source")
