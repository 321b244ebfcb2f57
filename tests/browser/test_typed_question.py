"""The short one of the browser's tests: the page opens, and a typed question is answered from a document."""

from __future__ import annotations

from playwright.sync_api import Page, expect
from served_page import ServedPage
from typed_questions import ask, finished_answers, open_ask, sources

NOTE_DRAFTS = """() => {
  window.drafts = [];
  new MutationObserver(() => {
    const text = document.querySelector(".rv-draft")?.innerText;
    if (text && text !== window.drafts.at(-1)) window.drafts.push(text);
  }).observe(document.body, { childList: true, subtree: true, characterData: true });
}"""


def test_a_typed_question_is_answered_with_its_source(page: Page, served: ServedPage):
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))

    open_ask(page, served.url)
    page.evaluate(NOTE_DRAFTS)
    ask(page, "From which day do I need a doctor's note in England?")

    [answer] = finished_answers(page, 1)
    assert "eighth day" in answer
    expect(sources(page).first).to_contain_text("employee-handbook.pdf")
    expect(sources(page).first.locator("mark")).to_contain_text("eighth day")
    drafts = page.evaluate("window.drafts")
    # How many are seen depends on how quickly the model writes.
    assert all(draft.strip()[:20] in answer for draft in drafts)
    assert page.locator(".rv-draft").count() == 0
    assert errors == []
