"""The cookie of who has signed in with a password, and the route that gives it."""

from __future__ import annotations

from http.cookies import SimpleCookie
from urllib.parse import urlsplit

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from ragvoice.errors import AccessError
from ragvoice.server import sign_ins as module
from ragvoice.server.sign_ins import HEADER, PATH, SignIns, cookie_name, sign_in_route

HOST = "localhost:8501"
COOKIE = cookie_name(HOST)


@pytest.fixture
def now(monkeypatch):
    clock = [1000.0]
    monkeypatch.setattr(module.time, "time", lambda: clock[0])
    return clock


def client(sign_ins: SignIns, address: str = "http://localhost:8501") -> TestClient:
    return TestClient(Starlette(routes=[sign_in_route(sign_ins)]), base_url=address)


@pytest.mark.parametrize(("address", "secure"), [("http://localhost:8501", ""), ("https://voice.example.com", True)])
def test_the_browser_gets_a_cookie_that_scripts_and_other_sites_cannot_use(now, address, secure):
    sign_ins = SignIns()
    ada = sign_ins.begin("ada", "hash", 3600.0)

    answer = client(sign_ins, address).post(PATH, headers={HEADER: sign_ins.offer(ada), "origin": address})

    host = urlsplit(address).netloc
    name = cookie_name(host)
    cookie = SimpleCookie(answer.headers["set-cookie"])[name]
    assert answer.status_code == 204
    assert (cookie["httponly"], cookie["samesite"], cookie["secure"]) == (True, "strict", secure)
    assert (cookie["max-age"], cookie["path"]) == ("3600", "/")
    assert sign_ins.of({name: cookie.value}, host) is ada
    assert sign_ins.of({name: "guess"}, host) is sign_ins.of({}, host) is None


def test_two_servers_on_one_host_do_not_overwrite_each_others_cookies(now):
    browser, people = {}, []
    for port in (8501, 8502):
        sign_ins = SignIns()
        people.append((sign_ins, sign_ins.begin("ada", "hash", 3600.0), f"localhost:{port}"))
        headers = {HEADER: sign_ins.offer(people[-1][1])}
        answer = client(sign_ins, f"http://localhost:{port}").post(PATH, headers=headers)
        browser |= {name: cookie.value for name, cookie in SimpleCookie(answer.headers["set-cookie"]).items()}

    for sign_ins, ada, host in people:
        assert sign_ins.of(browser, host) is ada


def test_an_offer_is_good_once_for_a_minute_and_from_its_own_page(now):
    sign_ins = SignIns()
    ada = sign_ins.begin("ada", "hash", 3600.0)
    browser, offer = client(sign_ins), sign_ins.offer(ada)

    assert browser.post(PATH, headers={HEADER: offer, "origin": "https://evil.example"}).status_code == 403
    assert sign_ins.is_offered(offer)
    assert browser.post(PATH, headers={HEADER: offer}).status_code == 204
    assert not sign_ins.is_offered(offer)
    assert browser.post(PATH, headers={HEADER: offer}).status_code == 403
    assert browser.post(PATH).status_code == 403
    late = sign_ins.offer(ada)
    now[0] += 61
    with pytest.raises(AccessError, match="too old"):
        sign_ins.take(late)


def test_a_sign_in_ends_by_itself_and_by_signing_out(now):
    sign_ins = SignIns()
    ada, bob = (sign_ins.begin(name, "hash", 3600.0) for name in ("ada", "bob"))
    cookies = [{COOKIE: sign_ins.take(sign_ins.offer(one))[0]} for one in (ada, bob)]
    unused = sign_ins.offer(ada)

    sign_ins.end(ada)
    assert [sign_ins.of(cookie, HOST) for cookie in cookies] == [None, bob]
    with pytest.raises(AccessError):
        sign_ins.take(unused)
    now[0] += 3600
    assert sign_ins.of(cookies[1], HOST) is None
    assert not sign_ins.is_open(bob)
    sign_ins.begin("cy", "hash", 60.0)
    assert len(sign_ins._open) == 1
    assert not sign_ins._cookies


def test_a_sign_in_at_a_company_is_one_for_all_pages_and_does_not_come_back(now):
    sign_ins = SignIns()
    ada, again = (sign_ins.at_company(claims, 4600.0) for claims in ("ada, 1000", "ada, 1060"))

    assert sign_ins.at_company("ada, 1000", 9999.0) is sign_ins.get(ada.id) is ada is not again
    sign_ins.end(ada)
    assert sign_ins.at_company("ada, 1000", 9999.0) is ada
    with pytest.raises(AccessError, match="Sign in again"):
        sign_ins.get(ada.id)
    assert sign_ins.get(again.id) is again
    now[0] = 4600.0
    with pytest.raises(AccessError, match="Sign in again"):
        sign_ins.get(again.id)
    sign_ins.at_company("bob", 9999.0)
    assert len(sign_ins._at_company) == 1
