"""One client of the live voice door: its messages move the voice loop, and what the loop tells goes back."""

from __future__ import annotations

import asyncio
import json
import logging
import math
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import anyio
from starlette.websockets import WebSocket, WebSocketDisconnect

from ragvoice.datatypes import AudioChunk
from ragvoice.errors import AccessError, RagVoiceError, UsageError
from ragvoice.server.client_events import ClientEvent, ClientEventError, binary, parse
from ragvoice.server.response_events import Json, new_id, server_event
from ragvoice.server.server_events import NOTHING_TO_ANSWER, ServerEvents, error_event
from ragvoice.server.session import Session
from ragvoice.server.sign_ins import SignIns
from ragvoice.server.tickets import Admitted
from ragvoice.voice.events import Failed, VoiceEvent
from ragvoice.voicebot import Said, SaidOn

NOT_ADMITTED = 4401
"""Code with which a connection is closed."""
_OUTGOING = 32
"""Events that wait for a slow client before the loop's thread waits too."""
_RETRY_AFTER_S = 3.0
"""A loop that could not be opened is not tried again with every frame of sound."""
_SAME_ERROR_EVERY_S = 1.0
_LAST_EVENTS_S = 10.0
"""How long a slow client may take for what a closed loop had yet to tell."""

_log = logging.getLogger(__name__)


class LiveLoop(Protocol):
    """What the connection needs of `ragvoice.voice.loop.VoiceLoop`. All but `events` and `close` return at once."""

    def hear(self, chunk: AudioChunk) -> float: ...
    def say(self, text: str) -> None: ...
    def interrupt(self, heard_s: float | None = None) -> None: ...
    def played(self, seconds: float) -> None: ...
    def commit(self) -> None: ...
    def respond(self) -> None: ...
    def clear(self) -> None: ...
    def events(self) -> Iterator[VoiceEvent]: ...
    def close(self) -> None: ...


OpenLoop = Callable[[Admitted, Session], LiveLoop]
"""May take long, for it may load the models; runs in a thread. The admitted one has a conversation."""


