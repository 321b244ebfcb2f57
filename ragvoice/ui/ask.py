"""The page "Ask": one conversation, spoken or typed, with the sources beside each answer."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import streamlit as st

from ragvoice.datatypes import AudioChunk
from ragvoice.errors import RagVoiceError
from ragvoice.ui import conversations
from ragvoice.ui.examples import BROAD_QUERY, COMMON_QUESTIONS, example_questions
from ragvoice.ui.exchange import Exchange, of_answer, of_events, of_turn, sounds_of
from ragvoice.ui.exchange_view import LOOK_EVERY_S, draw_exchange
from ragvoice.ui.player import Player
from ragvoice.ui.running import RunningTurn
from ragvoice.ui.wording import label, trouble

if TYPE_CHECKING:
    from ragvoice.desk import Desk
    from ragvoice.people.person import Person
    from ragvoice.ui.voice_widget import LiveTurn

LiveVoice = Callable[["Desk", "Person", str], "LiveTurn | None"]
"""Draws the live microphone for a conversation; gives the latest turn that ended in it."""

RECORDINGS = ["wav", "mp3", "m4a", "ogg", "opus", "flac", "webm", "aac", "mp4"]
LARGEST_RECORDING_MIB = 50
DRAWN = 20
"""Exchanges of a long conversation that are drawn before somebody asks for the earlier ones."""

_AWAITED_S = 5.0
"""An answer that is interrupted ends at the model's next token, and is logged then."""
_SHOW_LATEST = "document.querySelector('.rv-latest')?.scrollIntoView()"


@dataclass
class Talk:
    """What this session shows."""

    conversation_id: str
    exchanges: list[Exchange] = field(default_factory=list)
    asked: str | AudioChunk | None = None
    """Asked by the click that this run comes from; its callback knows the person of the run before only."""
    running: RunningTurn | None = None
    player: Player = field(default_factory=Player)
    live_turn: LiveTurn | None = None
    """The latest one of the live voice that is drawn."""
    awaited_until: float = 0.0
    """On the monotonic clock: what was heard of an interrupted one is not there yet."""
    whole: bool = False
    examples: list[str] | None = None


def render(desk: Desk, person: Person, live_voice: LiveVoice | None = None) -> None:
    """:raises AccessError: without the right to ask."""
    talk = _talk(desk, person)
    if talk.asked is not None:
        question, talk.asked = talk.asked, None
        _begin(desk, person, talk, question)
    drawn = talk.running.version if talk.running else None
    if talk.running is not None:
        _follow(talk, talk.running)
    with st.sidebar:
        conversations.draw(desk, person, talk.conversation_id, partial(_open, desk, person, talk))
    with st.container(key="talk"):
        _draw_talk(desk, person, talk)
    with st.bottom:
        talk.player.draw()
        if live_voice is not None:
            _take_live_turn(desk, person, talk, live_voice(desk, person, talk.conversation_id))
        st.chat_input(
            "Ask a question",
            key="question",
            accept_audio=True,
            accept_file=True,
            file_type=RECORDINGS,
            max_upload_size=LARGEST_RECORDING_MIB,
            on_submit=partial(_take_input, talk),
        )
    if talk.running is not None and drawn is not None:
        _watch(talk.running, drawn)
    if time.monotonic() < talk.awaited_until:
        _await_live_turn(desk, person, talk)


def _talk(desk: Desk, person: Person) -> Talk:
    """Of this session and person."""
    owner, talk = st.session_state.get("talk", (None, None))
    if not isinstance(talk, Talk) or owner != person.name:
        talk = Talk(desk.conversations(person).resolve("new"))
        st.session_state["talk"] = (person.name, talk)
    return talk


def _draw_talk(desk: Desk, person: Person, talk: Talk) -> None:
    shown = list(talk.exchanges)
    running = talk.running
    events = running.events if running else ()
    if running is not None:
        shown.append(of_events(running.id, running.question, events))
    if not shown:
        _draw_welcome(desk, person, talk)
        return
    st.html('<h1 class="rv-unseen">Ask your documents</h1>')
    if len(shown) > DRAWN and not talk.whole:
        st.button("Earlier questions", key="earlier", on_click=lambda: setattr(talk, "whole", True))
        shown = shown[-DRAWN:]
    for number, exchange in enumerate(shown, start=1):
        latest = number == len(shown) > 1
        with st.container(key="latest" if latest else None):
            if latest:
                # Nothing of a document or a person is in this script; the key makes it run once for each question.
                script = f"<script>/*{exchange.key}*/{_SHOW_LATEST}</script>"
                st.html(f'<div class="rv-latest"></div>{script}', unsafe_allow_javascript=True)
            draw_exchange(
                desk,
                person,
                exchange,
                ahead=running.ahead if running else 0,
                listen=partial(talk.player.play, exchange.key) if talk.player.clips.get(exchange.key) else None,
                stop=partial(_stop, talk),
                rated=partial(_rate, desk, person, talk, exchange),
                draft=lambda: running.draft(len(events)) if running else "",
            )


def _draw_welcome(desk: Desk, person: Person, talk: Talk) -> None:
    st.html(
        '<div class="rv-welcome"><h1>Ask your documents</h1><p>Type a question, or press the microphone and speak. '
        "The answer comes from your company's own documents, spoken and written, with the place where it stands. "
        "If it is not in the documents, you will be told so.</p></div>"
    )
    if talk.examples is None:
        talk.examples = _examples(desk, person)
    if talk.examples:
        st.caption("Try one of these:")
    for number, question in enumerate(talk.examples):
        st.button(
            label(question, 120),
            key=f"example-{number}",
            icon=":material/chat_bubble:",
            on_click=partial(_ask, talk, question),
        )


