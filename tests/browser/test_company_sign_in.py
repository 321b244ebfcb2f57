"""People who sign in at an OpenID Connect provider that runs on this machine, as at their company's."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from chromium import PATIENCE_S
from playwright.sync_api import Page, expect
from served_page import ServedPage, free_port, served_page

pytestmark = pytest.mark.slow

VERIFIED = {"email_verified": True}
PEOPLE = (
    {"sub": "1", "email": "ada@example.com", **VERIFIED},
    {"sub": "2", "email": "olga@example.com", "groups": ["knowledge-team"], **VERIFIED},
    {"sub": "3", "email": "walter@example.com", **VERIFIED},
    {"sub": "4", "email": "ada@example.com", "email_verified": False},
)
ADA, OLGA, WALTER, SOMEBODY_AS_ADA = "1234"
CONFIG = """oidc_admins = ["ada@example.com"]
oidc_owners = ["group:knowledge-team"]
"""


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of the provider."""
    port = free_port()
    command = [sys.executable, "-m", "oidc_provider_mock", "--port", str(port)]
    for claims in PEOPLE:
        command += ["--user-claims", json.dumps(claims)]
    log = tmp_path_factory.mktemp("company") / "provider.log"
    with log.open("wb") as file:
        provider = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT)
    url = f"http://localhost:{port}"
    try:
        deadline = time.monotonic() + 60
        while not _answers(url):
            assert provider.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        yield url
    finally:
        provider.terminate()
        provider.wait()


@pytest.fixture(scope="module")
def served(
    company: str, tmp_path_factory: pytest.TempPathFactory, model_home: Path, sample_index: Path
) -> Iterator[ServedPage]:
    home = tmp_path_factory.mktemp("company") / "home"
    home.mkdir()
    (home / "config.toml").write_text(CONFIG, encoding="utf-8")
    with served_page(home, model_home / "models", sample_index, company=company) as page:
        yield page


def test_the_companys_administrator_sees_all_pages_and_signs_out(page: Page, served: ServedPage):
    sign_in(page, served, ADA)

    expect(page.get_by_text("Signed in as ada@example.com")).to_be_visible()
    expect(page.get_by_role("link", name="People", exact=True)).to_be_visible()
    page.reload()
    expect(page.get_by_text("Signed in as ada@example.com")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("button", name="End session").click()  # at the company, which sends the browser back
    expect(page.get_by_role("button", name="Sign in with Company")).to_be_visible()
    expect(page.get_by_role("link", name="People", exact=True)).to_have_count(0)


def test_a_group_of_the_company_makes_an_owner(page: Page, served: ServedPage):
    sign_in(page, served, OLGA)

    expect(page.get_by_text("Signed in as olga@example.com")).to_be_visible()
    expect(page.get_by_role("link", name="Documents", exact=True)).to_be_visible()
    expect(page.get_by_role("link", name="People", exact=True)).to_have_count(0)


def test_everybody_else_asks_and_the_live_voice_opens_for_them(page: Page, served: ServedPage):
    sign_in(page, served, WALTER)

    expect(page.get_by_role("textbox", name="Ask a question")).to_be_visible(timeout=1000 * PATIENCE_S)
    expect(page.get_by_role("link", name="Documents", exact=True)).to_have_count(0)
    page.wait_for_function("() => [...(globalThis.ragvoiceTalks?.values() ?? [])].some((talk) => talk.ready)")


def test_an_address_that_is_not_verified_names_nobody(page: Page, served: ServedPage):
    sign_in(page, served, SOMEBODY_AS_ADA)

    expect(page.get_by_role("alert")).to_contain_text("ada@example.com is not verified yet")
    expect(page.get_by_role("textbox", name="Ask a question")).to_have_count(0)
    expect(page.get_by_role("button", name="Sign in as somebody else")).to_be_visible()


def test_who_is_denied_at_the_company_is_still_signed_out(page: Page, served: ServedPage):
    page.goto(served.url)
    page.get_by_role("button", name="Sign in with Company").click()
    page.get_by_role("button", name="Deny").click()

    expect(page.get_by_role("button", name="Sign in with Company")).to_be_visible()
    expect(page.get_by_role("textbox", name="Ask a question")).to_have_count(0)


def sign_in(page: Page, served: ServedPage, subject: str) -> None:
    page.goto(served.url)
    page.get_by_role("button", name="Sign in with Company").click()
    page.get_by_role("button", name=subject, exact=True).first.click()


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/.well-known/openid-configuration", trust_env=False).is_success
    except httpx.HTTPError:
        return False
