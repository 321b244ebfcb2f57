"""The pictures in docs/pictures: RAGVOICE_PICTURES=docs/pictures pytest -m slow tests/browser/test_pictures.py

Without that variable the pages are drawn all the same, and looked at for errors only.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from chromium import new_page
from PIL import Image
from playwright.sync_api import Browser, Page, expect
from served_page import ROOT, ServedPage, served_page
from typed_questions import ask, finished_answers, open_ask

from ragvoice.people.accounts import Accounts
from ragvoice.people.person import Person

pytestmark = pytest.mark.slow

LARGEST_BYTES = 200_000
QUESTIONS = ("How many hours a week does a full-timer in Leeds work?", "And in Poland?")
_EVALUATION_S = 400

Picture = Callable[[Page, str], None]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, model_home: Path, sample_index: Path) -> Iterator[ServedPage]:
    """With whatever was trained on this machine."""
    home = tmp_path_factory.mktemp("pictures") / "home"
    home.mkdir()
    if (model_home / "finetune").is_dir():
        (home / "finetune").symlink_to(model_home / "finetune")
    with served_page(home, model_home / "models", sample_index) as page:
        yield page


@pytest.fixture
def picture() -> Picture:
    folder = os.environ.get("RAGVOICE_PICTURES")

    def take(page: Page, name: str) -> None:
        expect(page.get_by_test_id("stException")).to_have_count(0)
        expect(page.get_by_test_id("stSpinner")).to_have_count(0)
        expect(page.locator("[data-test-script-state=running]")).to_have_count(0)
        page.wait_for_load_state("networkidle")
        expect(page.get_by_test_id("stSkeleton")).to_have_count(0)
        if folder is not None:
            small = Image.open(io.BytesIO(page.screenshot())).convert("RGB").quantize(128, dither=Image.Dither.NONE)
            file = (ROOT / folder) / f"{name}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            small.save(file, optimize=True)
            assert file.stat().st_size < LARGEST_BYTES

    return take


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("ask-light", {}),
        ("ask-dark", {"color_scheme": "dark"}),
        ("ask-phone", {"viewport": {"width": 390, "height": 844}, "has_touch": True}),
    ],
)
def test_ask(browser: Browser, served: ServedPage, picture: Picture, name: str, options: dict[str, object]):
    with new_page(browser, **options) as page:
        open_ask(page, served.url)
        if name == "ask-light":
            expect(page.locator("[class*=st-key-example]").first).to_be_visible()
            picture(page, "ask-first-visit")
        for number, question in enumerate(QUESTIONS, start=1):
            ask(page, question)
            finished_answers(page, number)
        picture(page, name)


def test_documents(page: Page, served: ServedPage, picture: Picture):
    page.goto(served.at("documents"))
    expect(page.get_by_text("38 of 38 documents")).to_be_visible()
    picture(page, "documents")


def test_quality(page: Page, served: ServedPage, picture: Picture):
    page.goto(served.at("quality"))
    page.get_by_role("textbox", name="Set of questions").fill(str(ROOT / "data"))
    page.get_by_role("spinbutton", name="Questions").fill("12")
    page.get_by_role("button", name="Start").click()

    expect(page.get_by_role("tab", name="Figures")).to_be_visible(timeout=1000 * _EVALUATION_S)
    expect(page.locator(".vega-embed canvas, .vega-embed svg").first).to_be_visible()
    picture(page, "quality")


def test_finetuning(page: Page, served: ServedPage, picture: Picture):
    page.goto(served.at("tuning"))
    expect(page.get_by_text("In service for")).to_be_visible()
    if (served.home / "finetune").is_dir():
        page.get_by_role("tab", name="Curves").click()
        expect(page.locator(".vega-embed canvas, .vega-embed svg").first).to_be_visible()
    picture(page, "finetuning")


def test_settings(page: Page, served: ServedPage, picture: Picture):
    page.goto(served.at("preferences"))
    expect(page.get_by_role("heading", name="Settings")).to_be_visible()
    picture(page, "settings")


def test_people(page: Page, served: ServedPage, picture: Picture):
    """The last one: from the first account on everybody signs in."""
    accounts = Accounts(served.home / "people.toml")
    password = "a long enough secret"
    for person in (Person("ada", "admin"), Person("olga", "owner", ("hr",)), Person("walter", "asker", ("board",))):
        accounts.add(person, password)
    page.goto(served.at("people_page"))
    expect(page.get_by_role("textbox", name="Password")).to_be_visible()
    picture(page, "sign-in")
    page.get_by_role("textbox", name="Name").fill("ada")
    page.get_by_role("textbox", name="Password").fill(password)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="People", exact=True)).to_be_visible()
    expect(page.get_by_text("olga · owner")).to_be_visible()
    picture(page, "people")