def _examples(desk: Desk, person: Person) -> list[str]:
    if desk.settings.examples:
        return list(desk.settings.examples)
    try:
        with st.spinner("Getting ready"):
            # A reranker would take a second for each of them.
            asked = () if desk.settings.reranker else COMMON_QUESTIONS
            common = {question: hits[0] for question in asked if (hits := desk.search(person, question, 1))}
            return example_questions(common, desk.search(person, BROAD_QUERY, 40))
    except RagVoiceError as error:
        words = trouble(error)
        st.warning(f"**{words.title}.** {label(words.message, 400)} {words.advice}", icon=":material/info:")
        return []


def _ask(talk: Talk, question: str | AudioChunk) -> None:
    """Stops what is still being answered: who asks again does not want to hear the rest."""
    _stop(talk)
    talk.player.silence()
    talk.asked = question


def _begin(desk: Desk, person: Person, talk: Talk, question: str | AudioChunk) -> None:
    typed, conversation_id = question if isinstance(question, str) else "", talk.conversation_id
    talk.running = RunningTurn(typed, lambda: desk.ask(person, question, conversation_id=conversation_id, speak=True))


def _take_input(talk: Talk) -> None:
    given = st.session_state["question"]
    try:
        question = question_in(given)
    except RagVoiceError as error:
        key = f"recording-{len(talk.exchanges)}"
        talk.exchanges.append(of_events(key, given.text or "A recording", (), error=error))
    else:
        _ask(talk, question)


def question_in(given: Any) -> str | AudioChunk:
    """:param given: What `st.chat_input` has taken: a recording counts, made here or attached, else the text.

    :raises AudioError: for what is not a recording.
    """
    from ragvoice.speech.audio import decode

    recordings = [given.audio] if given.audio else list(given.files)
    return decode(recordings[0].getvalue()) if recordings else str(given.text)


def _stop(talk: Talk) -> None:
    talk.asked = None
    if talk.running is not None:
        talk.running.stop()
        _follow(talk, talk.running)


def _follow(talk: Talk, running: RunningTurn) -> None:
    """Take over what the turn has given so far; at its end it becomes one of the exchanges."""
    finished, events = running.finished, running.events
    audio = sounds_of(events)
    if audio and not running.stopped:
        if running.id not in talk.player.clips:
            talk.player.play(running.id)
        talk.player.add(running.id, audio)
    if not finished:
        return
    talk.running = None
    ended = of_events(running.id, running.question, events, stopped=running.stopped, error=running.error)
    # Who looked for a spoken turn may have found this one in the log already.
    talk.exchanges = [one for one in talk.exchanges if not ended.turn_id or one.turn_id != ended.turn_id]
    talk.exchanges.append(ended)


def _take_live_turn(desk: Desk, person: Person, talk: Talk, turn: LiveTurn | None) -> None:
    """A finished one is in the log already; of an interrupted one what was heard comes a little later."""
    if turn is None or turn == talk.live_turn:
        return
    talk.live_turn = turn
    talk.awaited_until = time.monotonic() + _AWAITED_S if turn.interrupted else 0.0
    _take_told(desk, person, talk)
    st.rerun()


def _take_told(desk: Desk, person: Person, talk: Talk) -> bool:
    """What the live voice has told, from the log or, where that keeps no turns, from the desk.

    :returns: Whether there was more of it than is shown, or less, because an answer was interrupted after its end.
    """
    shown = {exchange.turn_id: number for number, exchange in enumerate(talk.exchanges) if exchange.turn_id}
    told = [of_answer(answer) for answer in desk.unlogged(person, talk.conversation_id)]
    with suppress(RagVoiceError):  # turns are not kept, or cannot be read
        told = [*map(of_turn, desk.conversations(person).turns(talk.conversation_id)), *told]
    changed = False
    for exchange in told:
        number = shown.get(exchange.turn_id)
        if number is None:
            talk.exchanges.append(exchange)
        elif exchange.answer != talk.exchanges[number].answer:
            talk.exchanges[number] = replace(exchange, key=talk.exchanges[number].key)
        else:
            continue
        changed = True
        if number is not None or exchange.state == "interrupted":
            talk.awaited_until = 0.0
    return changed


def _open(desk: Desk, person: Person, talk: Talk, conversation_id: str | None) -> None:
    """:param conversation_id: None for a new one."""
    stored = desk.conversations(person)
    try:
        turns = stored.turns(conversation_id) if conversation_id else ()
    except RagVoiceError as error:
        st.toast(label(str(error), 200), icon=":material/error:")
        return
    _stop(talk)
    talk.player.silence()
    talk.exchanges = [of_turn(turn) for turn in turns]
    talk.conversation_id = conversation_id or stored.resolve("new")
    talk.whole = False


def _rate(desk: Desk, person: Person, talk: Talk, exchange: Exchange, rating: int | None, reason: str) -> None:
    try:
        desk.rate(person, exchange.turn_id, rating, reason)
    except RagVoiceError as error:
        st.toast(label(str(error), 200), icon=":material/error:")
        return
    rated = replace(exchange, rating=rating, reason=reason)
    talk.exchanges = [rated if one.key == exchange.key else one for one in talk.exchanges]


@st.fragment(run_every=LOOK_EVERY_S)
def _watch(running: RunningTurn, drawn: tuple[int, int, bool]) -> None:
    if running.version != drawn:
        st.rerun()


@st.fragment(run_every=LOOK_EVERY_S)
def _await_live_turn(desk: Desk, person: Person, talk: Talk) -> None:
    if _take_told(desk, person, talk) or time.monotonic() >= talk.awaited_until:
        talk.awaited_until = 0.0
        st.rerun()