class Connection:
    """One client. The loop is opened at the first sound or question: a page that only lies open costs nothing.

    With the first message on either side after the end of the client's sign-in, or when a turn is refused for want of
    rights, the client is told why and the connection is closed.
    """

    def __init__(self, websocket: WebSocket, admitted: Admitted, open_loop: OpenLoop, sign_ins: SignIns):
        self._websocket = websocket
        self._admitted = admitted
        self._open_loop = open_loop
        self._sign_ins = sign_ins
        self._session = Session(new_id("sess"))
        self._events = ServerEvents(self._session, admitted.conversation_id or "")
        self._live: LiveLoop | None = None
        self._pumping = threading.Thread()
        self._outgoing: asyncio.Queue[Json | None] = asyncio.Queue(_OUTGOING)
        """None closes the connection."""
        self._closed = False
        self._unasked: list[str] = []
        """Typed messages that wait for `response.create`."""
        self._by_hand = False
        """A turn that was ended by `input_audio_buffer.commit` waits for `response.create`."""
        self._failed_at, self._failure = float("-inf"), RagVoiceError()
        self._reported_at, self._reported = float("-inf"), ""

    async def run(self) -> None:
        conversation = {"id": self._admitted.conversation_id, "object": "realtime.conversation"}
        await self._put(server_event("session.created", session=self._session.described()))
        await self._put(server_event("conversation.created", conversation=conversation))
        sender = asyncio.create_task(self._send())
        try:
            while (message := await self._websocket.receive())["type"] != "websocket.disconnect":
                await self._received(message)
        finally:
            self._closed = True
            sender.cancel()
            while not self._outgoing.empty():  # whoever waits to put something may go
                self._outgoing.get_nowait()
            await self._close_loop()

    async def _send(self) -> None:
        try:
            while (event := await self._outgoing.get()) is not None:
                await self._websocket.send_text(json.dumps(event))
            await self._websocket.close(NOT_ADMITTED)
        except (WebSocketDisconnect, RuntimeError, OSError):  # gone
            pass
        self._closed = True  # `receive` will say so
        while True:
            await self._outgoing.get()

    async def _put(self, event: Json | None) -> None:
        if not self._closed:
            await self._outgoing.put(event)

    async def _received(self, message: Any) -> None:
        event: ClientEvent | None = None
        try:
            self._check_sign_in()
            if message.get("bytes") is not None:
                await self._hear(binary(message["bytes"], self._session.input_format))
                return
            event = parse(message["text"])
            await self._do(event)
        except RagVoiceError as error:
            event_id = event.event_id if event else getattr(error, "event_id", None)
            await self._report(error, event_id)
            if isinstance(error, AccessError):
                await self._put(None)
        except Exception as error:  # the connection outlives one bad message
            _log.exception("The voice door failed at %s", event.type if event else "a message")
            await self._report(RagVoiceError(f"The server failed at this message: {error}"), None)

    def _check_sign_in(self) -> None:
        """:raises AccessError: when it is over."""
        if self._admitted.sign_in is not None:
            self._sign_ins.get(self._admitted.sign_in)

    async def _report(self, error: RagVoiceError, event_id: str | None) -> None:
        """The same words not with every frame."""
        now = time.monotonic()
        if event_id is None and str(error) == self._reported and now - self._reported_at < _SAME_ERROR_EVERY_S:
            return
        self._reported_at, self._reported = now, str(error)
        await self._put(error_event(error, event_id))

    async def _do(self, event: ClientEvent) -> None:
        match event.type:
            case "session.update":
                await self._update(event)
            case "input_audio_buffer.append":
                await self._hear(event.audio(self._session.input_format))
            case "input_audio_buffer.commit":
                await self._commit()
            case "input_audio_buffer.clear":
                if self._live:
                    self._live.clear()
                self._by_hand = self._by_hand and not self._session.by_hand
                await self._put_all(self._events.cleared())
            case "conversation.item.create":
                text = event.text()
                self._unasked.append(text)
                await self._put_all(self._events.typed(text))
            case "response.create":
                await self._respond()
            case "response.cancel":
                self._interrupt(None)
            case "output_audio_buffer.clear":
                self._interrupt(None)
                cleared = server_event("output_audio_buffer.cleared", response_id=self._events.last_response_id or "")
                await self._put(cleared)
            case "conversation.item.truncate":
                await self._truncate(event)
            case "ragvoice.playback":
                position_s = event.number("position_ms") / 1000
                if self._live and event.content.get("response_id") in (None, self._events.last_response_id):
                    self._live.played(position_s)

    async def _update(self, event: ClientEvent) -> None:
        before, self._session = self._session, self._session.updated(event.content.get("session"))
        self._events.session = self._session
        if _listening(before) != _listening(self._session):
            self._interrupt(None)  # ends the response of an answer that is being told
            await self._close_loop()
            self._events.forget_speech()
        await self._put(server_event("session.updated", session=self._session.described()))

    async def _hear(self, chunk: AudioChunk) -> None:
        (await self._loop()).hear(chunk)

    async def _commit(self) -> None:
        if self._live is None:
            raise UsageError("There is no sound to commit. Send input_audio_buffer.append, or binary frames, first.")
        self._by_hand = True
        await self._put_all(self._events.committed())
        if not self._session.by_hand:
            self._live.commit()

    async def _respond(self) -> None:
        if self._unasked:
            text, self._unasked = " ".join(self._unasked), []
            (await self._loop()).say(text)
        elif self._live and (self._by_hand or not self._session.responds):
            self._by_hand = False
            if self._session.by_hand:
                self._live.commit()
            self._live.respond()
        else:
            raise UsageError(NOTHING_TO_ANSWER)

    def _interrupt(self, heard_s: float | None) -> None:
        if self._live:
            self._events.cancelled_by_client = True
            self._live.interrupt(heard_s)

    async def _truncate(self, event: ClientEvent) -> None:
        heard_ms, item_id = event.number("audio_end_ms"), event.content.get("item_id")
        if item_id != self._events.last_answer_item:
            raise ClientEventError(f"item_id is the newest answer's: {self._events.last_answer_item}.", event.event_id)
        self._interrupt(heard_ms / 1000)
        await self._put(
            server_event("conversation.item.truncated", item_id=item_id, content_index=0, audio_end_ms=round(heard_ms))
        )

    async def _put_all(self, events: list[Json]) -> None:
        for event in events:
            await self._put(event)

    async def _loop(self) -> LiveLoop:
        """:raises RagVoiceError: when it cannot be opened, for instance because there is no index yet."""
        if self._live is None:
            if time.monotonic() - self._failed_at < _RETRY_AFTER_S:
                raise self._failure
            try:
                self._live = await asyncio.to_thread(self._open_loop, self._admitted, self._session)
            except RagVoiceError as error:
                self._failed_at, self._failure = time.monotonic(), error
                raise
            target = (self._live, asyncio.get_running_loop())
            self._pumping = threading.Thread(target=self._pump, args=target, name="realtime-events", daemon=True)
            self._pumping.start()
        return self._live

    def _pump(self, live: LiveLoop, asyncio_loop: asyncio.AbstractEventLoop) -> None:
        """What the loop tells, until it is closed; waits where the client is slow. Runs in a thread of its own."""
        for event in live.events():
            try:
                self._check_sign_in()
            except AccessError as error:
                event = Failed(error)
            told: list[Json | None] = [*self._events.translate(event)]
            if isinstance(event, Failed) and isinstance(event.error, AccessError):
                told.append(None)
            for translated in told:
                if self._closed or asyncio_loop.is_closed():
                    break
                asyncio.run_coroutine_threadsafe(self._put(translated), asyncio_loop).result()
            if self._session.modality == "text" and isinstance(event, Said | SaidOn):
                live.played(math.inf)  # what is written is read at once

    async def _close_loop(self) -> None:
        live, self._live = self._live, None
        if live:
            with anyio.CancelScope(shield=True):  # also when the server shuts down
                await asyncio.to_thread(live.close)
                await asyncio.to_thread(self._pumping.join, _LAST_EVENTS_S)


def _listening(session: Session) -> tuple[object, ...]:
    """What a loop is opened with."""
    return session.pause_s, session.by_hand, session.responds, session.interrupts
