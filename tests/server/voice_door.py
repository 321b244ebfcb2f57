"""A server of the live voice whose loops say what the test tells them to, and a client of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from fake_loop import FakeLoop
from starlette.applications import Starlette
from starlette.testclient import TestClient, WebSocketTestSession
from starlette.websockets import WebSocketDisconnect

from ragvoice.people.person import Person
from ragvoice.server.admission import authenticator
from ragvoice.server.realtime import PATH, realtime_route
from ragvoice.server.session import Session
from ragvoice.server.sign_ins import SignIns
from ragvoice.server.tickets import Admitted, Tickets

Json = dict[str, Any]
SECOND_OF_PCM = np.full(24_000, 16_384, "<i2").tobytes()
ASK_IN_WRITING = {
    "type": "conversation.item.create",
    "item": {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "How much leave?"}]},
}


class Door:
    """A server with one fake loop a connection, and a client."""

    def __init__(self, *, accounts: bool = False, full: bool = False, max_connections: int = 4, per_person: int = 4):
        self.loops: list[FakeLoop] = []
        self.fails: list[Exception] = []
        self.tickets = Tickets()
        self.sign_ins = SignIns()
        self.full = full
        self.address = "ws://localhost:8501"
        route = realtime_route(
            self.open,
            authenticator(self.tickets, lambda: accounts, Person("", "admin")),
            self.sign_ins,
            max_connections=max_connections,
            per_person=per_person,
        )
        self.client = TestClient(Starlette(routes=[route]), client=("127.0.0.1", 50_000))

    def open(self, admitted: Admitted, session: Session) -> FakeLoop:
        if self.fails:
            raise self.fails.pop()
        self.loops.append(FakeLoop(admitted, session, full=self.full))
        return self.loops[-1]

    @contextmanager
    def connected(self, path: str = PATH, **headers: str) -> Iterator[WebSocketTestSession]:
        with self.client.websocket_connect(self.address + path, headers=headers) as socket:
            assert [socket.receive_json()["type"] for _ in range(2)] == ["session.created", "conversation.created"]
            yield socket

    @property
    def loop(self) -> FakeLoop:
        return self.loops[-1]


def until(socket: WebSocketTestSession, type_: str) -> list[Json]:
    """Events up to and with the first of this type."""
    events: list[Json] = []
    while not events or events[-1]["type"] != type_:
        events.append(socket.receive_json())
    return events


def types(events: list[Json]) -> list[str]:
    return [event["type"] for event in events]


def one(events: list[Json], type_: str) -> Json:
    (found,) = (event for event in events if event["type"] == type_)
    return found


def error_of(socket: WebSocketTestSession) -> Json:
    event = socket.receive_json()
    assert event["type"] == "error", event
    return event["error"]


def started(door: Door, socket: WebSocketTestSession) -> FakeLoop:
    socket.send_bytes(SECOND_OF_PCM)
    socket.send_json({"type": "input_audio_buffer.clear"})  # its answer says that the sound was taken
    until(socket, "input_audio_buffer.cleared")
    return door.loop


def refused(door: Door, code: int = 4401, **headers: str) -> str:
    with door.client.websocket_connect(door.address + PATH, headers=headers) as socket:
        message = error_of(socket)["message"]
        with pytest.raises(WebSocketDisconnect) as closed:
            socket.receive_json()
    assert closed.value.code == code
    assert not door.loops or door.loops[-1].calls[-1] == ("close", None)
    assert message
    return message
