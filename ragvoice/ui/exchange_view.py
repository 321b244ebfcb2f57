"""One question, its answer and its sources, drawn."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import TYPE_CHECKING, Protocol

import streamlit as st

from ragvoice.ui.exchange import Exchange
from ragvoice.ui.sources import draw_cards
from ragvoice.ui.wording import ENDINGS, LEFT_OUT, Badge, confidence_words, label, trouble, waiting_words

if TYPE_CHECKING:
    from ragvoice.desk import Desk
    from ragvoice.people.person import Person

LOOK_EVERY_S = 0.2
"""How often the page looks whether a running turn has something new."""


class Rated(Protocol):
    def __call__(self, rating: int | None, reason: str) -> None:
        """:param rating: 1 or -1; None: taken back."""


def draw_exchange(
    desk: Desk,
    person: Person,
    exchange: Exchange,
    *,
    ahead: int,
    listen: Callable[[], None] | None,
    stop: Callable[[], None],
    rated: Rated,
    draft: Callable[[], str],
) -> None:
    """:param ahead: Turns before this one, while it waits. :param listen: None where there is nothing to hear.
    :param draft: What is being written at the moment and is not checked yet.
    """
    left, right = st.columns([3, 2], gap="medium")
    with left:
        with st.chat_message("user", avatar=":material/person:"):
            _draw_question(exchange)
        with st.chat_message("assistant", avatar=":material/graphic_eq:"):
            _draw_answer(exchange, ahead, stop, draft)
            if exchange.state != "running":
                _draw_actions(exchange, listen, rated)
    with right:
        if exchange.cited:
            st.html('<h3 class="rv-heading">Sources</h3>')
            draw_cards(desk, person, exchange.cited, exchange.key)
        elif exchange.nearest:
            st.html('<h3 class="rv-heading">Nearest places</h3>')
            with st.expander("These do not answer the question"):
                draw_cards(desk, person, exchange.nearest, exchange.key)


@st.fragment(run_every=LOOK_EVERY_S)
def _draw_draft(draft: Callable[[], str]) -> None:
    """Seen, and not read aloud by a screen reader: a moment later it may be the answer, or gone."""
    if text := draft():
        st.html(f'<div class="rv-answer rv-draft" aria-live="off">{escape(text)}</div>')


def _draw_question(exchange: Exchange) -> None:
    shown = exchange.question or ("Spoken question" if exchange.state == "running" else "Nothing heard")
    heard = '<span class="rv-heard">heard</span> ' if exchange.spoken and exchange.question else ""
    st.html(f'<div class="rv-question">{heard}{escape(shown)}</div>')


def _draw_answer(exchange: Exchange, ahead: int, stop: Callable[[], None], draft: Callable[[], str]) -> None:
    """The answer comes from documents: escaped text, never Markdown."""
    if exchange.error is not None:
        words = trouble(exchange.error)
        st.error(f"**{words.title}**\n\n{label(words.message, 400)}\n\n{words.advice}", icon=":material/error:")
    if exchange.answer:
        missing = " rv-missing" if exchange.state in ("abstained", "no_speech") else ""
        st.html(f'<div class="rv-answer{missing}" aria-live="polite">{escape(exchange.answer)}</div>')
    if exchange.left_out and exchange.answer:
        st.caption(LEFT_OUT)
    if exchange.state == "running":
        _draw_draft(draft)
        doing = waiting_words(ahead) if ahead else _doing(exchange)
        with st.container(horizontal=True, vertical_alignment="center"):
            st.html(
                f'<div class="rv-doing" role="status">{doing}<span class="rv-dots" aria-hidden="true"></span></div>'
            )
            st.button("Stop", key="stop", icon=":material/stop_circle:", shortcut="Escape", on_click=stop)
    elif exchange.state != "failed":
        _draw_badge(confidence_words(exchange.confidence) if exchange.state == "answered" else ENDINGS[exchange.state])


def _doing(exchange: Exchange) -> str:
    if not exchange.question:
        return "Listening to the recording"
    if exchange.searching:
        return "Searching the documents"
    return "Writing on" if exchange.answer else "Reading the documents"


def _draw_badge(badge: Badge) -> None:
    st.badge(badge.label, icon=badge.icon, color=badge.colour, help=badge.explanation)


def _draw_actions(exchange: Exchange, listen: Callable[[], None] | None, rated: Rated) -> None:
    key = exchange.key
    thumbs, reason = f"rating-{key}", f"reason-{key}"

    def take() -> None:
        chosen = st.session_state[thumbs]
        if chosen is None:
            rated(None, "")
        else:
            rated(1 if chosen else -1, str(st.session_state.get(reason, exchange.reason)))

    with st.container(horizontal=True, vertical_alignment="center", gap="small", key=f"actions-{key}"):
        if listen is not None:
            st.button("Listen", key=f"listen-{key}", icon=":material/volume_up:", type="tertiary", on_click=listen)
        if exchange.question:
            st.button(
                "Edit and ask again",
                key=f"again-{key}",
                icon=":material/edit:",
                type="tertiary",
                help="Puts the question below, where you can change it",
                on_click=lambda: st.session_state.update(question=exchange.question),
            )
        if exchange.turn_id:
            default = None if exchange.rating is None else int(exchange.rating == 1)
            st.feedback("thumbs", key=thumbs, default=default, on_change=take)
    if exchange.rating is not None:
        st.text_input(
            "Why? (optional)",
            value=exchange.reason,
            key=reason,
            max_chars=500,
            placeholder="What was right or wrong? (optional, Enter saves it)",
            label_visibility="collapsed",
            on_change=take,
        )
