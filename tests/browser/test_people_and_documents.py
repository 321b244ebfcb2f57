"""Several people, of whom some may do more and some may read more."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from chromium import new_page
from playwright.sync_api import Browser, Page, expect
from served_page import PASSWORD, ServedPage, served_page
from typed_questions import ask, finished_answers, sources

from ragvoice.people.person import Person

pytestmark = pytest.mark.slow

OWNER_PAGES = ("Documents", "Quality", "Fine-tuning", "Settings", "People")
QUESTION = "What is the code of the bicycle cellar?"
NOTICE = """# Bicycle cellar

## Code of the door

The code of the bicycle cellar is 4713. It is changed every spring.
"""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, model_home: Path, sample_index: Path) -> Iterator[ServedPage]:
    """With accounts, and an index that the tests may change."""
    folder = tmp_path_factory.mktemp("people")
    index = shutil.copytree(sample_index, folder / "index")
    people = (
        Person("ada", "admin"),
        Person("olga", "owner"),
        Person("cyril", "asker", ("cyclists",)),
        Person("walter", "asker"),
    )
    with served_page(folder / "home", model_home / "models", index, people) as page:
        yield page


def sign_in(page: Page, url: str, name: str, password: str = PASSWORD) -> None:
    page.goto(url)
    page.get_by_role("textbox", name="Name").fill(name)
    page.get_by_role("textbox", name="Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


def test_a_wrong_password_lets_nobody_in(page: Page, served: ServedPage):
    sign_in(page, served.url, "walter", "a long enough guess")

    expect(page.get_by_role("alert")).to_contain_text("do not belong together")
    expect(page.get_by_role("textbox", name="Ask a question")).to_have_count(0)
    expect(page.get_by_role("link", name="Documents")).to_have_count(0)


def test_who_only_asks_sees_no_other_page_and_gets_none_by_its_address(page: Page, served: ServedPage):
    with page.expect_response(lambda response: response.url.endswith("/v1/sign-in")):
        sign_in(page, served.url, "walter")
    expect(page.get_by_role("textbox", name="Ask a question")).to_be_visible()
    expect(page.get_by_text("Signed in as walter")).to_be_visible()
    for name in OWNER_PAGES:
        expect(page.get_by_role("link", name=name, exact=True)).to_have_count(0)

    for path, title in (("documents", "Documents"), ("people_page", "People")):
        page.goto(served.at(path))
        expect(page.get_by_role("textbox", name="Ask a question")).to_be_visible()
        expect(page.get_by_role("heading", name=title, exact=True)).to_have_count(0)


def test_who_signs_out_in_one_tab_talks_no_further_in_another(page: Page, served: ServedPage):
    with page.expect_response(lambda response: response.url.endswith("/v1/sign-in")):
        sign_in(page, served.url, "walter")
    with page.context.expect_page() as opened:
        page.evaluate("(url) => void window.open(url)", served.url)
    other = opened.value
    expect(other.get_by_text("Signed in as walter")).to_be_visible()
    other.wait_for_function("() => [...(globalThis.ragvoiceTalks?.values() ?? [])].some((talk) => talk.ready)")

    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("textbox", name="Password")).to_be_visible()
    expect(other.get_by_role("textbox", name="Password")).to_have_count(0)  # nothing has been asked of the server yet
    other.evaluate("() => globalThis.ragvoiceTalks.values().next().value.send({ type: 'response.cancel' })")
    expect(other.get_by_role("textbox", name="Password")).to_be_visible(timeout=20_000)


def test_an_admin_sees_all_pages_and_signs_out(page: Page, served: ServedPage):
    with page.expect_response(lambda response: response.url.endswith("/v1/sign-in")) as kept:
        sign_in(page, served.url, "ada")
    assert kept.value.status == 204
    for name in OWNER_PAGES:
        expect(page.get_by_role("link", name=name, exact=True)).to_be_visible()

    page.reload()
    expect(page.get_by_text("Signed in as ada")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()

    expect(page.get_by_role("textbox", name="Password")).to_be_visible()
    page.reload()
    expect(page.get_by_role("textbox", name="Password")).to_be_visible()
    expect(page.get_by_role("link", name="Documents")).to_have_count(0)


def test_a_document_uploaded_for_a_group_answers_its_members_alone(
    browser: Browser, page: Page, served: ServedPage, tmp_path: Path
):
    file = tmp_path / "bicycle-cellar.md"
    file.write_text(NOTICE, encoding="utf-8")

    sign_in(page, served.at("documents"), "olga")
    page.get_by_role("tab", name="Add").click()
    page.get_by_test_id("stFileUploader").locator("input[type=file]").set_input_files(file)
    groups = page.get_by_role("combobox", name="Who may read them")
    groups.fill("cyclists")
    groups.press("Enter")
    groups.press("Escape")  # the list of groups
    page.get_by_role("button", name="Upload and ingest").click()
    expect(page.get_by_text("Last complete ingest: 1 added")).to_be_visible(timeout=120_000)

    with new_page(browser) as member:
        sign_in(member, served.url, "cyril")
        ask(member, QUESTION)
        [answer] = finished_answers(member, 1)
        assert "4713" in answer
        expect(sources(member).first).to_contain_text("bicycle-cellar")
    with new_page(browser) as other:
        sign_in(other, served.url, "walter")
        ask(other, QUESTION)
        finished_answers(other, 1)
        shown = other.locator("body").inner_text()
        assert "4713" not in shown
        assert "bicycle-cellar" not in shown
