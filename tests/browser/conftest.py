"""One Playwright and one server for the tests of a file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from chromium import chromium, new_page
from playwright.sync_api import Browser, Page, Playwright, sync_playwright
from served_page import ServedPage, served_page


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    # Of a module, not of the session: its event loop would be in the way of every other test that runs one.
    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="module")
def browser(playwright: Playwright) -> Iterator[Browser]:
    with chromium(playwright) as running:
        yield running


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, model_home: Path, sample_index: Path) -> Iterator[ServedPage]:
    """Open for everybody on this machine, with the sample company's documents."""
    with served_page(tmp_path_factory.mktemp("served") / "home", model_home / "models", sample_index) as page:
        yield page


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with new_page(browser) as one:
        yield one
