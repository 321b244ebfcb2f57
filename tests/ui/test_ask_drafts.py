"""What is being written is seen before it is checked, and is told apart from the answer."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ask_desk import ScriptedBot, make_desk
from streamlit.testing.v1 import AppTest

from ragvoice.datatypes import Draft
from ragvoice.people.person import Person
from ragvoice.ui.wording import LEFT_OUT
from ragvoice.voicebot import Event, Said

DRAFT = '<div class="rv-answer rv-draft" aria-live="off">Take &lt;b</div>'


class DraftingBot(ScriptedBot):
    """After its first sentence it begins one that is refused when the gate opens."""

    def turn(self, *args: Any, **kwargs: Any) -> Iterator[Event]:
        drafted = False
        for event in super().turn(*args, **kwargs):
            yield event
            if isinstance(event, Said) and not drafted:
                drafted = True
                yield Draft("Take <b")
                self.gate.wait(20)
                yield Draft("Take <b>it.", refused=True)


def script() -> None:
    import streamlit as st

    from ragvoice.ui.ask import render

    render(st.session_state["the_desk"], st.session_state["the_person"])


def seen(test: AppTest) -> str:
    assert not test.exception
    return "\n".join([*(str(one.proto.body) for one in test.get("html")), *(one.value for one in test.caption)])


@pytest.fixture
def bot() -> DraftingBot:
    return DraftingBot()


@pytest.fixture
def page(tmp_path: Path, bot: DraftingBot) -> AppTest:
    test = AppTest.from_function(script, default_timeout=20)
    test.session_state["the_desk"] = make_desk(tmp_path, bot)
    test.session_state["the_person"] = Person("ada")
    return test.run()


def test_a_draft_is_seen_escaped_until_it_is_refused_with_a_note(page: AppTest, bot: DraftingBot) -> None:
    bot.gate.clear()
    page.chat_input[0].set_value("How much leave in Poland?").run()
    for _ in range(100):
        if "rv-draft" in seen(page):
            break
        time.sleep(0.05)
        page.run()
    assert DRAFT in seen(page)
    assert LEFT_OUT not in seen(page)

    bot.gate.set()
    page.session_state["talk"][1].running.wait(10)
    page.run()
    assert "rv-draft" not in seen(page)
    assert LEFT_OUT in seen(page)
    assert "Second 1." in seen(page)
