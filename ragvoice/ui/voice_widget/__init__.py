"""The live microphone: a component of the page that talks to the voice door of the same server."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import streamlit as st

from ragvoice.server import shared
from ragvoice.server.realtime import PATH
from ragvoice.ui.sign_in import current_sign_in

if TYPE_CHECKING:
    from ragvoice.desk import Desk
    from ragvoice.people.person import Person

_SCRIPTS = ("audio.js", "talk.js", "view.js")


@dataclass(frozen=True)
class LiveTurn:
    """One that has ended."""

    turn_id: str
    """Of an answer that was interrupted while it was written, only that of the attempt."""
    interrupted: bool = False


def _nothing() -> None:
    """Values of a component that nobody has to react to beyond the rerun that they cause."""


@cache
def _component() -> Any:
    def read(name: str) -> str:
        return files(__package__).joinpath(name).read_text(encoding="utf-8")

    worklets = f"const WORKLETS = {json.dumps(read('worklets.js'))};\n"
    js = worklets + "\n".join(read(name) for name in _SCRIPTS)
    return st.components.v2.component("ragvoice_voice", html=read("voice.html"), css=read("voice.css"), js=js)


def voice_widget(ticket: str, conversation_id: str | None, *, path: str = PATH, key: str = "voice") -> Any:
    """Draw it. A rerun of the page interrupts neither the connection nor the sound.

    :param ticket: For one connection; every run brings a new one.
    :param conversation_id: Another one than before ends the connection and begins a new one.
    :return: In the run after a turn has ended {"turn_id", "conversation_id"} and "outcome" or "interrupted", else None.
    """
    data = {"ticket": ticket, "conversation_id": conversation_id, "path": path, "key": key}
    result = _component()(key=key, data=data, on_turn_change=_nothing, on_ticket_wanted_change=_nothing)
    return result.turn


def live_voice(desk: Desk, person: Person, conversation_id: str) -> LiveTurn | None:
    """Draw it for this person. :return: The turn that has just ended in the conversation, or None."""
    person.require("ask")
    turn = voice_widget(shared.tickets.issue(person, conversation_id, current_sign_in()), conversation_id)
    return LiveTurn(str(turn["turn_id"]), bool(turn.get("interrupted"))) if turn else None
