"""Which pages a person has, and what they see where the desk cannot be had."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ask_desk import handbook_bot, make_desk
from streamlit.testing.v1 import AppTest

from ragvoice.errors import VectorIndexError
from ragvoice.people.person import Person, Role
from ragvoice.ui import main


def script() -> None:
    import streamlit as st

    from ragvoice.ui.main import draw

    draw(lambda: st.session_state["the_person"], st.session_state["the_desk"])


def page(person: Person | None, desk: Any) -> AppTest:
    test = AppTest.from_function(script, default_timeout=20)
    test.session_state["the_person"], test.session_state["the_desk"] = person, desk
    test.run()
    assert not test.exception, [one.message for one in test.exception]
    return test


@pytest.mark.parametrize(
    ("role", "titles"),
    [
        ("asker", ["Ask"]),
        ("owner", ["Ask", "Documents", "Quality", "Fine-tuning"]),
        ("admin", ["Ask", "Documents", "Quality", "Fine-tuning", "Settings", "People"]),
    ],
)
def test_pages_are_those_of_the_role(
    role: Role, titles: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[str] = []
    navigation = main.st.navigation

    def noted(pages: Any, **options: Any) -> Any:
        drawn.extend(one.title for one in pages)
        return navigation(pages, **options)

    monkeypatch.setattr(main.st, "navigation", noted)
    desk = make_desk(tmp_path, handbook_bot())
    page(Person("ada", role), lambda: desk)
    assert drawn == titles


def test_while_nobody_is_signed_in_addresses_are_known_but_no_page_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[list[str], str]] = []
    navigation = main.st.navigation

    def noted(pages: Any, position: Any) -> Any:
        calls.append(([one.url_path for one in pages], position))
        return navigation(pages, position=position)

    monkeypatch.setattr(main.st, "navigation", noted)
    shown = page(None, lambda: pytest.fail("nobody is there to need it"))
    assert calls == [(["", "documents", "quality", "tuning", "preferences", "people_page"], "hidden")]
    assert [*shown.title, *shown.error, *shown.chat_input] == []


def test_an_index_that_is_missing_is_said_kindly() -> None:
    def no_desk() -> Any:
        raise VectorIndexError("There is no index yet. Make one: ragvoice ingest FOLDER")

    [error] = page(Person("ada"), no_desk).error
    assert "The documents are not ready" in error.value
    assert "ragvoice ingest FOLDER" in error.value


def test_a_folder_that_cannot_be_read_is_said_kindly_and_without_its_name() -> None:
    def no_desk() -> Any:
        raise PermissionError(13, "Permission denied", "/srv/secret")

    [error] = page(Person("ada"), no_desk).error
    assert "Permission denied" in error.value
    assert "secret" not in error.value
