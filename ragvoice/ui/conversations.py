"""The sidebar: what this person has asked before, to open, export and delete."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import groupby
from typing import TYPE_CHECKING

import streamlit as st

from ragvoice.contract import place_json, place_words, turn_json
from ragvoice.errors import RagVoiceError, TurnLogError
from ragvoice.ui.wording import ENDINGS, confidence_words, day_words, label, trouble

if TYPE_CHECKING:
    from ragvoice.desk import Desk
    from ragvoice.people.person import Person
    from ragvoice.turns.records import Turn

SHOWN = 20
"""Conversations in the list before somebody asks for more."""


def draw(desk: Desk, person: Person, current: str, open_one: Callable[[str | None], None]) -> None:
    """:param open_one: Called with an identifier, or with None for a new conversation."""
    st.button(
        "New conversation",
        icon=":material/add_comment:",
        key="new",
        width="stretch",
        on_click=open_one,
        args=(None,),
    )
    try:
        found = desk.conversations(person).list()
    except TurnLogError as error:
        words = trouble(error)
        st.warning(f"**{words.title}.** {words.advice}", icon=":material/error:")
        return
    if not found:
        st.caption("Your conversations will be listed here. Nobody else sees them.")
        return
    now = datetime.now().astimezone()
    everything = st.session_state.get("all-conversations", False)
    with st.container(key="conversations", gap="xsmall"):
        for day, ones in groupby(found if everything else found[:SHOWN], lambda one: day_words(one.latest, now)):
            st.caption(day)
            for one in ones:
                st.button(
                    label(one.first_question, 60) or "Nothing heard",
                    key=f"conversation-{one.conversation_id}",
                    type="secondary" if one.conversation_id == current else "tertiary",
                    width="stretch",
                    on_click=open_one,
                    args=(one.conversation_id,),
                )
    if len(found) > SHOWN and not everything:
        st.button("Show all", key="show-all", on_click=lambda: st.session_state.update({"all-conversations": True}))
    if any(one.conversation_id == current for one in found):
        _draw_actions(desk, person, current, open_one)


def _draw_actions(desk: Desk, person: Person, current: str, open_one: Callable[[str | None], None]) -> None:
    turns = desk.conversations(person).turns
    st.divider()
    st.caption("This conversation")
    with st.container(horizontal=True, key="conversation-actions"):
        st.download_button(
            "Markdown",
            lambda: as_markdown(turns(current)),
            file_name="conversation.md",
            mime="text/markdown",
            icon=":material/download:",
            on_click="ignore",
            help="Export this conversation to read it",
        )
        st.download_button(
            "JSON",
            lambda: as_json(turns(current)),
            file_name="conversation.json",
            mime="application/json",
            icon=":material/download:",
            on_click="ignore",
            help="Export this conversation for other programs",
        )
        if st.button("Delete", key="delete", icon=":material/delete:", help="Delete this conversation"):
            _confirm_deletion(desk, person, current, open_one)


@st.dialog("Delete this conversation?", icon=":material/delete:")
def _confirm_deletion(desk: Desk, person: Person, current: str, open_one: Callable[[str | None], None]) -> None:

    def delete() -> None:
        try:
            desk.conversations(person).delete(current)
        except RagVoiceError as error:
            st.toast(label(str(error), 200), icon=":material/error:")
            return
        open_one(None)

    st.write("Its questions, answers and ratings are removed from this server. This cannot be undone.")
    with st.container(horizontal=True, horizontal_alignment="right"):
        if st.button("Keep it", key="keep"):
            st.rerun()
        if st.button("Delete it", key="really-delete", type="primary", on_click=delete):
            st.rerun()


def as_json(turns: Sequence[Turn]) -> str:
    return json.dumps([turn_json(turn) for turn in turns], ensure_ascii=False, indent=2) + "\n"


def as_markdown(turns: Sequence[Turn]) -> str:
    """For reading: questions as headings, answers, how each ended, and its sources with their quotes."""
    parts = ["# Conversation\n"]
    for turn in turns:
        ending = confidence_words(turn.confidence) if turn.outcome == "answered" else ENDINGS[turn.outcome]
        parts.append(f"## {' '.join(turn.question.split()) or 'Nothing heard'}\n")
        parts.append(f"{turn.answer}\n")
        parts.append(f"*{turn.asked_at[:16].replace('T', ' ')} UTC. {ending.label}.*\n")
        for citation in turn.citations:
            where = [citation.source, place_words(place_json(citation.place)), citation.section]
            quote = " ".join(citation.quote.split())
            parts.append(f"> {quote}\n> ({', '.join(part for part in where if part)})\n")
    return "\n".join(parts)
