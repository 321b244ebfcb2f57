from __future__ import annotations

import ast
import time
import tomllib
from pathlib import Path

import pytest

pytest.importorskip("streamlit")

from streamlit.web.server.app_discovery import discover_asgi_app

from ragvoice.commands.ui import ui
from ragvoice.errors import AccessError
from ragvoice.people import passwords
from ragvoice.people.accounts import Accounts
from ragvoice.people.person import Person
from ragvoice.server import shared
from ragvoice.server.session import Session
from ragvoice.server.tickets import Admitted, Tickets
from ragvoice.settings import Settings
from ragvoice.ui import asgi
from ragvoice.voice.messages import LoopOptions

ROOT = Path(__file__).parents[2]


def test_streamlit_run_finds_the_app_and_nothing_else_is_in_its_file():
    found = discover_asgi_app(ROOT / "app.py")

    assert (found.is_asgi_app, found.import_string) == (True, "app:app")
    statements = [type(node).__name__ for node in ast.parse((ROOT / "app.py").read_text()).body]
    assert statements == ["Expr", "ImportFrom", "ImportFrom", "Assign"]


@pytest.fixture
def at_home(tmp_path, monkeypatch):
    monkeypatch.setenv("RAGVOICE_HOME", str(tmp_path))
    monkeypatch.setattr(shared, "_desk", None)
    return tmp_path


def test_other_machines_are_not_served_before_there_are_accounts(at_home):
    with pytest.raises(SystemExit, match="ragvoice people add"):
        asgi.app_parts("0.0.0.0")
    parts = asgi.app_parts("127.0.0.1")
    assert [route.path for route in parts["routes"]] == ["/v1/realtime", "/v1/sign-in"]
    assert parts["script_path"].is_file()

    (at_home / "people.toml").touch(mode=0o600)
    assert asgi.app_parts("0.0.0.0")


def test_one_desk_for_the_page_and_the_voice_door(at_home):
    shared.open_desk(Settings(index=at_home / "one"))

    assert shared.desk() is shared.desk()
    assert shared.desk().settings.index == at_home / "one"


def test_what_a_client_chooses_is_what_the_loop_is_opened_with():
    base = LoopOptions()

    assert asgi.loop_options(Session("s")) == base
    assert asgi.loop_options(Session("s", pause_s=0.4)).pause_s == 0.4
    assert asgi.loop_options(Session("s", pause_s=0.4)).patient_pause_s == base.patient_pause_s
    assert asgi.loop_options(Session("s", pause_s=3.0)).patient_pause_s == 3.0
    assert asgi.loop_options(Session("s", by_hand=True)).patient_pause_s > 3600
    assert asgi.loop_options(Session("s", interrupts=False)).echo == "half_duplex"


def test_both_ways_to_start_it_are_configured_alike(at_home, monkeypatch):
    given = {}
    monkeypatch.setattr("streamlit.starlette.App.run", lambda app, config: given.update(config))
    ui(port=8501)

    sections = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text())
    filed = {f"{section}.{name}": value for section, values in sections.items() for name, value in values.items()}
    assert {name: value for name, value in given.items() if name != "server.port"} == filed
    assert given["client.showErrorDetails"] == "none"


def test_what_no_log_keeps_is_held_for_pages_alone(at_home, monkeypatch):
    asked = []
    monkeypatch.setattr(shared.desk(), "loop", lambda *_, shown, **__: asked.append(shown))

    tickets = Tickets()
    for admitted in (tickets.redeem(tickets.issue(Person("ada"))), Admitted(Person(""))):
        asgi.open_loop(admitted, Session("s"))
    assert asked == [True, False]


def test_a_connection_has_the_groups_of_now_and_ends_with_the_account(at_home, monkeypatch):
    monkeypatch.setattr(passwords, "COST", (16, 8, 1))
    accounts, bob = Accounts(at_home / "people.toml"), Person("bob", "asker", ("hr",))
    assert asgi.person_now(accounts, Admitted(bob)) is bob  # nobody signs in

    for person in (Person("root", "admin"), bob):
        accounts.add(person, "a long password")

    def admitted() -> Admitted:
        return Admitted(bob, None, shared.sign_ins.begin("bob", accounts.get("bob").password, 60.0).id)

    stays, leaves, expires = admitted(), admitted(), admitted()
    accounts.change("bob", groups=())
    assert asgi.person_now(accounts, stays) == Person("bob", "asker", ())
    shared.sign_ins.end(shared.sign_ins.get(str(leaves.sign_in)))
    for gone in (leaves, Admitted(bob)):
        with pytest.raises(AccessError, match="Sign in again"):
            asgi.person_now(accounts, gone)
    assert asgi.person_now(accounts, expires)
    later = time.time() + 60
    with monkeypatch.context() as patch:
        patch.setattr("time.time", lambda: later)
        with pytest.raises(AccessError, match="Sign in again"):
            asgi.person_now(accounts, expires)

    accounts.set_password("bob", "another password")
    with pytest.raises(AccessError, match="Sign in again"):
        asgi.person_now(accounts, stays)
    renewed = admitted()
    accounts.remove("bob")
    with pytest.raises(AccessError, match="Sign in again"):
        asgi.person_now(accounts, renewed)


def test_a_company_does_not_name_groups_during_a_connection_but_it_ends_with_the_sign_in(at_home, monkeypatch):
    monkeypatch.setattr(asgi, "oidc_is_configured", lambda: True)
    accounts, ada = Accounts(at_home / "people.toml"), Person("ada@example.com", "asker", ("hr",))
    sign_in = shared.sign_ins.at_company("claims of ada", time.time() + 60)
    admitted = Admitted(ada, None, sign_in.id)

    assert asgi.person_now(accounts, admitted) is ada
    shared.sign_ins.end(sign_in)
    with pytest.raises(AccessError, match="Sign in again"):
        asgi.person_now(accounts, admitted)
