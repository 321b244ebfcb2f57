"""Looking after people on the page; the desk is real but for its models."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from ragvoice.people import passwords
from ragvoice.people.accounts import Accounts
from ragvoice.people.person import Person

GOOD = "a long password"


@pytest.fixture
def accounts(clean_environment: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Accounts:
    monkeypatch.setattr(passwords, "COST", (16, 8, 1))
    return Accounts(tmp_path / "home" / "people.toml")


def script(role: str) -> None:
    from typing import Any

    import streamlit as st

    from ragvoice.desk import Desk
    from ragvoice.errors import AccessError, VectorIndexError
    from ragvoice.people.person import Person
    from ragvoice.settings import Settings
    from ragvoice.turns.log import TurnLog
    from ragvoice.ui.people_page import render

    def no_index() -> Any:
        raise VectorIndexError("There is no index.")

    settings = Settings()
    recorder: Any = None
    desk = Desk(settings, no_index, TurnLog(settings.turns_path, 90), recorder)
    try:
        render(desk, Person("Root", role))  # type: ignore[arg-type]
    except AccessError as error:
        st.error(str(error))


def page(role: str = "admin") -> AppTest:
    app = AppTest.from_function(script, default_timeout=30, kwargs={"role": role}).run()
    assert not app.exception
    return app


def press(app: AppTest, label: str, nth: int = 0) -> AppTest:
    app = [button for button in app.button if button.label == label][nth].click().run()
    assert not app.exception
    return app


def test_the_first_person_is_offered_as_an_admin(accounts: Accounts) -> None:
    app = page()
    assert "Nobody signs in yet" in app.info[0].value
    app.text_input[0].input("Root")
    app.text_input[1].input(GOOD)
    app = press(app, "Add")
    assert [note.value for note in app.success] == ["Root can sign in now."]
    assert accounts.sign_in("root", GOOD).person == Person("Root", "admin")


def test_a_poor_password_is_said_and_adds_nobody(accounts: Accounts) -> None:
    app = page()
    app.text_input[0].input("Root")
    app.text_input[1].input("short")
    app = press(app, "Add")
    assert "10 to 256 characters" in app.error[0].value
    assert accounts.all() == []


def test_people_are_changed_and_removed_and_the_last_admin_stays(accounts: Accounts) -> None:
    accounts.add(Person("Root", "admin"), GOOD)
    accounts.add(Person("ada", "asker", ("hr",)), GOOD)
    app = page()
    assert [one.label for one in app.expander] == ["Root · admin", "ada · asker · hr"]
    app.expander[1].selectbox[0].select("owner")
    app = press(app, "Save", 1)
    assert accounts.get("ada").person == Person("ada", "owner", ("hr",))
    app.expander[1].text_input[0].input("another password")
    app = press(app, "Set the password", 1)
    assert accounts.sign_in("ada", "another password").person.name == "ada"
    app = press(app, "Remove", 0)
    assert "Tick the box" in app.warning[0].value
    app.expander[0].checkbox[1].check()
    app = press(app, "Remove", 0)
    assert "Somebody must be an admin" in app.error[0].value
    app.expander[1].checkbox[1].check()
    app = press(app, "Remove", 1)
    assert accounts.all() == [Person("Root", "admin")]


@pytest.mark.parametrize("role", ["asker", "owner"])
def test_others_see_nothing_even_when_the_page_is_called(accounts: Accounts, role: str) -> None:
    accounts.add(Person("Root", "admin"), GOOD)
    app = page(role)
    assert "may not look after people" in app.error[0].value
    assert len(app.expander) == len(app.button) == 0


def test_when_the_turns_of_who_is_removed_cannot_be_deleted_it_is_said_what_is_left_to_do(accounts: Accounts) -> None:
    accounts.add(Person("ada", "admin"), GOOD)
    accounts.add(Person("bob"), GOOD)
    (accounts.file.parent / "turns.sqlite").mkdir()
    app = page()
    app.checkbox[2].check()
    app.checkbox[3].check()
    press(app, "Remove", 1)
    assert [person.name for person in accounts.all()] == ["ada"]
    assert "ragvoice turns forget --person bob" in app.error[0].value
