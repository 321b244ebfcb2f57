from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect
from served_page import served_page
from typed_questions import ask, open_ask

pytestmark = pytest.mark.slow


def test_an_index_that_is_not_there_is_said_kindly(page: Page, tmp_path, model_home):
    with served_page(tmp_path / "home", model_home / "models", tmp_path / "nowhere") as served:
        open_ask(page, served.url)
        ask(page, "How long is parental leave?")

        said = page.get_by_role("alert").filter(has_text="The documents are not ready").last
        expect(said).to_contain_text("tell an administrator")
        assert "Traceback" not in page.locator("body").inner_text()
        expect(page.get_by_role("textbox", name="Ask a question")).to_be_enabled()
