"""Who is let in, in each of the three ways, through the page itself."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from ragvoice.errors import AccessError
from ragvoice.people import passwords
from ragvoice.people.accounts import Accounts
from ragvoice.people.passwords import Brake
from ragvoice.people.person import Person
from ragvoice.server import shared
from ragvoice.server.sign_ins import cookie_name
from ragvoice.ui import sign_in, voice_widget

GOOD = "a long password"
COOKIE = cookie_name("localhost:8501")


@pytest.fixture(autouse=True)
def _own_home(clean_environment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "COST", (16, 8, 1))
    st.cache_resource.clear()
    come_from(monkeypatch, {"Host": "localhost:8501"})


@pytest.fixture
def accounts(tmp_path: Path) -> Accounts:
    found = Accounts(tmp_path / "home" / "people.toml")
    found.add(Person("Root", "admin"), GOOD)
    found.add(Person("ada", "asker", ("hr",)), GOOD)
    return found


def script() -> None:
    import streamlit as st

    from ragvoice.ui.sign_in import current_person

    person = current_person()
    if person is not None:
        st.session_state.setdefault("mine", person.name)
        st.write(f"{person.name}/{person.role}/{','.join(person.groups)}")


def talking() -> None:
    import streamlit as st

    from ragvoice.ui import voice_widget
    from ragvoice.ui.sign_in import current_person

    voice_widget.voice_widget = lambda ticket, conversation_id: st.write(ticket)  # type: ignore[assignment]
    if person := current_person():
        voice_widget.live_voice(None, person, "c1")  # type: ignore[arg-type]


def page() -> AppTest:
    return AppTest.from_function(script, default_timeout=30).run()


def sign_in_as(app: AppTest, name: str, password: str = GOOD) -> AppTest:
    app.text_input[0].input(name)
    app.text_input[1].input(password)
    return app.button[0].click().run()


def shown(app: AppTest) -> list[str]:
    assert not app.exception
    return [one.value for one in app.main.markdown]


def come_from(
    monkeypatch: pytest.MonkeyPatch,
    headers: dict[str, str],
    address: str | None = None,
    cookies: dict[str, str] | None = None,
) -> None:
    class Context:
        def __init__(self) -> None:
            self.headers = type("Headers", (), {"to_dict": lambda _: headers})()
            self.ip_address = address
            self.cookies = cookies or {}

    monkeypatch.setattr(sign_in.st, "context", Context())


def test_without_accounts_this_machine_is_served_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    come_from(monkeypatch, {"Host": "localhost:8501"})
    monkeypatch.setenv("RAGVOICE_GROUPS", "hr,it")
    app = page()
    assert shown(app) == ["/admin/hr,it"]
    assert [note.value for note in app.sidebar.info] == [sign_in.OPEN_NOTE]


@pytest.mark.parametrize(
    ("headers", "address"), [({"Host": "10.0.0.7:8501"}, None), ({"Host": "localhost:8501"}, "10.0.0.9")]
)
def test_without_accounts_no_other_machine_is_served(
    monkeypatch: pytest.MonkeyPatch, headers: dict[str, str], address: str | None
) -> None:
    come_from(monkeypatch, headers, address)
    app = page()
    assert shown(app) == []
    assert [error.value for error in app.error] == [sign_in.CLOSED_NOTE]


def test_with_accounts_nobody_is_let_in_without_a_password(accounts: Accounts, monkeypatch: pytest.MonkeyPatch) -> None:
    come_from(monkeypatch, {"Host": "localhost:8501"})
    app = page()
    assert shown(app) == []
    assert [field.label for field in app.text_input] == ["Name", "Password"]


def test_who_knows_the_password_is_let_in_and_out_again(accounts: Accounts) -> None:
    app = sign_in_as(page(), "ADA")
    assert shown(app) == ["ada/asker/hr"]
    app.sidebar.button[0].click().run()
    assert shown(app) == []
    assert "mine" not in app.session_state
    assert shown(sign_in_as(app, "root")) == ["Root/admin/"]
    assert app.session_state["mine"] == "Root"


@pytest.mark.parametrize(("name", "password"), [("ada", "a wrong password"), ("nobody", GOOD), ("", "")])
def test_a_wrong_password_is_said_kindly(accounts: Accounts, name: str, password: str) -> None:
    app = sign_in_as(page(), name, password)
    assert shown(app) == []
    assert [error.value for error in app.error] == ["That name and password do not belong together."]


def test_guessing_in_a_new_session_is_slowed_down_as_well(accounts: Accounts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sign_in, "Accounts", lambda file: Accounts(file, Brake(free=1, clock=lambda: 0.0)))
    sign_in_as(page(), "ada", "a wrong password")
    app = sign_in_as(page(), "ada")
    assert [error.value for error in app.error] == ["Too many wrong passwords. Try again in 1 seconds."]


def test_what_is_changed_counts_from_the_next_click_on(accounts: Accounts) -> None:
    app = sign_in_as(page(), "ada")
    accounts.change("ada", role="owner", groups=["it"])
    assert shown(app.run()) == ["ada/owner/it"]
    accounts.set_password("ada", "another password")
    assert shown(app.run()) == []
    app = sign_in_as(page(), "ada", "another password")
    accounts.remove("ada")
    assert shown(app.run()) == []


def test_after_some_hours_people_sign_in_again(accounts: Accounts, monkeypatch: pytest.MonkeyPatch) -> None:
    app = sign_in_as(page(), "ada")
    later = time.time() + 12 * 3600 + 1
    monkeypatch.setattr(sign_in.time, "time", lambda: later)
    assert shown(app.run()) == []


def test_a_reloaded_page_knows_who_signed_in_until_they_sign_out_anywhere(
    accounts: Accounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = sign_in_as(page(), "ada")
    [script] = [one.proto.body for one in first.main.get("html")]
    offer = re.search(r'"X-Ragvoice-Offer": "([\w-]+)"', script)[1]  # type: ignore[index]
    cookie, _ = shared.sign_ins.take(offer)
    assert not first.run().main.get("html"), "the browser has it"

    come_from(monkeypatch, {"Host": "localhost:8501"}, cookies={COOKIE: cookie})
    reloaded = page()
    assert shown(reloaded) == ["ada/asker/hr"]
    accounts.change("ada", role="owner")
    assert shown(page()) == ["ada/owner/hr"]
    reloaded.sidebar.button[0].click().run()
    assert shown(reloaded) == shown(page()) == shown(first.run()) == []
    come_from(monkeypatch, {"Host": "localhost:8501"}, cookies={COOKIE: "guess"})
    assert shown(page()) == []


def test_the_ticket_of_the_live_voice_ends_with_the_sign_in(
    accounts: Accounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(voice_widget, "voice_widget", voice_widget.voice_widget)
    app = sign_in_as(AppTest.from_function(talking, default_timeout=30).run(), "ada")
    [ticket] = shown(app)
    admitted = shared.tickets.redeem(ticket)
    assert admitted.sign_in is not None
    assert shared.sign_ins.get(admitted.sign_in).name == admitted.person.name == "ada"
    app.sidebar.button[0].click().run()
    with pytest.raises(AccessError):
        shared.sign_ins.get(admitted.sign_in)


@pytest.mark.parametrize(("origin", "seen"), [("localhost:8501", ["ada/asker/hr"]), ("localhost:9000", [])])
def test_a_cookie_lets_in_pages_of_this_very_server_only(
    accounts: Accounts, monkeypatch: pytest.MonkeyPatch, origin: str, seen: list[str]
) -> None:
    stored = accounts.get("ada").password
    cookie, _ = shared.sign_ins.take(shared.sign_ins.offer(shared.sign_ins.begin("ada", stored, 60.0)))
    headers = {"Host": "localhost:8501", "Origin": f"http://{origin}"}
    come_from(monkeypatch, headers, cookies={COOKIE: cookie})
    assert shown(page()) == seen


def test_a_new_password_ends_what_a_cookie_kept(accounts: Accounts, monkeypatch: pytest.MonkeyPatch) -> None:
    stored = accounts.get("ada").password
    cookie, _ = shared.sign_ins.take(shared.sign_ins.offer(shared.sign_ins.begin("ada", stored, 60.0)))
    come_from(monkeypatch, {"Host": "localhost:8501"}, cookies={COOKIE: cookie})
    assert shown(page()) == ["ada/asker/hr"]
    accounts.set_password("ada", "another password")
    assert shown(page()) == []


def test_a_damaged_password_file_lets_nobody_in(accounts: Accounts, monkeypatch: pytest.MonkeyPatch) -> None:
    come_from(monkeypatch, {"Host": "localhost:8501"})
    accounts.file.write_text("nonsense")
    app = sign_in_as(page(), "root")
    assert shown(app) == []
    assert "not a list of people" in app.error[0].value


class FakeUser:
    def __init__(self, **claims: Any):
        self.claims = claims

    def to_dict(self) -> dict[str, Any]:
        return self.claims


@pytest.fixture
def company(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sign_in, "find_spec", lambda name: name)
    monkeypatch.setenv("RAGVOICE_OIDC_OWNERS", "group:hr")


def company_page() -> AppTest:
    app = AppTest.from_function(script, default_timeout=30)
    app.secrets["auth"] = {"redirect_uri": "x", "microsoft": {"client_id": "c"}}
    return app.run()


@pytest.mark.usefixtures("company")
def test_the_company_says_who_it_is_and_the_settings_what_they_may(monkeypatch: pytest.MonkeyPatch) -> None:
    claims = {"is_logged_in": True, "email": "ada@example.com", "groups": ["hr"], "iat": time.time()}
    monkeypatch.setattr(sign_in.st, "user", FakeUser(**claims, email_verified=True))
    assert shown(company_page()) == ["ada@example.com/owner/hr"]
    monkeypatch.setattr(sign_in.st, "user", FakeUser(**claims))
    assert shown(company_page()) == []
    monkeypatch.setenv("RAGVOICE_OIDC_SENDS_VERIFIED", "false")
    assert shown(company_page()) == ["ada@example.com/owner/hr"]


@pytest.mark.usefixtures("company")
def test_who_is_signed_in_is_told_as_plain_text(monkeypatch: pytest.MonkeyPatch) -> None:
    claims = {"is_logged_in": True, "email": "<b>@example.com", "email_verified": True, "iat": time.time()}
    monkeypatch.setattr(sign_in.st, "user", FakeUser(**claims))
    app = company_page()
    told = [element.proto.body for element in app.sidebar.get("html")]
    assert told == ['<div class="rv-who">Signed in as &lt;b&gt;@example.com</div>']
    assert not app.sidebar.caption, "Markdown makes a link of an address"


@pytest.mark.usefixtures("company", "accounts")
@pytest.mark.parametrize(
    "claims", [{"is_logged_in": False}, {"is_logged_in": True, "email": "ada@example.com", "iat": 1000.0}]
)
def test_who_has_not_signed_in_at_the_company_lately_is_sent_there(
    monkeypatch: pytest.MonkeyPatch, claims: dict[str, Any]
) -> None:
    monkeypatch.setattr(sign_in.st, "user", FakeUser(**claims))
    app = company_page()
    assert shown(app) == []
    assert [button.label for button in app.button] == ["Sign in with Microsoft"]


@pytest.mark.usefixtures("company")
def test_signing_out_at_the_company_counts_for_all_pages_and_what_they_have_opened(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    left: list[str] = []
    monkeypatch.setattr(sign_in.st, "logout", lambda: left.append("company"))
    claims = {"is_logged_in": True, "email": "ada@example.com", "email_verified": True, "iat": time.time()}
    monkeypatch.setattr(sign_in.st, "user", FakeUser(**claims))
    first, second = company_page(), company_page()
    opened = second.session_state["signed_in"]
    assert shared.sign_ins.is_open(opened)

    first.sidebar.button[0].click().run()
    assert left == ["company"]
    assert not shared.sign_ins.is_open(opened)
    assert shown(second.run()) == []
    assert [button.label for button in second.button] == ["Sign in with Microsoft"]

    monkeypatch.setattr(sign_in.st, "user", FakeUser(**claims | {"iat": time.time() + 1}))
    assert shown(second.run()) == ["ada@example.com/asker/"]


@pytest.mark.usefixtures("company")
def test_who_the_company_does_not_name_is_told_and_may_try_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sign_in.st, "user", FakeUser(is_logged_in=True))
    app = company_page()
    assert shown(app) == []
    assert "does not say who you are" in app.error[0].value
    assert [button.label for button in app.button] == ["Sign in as somebody else"]
