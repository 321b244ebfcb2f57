"""The protocol, with a voice loop that says what the test tells it to."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from fake_loop import ANSWER, CITATION, TURN, FakeLoop
from starlette.applications import Starlette
from starlette.testclient import TestClient, WebSocketTestSession
from starlette.websockets import WebSocketDisconnect

from ragvoice.errors import BusyError, VectorIndexError
from ragvoice.fair_queue import Waiting
from ragvoice.people.person import Person
from ragvoice.server import client_events, connection
from ragvoice.server.admission import authenticator
from ragvoice.server.realtime import PATH, realtime_route
from ragvoice.server.session import Session
from ragvoice.server.tickets import Admitted, Tickets
from ragvoice.voice.events import (
    Failed,
    Interrupted,
    NothingHeard,
    Partial,
    SpeechEnded,
    SpeechStarted,
)
from ragvoice.voicebot import Said

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
        self.full = full
        self.address = "ws://localhost:8501"
        route = realtime_route(
            self.open,
            authenticator(self.tickets, lambda: accounts, Person("", "admin")),
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


@pytest.fixture
def door() -> Door:
    return Door()


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


def test_a_spoken_turn(door):
    with door.connected() as socket:
        loop = started(door, socket)
        loop.tell(
            SpeechStarted(0.3), Partial("How much"), Partial("How much leave"), Waiting(2), SpeechEnded(1.9), *TURN
        )
        events = until(socket, "response.done")

    assert types(events) == [
        "input_audio_buffer.speech_started",
        "ragvoice.partial",
        "conversation.item.input_audio_transcription.delta",
        "ragvoice.partial",
        "conversation.item.input_audio_transcription.delta",
        "ragvoice.waiting",
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.done",
        "conversation.item.input_audio_transcription.completed",
        "response.created",
        "response.output_item.added",
        "conversation.item.added",
        "response.content_part.added",
        "ragvoice.sources",
        "response.output_audio_transcript.delta",
        "ragvoice.sentence",
        "response.output_audio.delta",
        "response.output_audio.delta",
        "response.output_audio.delta",
        "response.output_audio_transcript.delta",
        "ragvoice.sentence",
        "response.output_audio.delta",
        "response.output_audio.delta",
        "response.output_audio.delta",
        "ragvoice.answer",
        "response.output_audio.done",
        "response.output_audio_transcript.done",
        "response.content_part.done",
        "response.output_item.done",
        "conversation.item.done",
        "response.done",
    ]
    speech_items = {event["item_id"] for event in events[:8] if "item_id" in event}
    assert speech_items == {events[10]["item_id"]}
    assert len({event["event_id"] for event in events}) == len(events)
    assert (events[0]["audio_start_ms"], events[6]["audio_end_ms"]) == (300, 1900)
    assert [events[2]["delta"], events[4]["delta"]] == ["How much", " leave"]
    assert events[5]["ahead"] == 2
    assert events[10]["transcript"] == "How much leave?"
    assert one(events, "ragvoice.sources")["passages"][0]["source"] == "hr/leave.md"
    assert one(events, "response.output_audio_transcript.done")["transcript"] == "You get 25 days. A year."
    answer = one(events, "ragvoice.answer")
    assert (answer["turn_id"], answer["outcome"], answer["confidence"]) == ("turn1", "answered", 0.8)
    assert answer["citations"][0]["quote"] == CITATION.quote
    done = events[-1]["response"]
    assert (done["status"], done["metadata"]) == ("completed", {"turn_id": "turn1"})
    assert done["output"][0]["content"] == [{"type": "output_audio", "transcript": "You get 25 days. A year."}]


def test_every_event_is_one_that_an_existing_client_understands(door):
    realtime = pytest.importorskip("openai.types.realtime.realtime_server_event")
    models = pytest.importorskip("openai._models")
    with door.client.websocket_connect(door.address + PATH) as socket:
        events = [socket.receive_json(), socket.receive_json()]
        socket.send_json({"type": "session.update", "session": {"type": "realtime"}})
        socket.send_text("?")
        socket.send_json(ASK_IN_WRITING)
        socket.send_bytes(SECOND_OF_PCM)
        socket.send_json({"type": "input_audio_buffer.clear"})
        events += until(socket, "input_audio_buffer.cleared")
        door.loop.tell(
            SpeechStarted(0.3), Partial("How"), SpeechEnded(1.9), *TURN, *TURN[:3], Interrupted("You get", 0.4)
        )
        events += until(socket, "response.done") + until(socket, "response.done")
        item_id = one(events[-20:], "response.output_item.done")["item"]["id"]
        socket.send_json({"type": "conversation.item.truncate", "item_id": item_id, "audio_end_ms": 400})
        socket.send_json({"type": "output_audio_buffer.clear"})
        events += until(socket, "output_audio_buffer.cleared")

    theirs = [event for event in events if not event["type"].startswith("ragvoice.")]
    assert len(set(types(theirs))) >= 24
    for event in theirs:
        parsed = models.validate_type(type_=realtime.RealtimeServerEvent, value=event)
        assert parsed.type == event["type"]


def test_the_sound_is_pcm16_at_24_khz_and_sentences_say_where_in_it_they_stand(door):
    with door.connected() as socket:
        started(door, socket).tell(*TURN)
        events = until(socket, "response.done")

    pieces = [event["delta"] for event in events if event["type"] == "response.output_audio.delta"]
    pcm = np.frombuffer(b"".join(base64.b64decode(piece) for piece in pieces), "<i2")
    assert len(pcm) == 24_000  # two sentences of half a second, from 22.05 kHz
    assert np.allclose(pcm[4000:8000] / 32768, 0.5, atol=0.01)
    sentences = [event for event in events if event["type"] == "ragvoice.sentence"]
    assert [(s["audio_start_ms"], s["audio_end_ms"]) for s in sentences] == [(0, 500), (500, 1000)]
    assert sentences[0]["citation"]["page"] == 3
    assert sentences[1]["citation"] is None


def test_the_sound_of_the_microphone_comes_in_base64_and_in_binary_frames(door):
    with door.connected() as socket:
        socket.send_json({"type": "input_audio_buffer.append", "audio": base64.b64encode(SECOND_OF_PCM).decode()})
        loop = started(door, socket)

    for chunk in loop.heard:
        assert (chunk.sample_rate_hz, len(chunk.samples_t)) == (24_000, 24_000)
        assert chunk.samples_t.dtype == np.float32
        assert np.allclose(chunk.samples_t, 0.5)
    assert len(loop.heard) == 2


def test_no_loop_is_opened_before_there_is_something_to_hear_and_a_lost_client_closes_it(door):
    with door.connected():
        assert not door.loops
    with door.connected() as socket:
        loop = started(door, socket)
    assert loop.calls[-1] == ("close", None)


def test_a_written_question_waits_for_response_create(door):
    with door.connected() as socket:
        socket.send_json(ASK_IN_WRITING)
        events = until(socket, "conversation.item.done")
        assert events[0]["item"]["content"] == [{"type": "input_text", "text": "How much leave?"}]
        assert not door.loops
        socket.send_json({"type": "response.create"})
        assert until(socket, "response.done")[-1]["response"]["status"] == "completed"
    assert door.loop.calls[0] == ("say", "How much leave?")


def test_a_turn_ended_by_hand_with_voice_detection_on(door):
    with door.connected() as socket:
        loop = started(door, socket)
        socket.send_json({"type": "input_audio_buffer.commit"})
        socket.send_json({"type": "response.create"})  # as clients do that may have turned detection off
        events = until(socket, "response.done")
        loop.tell(SpeechEnded(1.0))
        assert types(until(socket, "input_audio_buffer.speech_stopped")) == ["input_audio_buffer.speech_stopped"]
    assert types(events).count("input_audio_buffer.committed") == 1
    assert "error" not in types(events)
    assert [name for name, _ in loop.calls].count("commit") == 1


def test_a_turn_ended_by_hand_without_voice_detection_is_answered_when_asked_for(door):
    with door.connected() as socket:
        session = {"type": "realtime", "audio": {"input": {"turn_detection": None}}}
        socket.send_json({"type": "session.update", "session": session})
        assert until(socket, "session.updated")[-1]["session"]["audio"]["input"]["turn_detection"] is None
        loop = started(door, socket)
        socket.send_json({"type": "input_audio_buffer.commit"})
        until(socket, "conversation.item.done")
        assert loop.session.by_hand
        assert ("commit", None) not in loop.calls
        socket.send_json({"type": "response.create"})
        until(socket, "response.done")
    assert ("commit", None) in loop.calls


def test_settings_of_the_session(door):
    with door.connected() as socket:
        first = started(door, socket)
        wanted = {
            "type": "realtime",
            "instructions": "Be a pirate.",
            "audio": {
                "input": {
                    "format": {"type": "audio/pcm", "rate": 16_000},
                    "turn_detection": {"type": "server_vad", "silence_duration_ms": 900, "interrupt_response": False},
                },
                "output": {"format": {"type": "audio/pcm", "rate": 22_050}},
            },
        }
        socket.send_json({"type": "session.update", "session": wanted})
        session = until(socket, "session.updated")[-1]["session"]
        second = started(door, socket)
        second.tell(*TURN)
        events = until(socket, "response.done")

    assert session["audio"]["input"]["format"]["rate"] == 16_000
    assert "instructions" not in session
    assert session["audio"]["input"]["turn_detection"]["silence_duration_ms"] == 900
    assert first.calls[-1] == ("close", None)
    assert (second.session.pause_s, second.session.interrupts) == (0.9, False)
    assert second.heard[0].sample_rate_hz == 16_000
    pieces = [event["delta"] for event in events if event["type"] == "response.output_audio.delta"]
    assert sum(len(base64.b64decode(piece)) for piece in pieces) == 2 * 22_050  # unchanged


def test_an_answer_ends_before_turns_are_detected_in_another_way(door):
    session = {"type": "realtime", "audio": {"input": {"turn_detection": None}}}
    with door.connected() as socket:
        loop = started(door, socket)
        loop.when_interrupted = (Interrupted("You get", 0.4),)
        loop.tell(SpeechStarted(0.3), SpeechEnded(1.9), *TURN[:3], SpeechStarted(2.5), SpeechEnded(3.0))
        until(socket, "response.output_audio.delta")
        until(socket, "input_audio_buffer.committed")
        socket.send_json({"type": "session.update", "session": session})
        events = until(socket, "session.updated")
        socket.send_bytes(SECOND_OF_PCM)
        socket.send_json({"type": "input_audio_buffer.commit"})
        socket.send_json({"type": "response.create"})
        after = until(socket, "response.done")

    done = one(events, "response.done")["response"]
    assert done["status_details"] == {"type": "cancelled", "reason": "client_cancelled"}
    assert loop.calls[-2:] == [("interrupt", None), ("close", None)]
    assert one(after, "input_audio_buffer.committed"), "what was said before the change is no part of it"
    assert after[-1]["response"]["id"] != done["id"]


def test_an_answer_in_writing(door):
    with door.connected() as socket:
        socket.send_json({"type": "session.update", "session": {"output_modalities": ["text"]}})
        until(socket, "session.updated")
        started(door, socket).tell(*TURN)
        events = until(socket, "response.done")

    assert [e["delta"] for e in events if e["type"] == "response.output_text.delta"] == ["You get 25 days.", " A year."]
    assert not [name for name in types(events) if name.startswith("response.output_audio")]


@pytest.mark.parametrize(
    ("session", "words"),
    [
        ("none", "session is an object"),
        ({"type": "transcription"}, "transcription alone"),
        ({"output_modalities": ["smell"]}, "output_modalities"),
        ({"audio": {"input": {"format": {"type": "audio/pcmu"}}}}, "16-bit little-endian"),
        ({"audio": {"output": {"format": {"type": "audio/pcm", "rate": 96_000}}}}, "8000 to 48000"),
        ({"audio": {"input": {"turn_detection": {"silence_duration_ms": 5}}}}, "100 to 10000"),
        ({"audio": {"input": {"turn_detection": {"create_response": False}}}}, "turn_detection to null"),
    ],
)
def test_a_session_that_is_not_offered_is_explained_and_changes_nothing(door, session, words):
    with door.connected() as socket:
        socket.send_json({"type": "session.update", "session": session, "event_id": "e7"})
        error = error_of(socket)
        socket.send_json({"type": "session.update", "session": {}})
        after = until(socket, "session.updated")[-1]["session"]

    assert words in error["message"]
    assert (error["type"], error["event_id"]) == ("invalid_request_error", "e7")
    assert after["audio"]["input"]["format"]["rate"] == 24_000


def test_the_client_stops_an_answer_and_says_how_much_was_heard(door):
    with door.connected() as socket:
        loop = started(door, socket)
        loop.tell(*TURN[:3])
        item_id = one(until(socket, "response.output_audio.delta"), "response.output_item.added")["item"]["id"]
        socket.send_json({"type": "ragvoice.playback", "position_ms": 250})
        socket.send_json({"type": "ragvoice.playback", "position_ms": 900, "response_id": "resp_of_before"})
        truncate = {"type": "conversation.item.truncate", "item_id": item_id, "content_index": 0, "audio_end_ms": 400}
        socket.send_json(truncate)
        assert until(socket, "conversation.item.truncated")[-1]["audio_end_ms"] == 400
        loop.tell(Interrupted("You get", 0.4))
        events = until(socket, "response.done")

    assert [call for call in loop.calls if call[0] in ("played", "interrupt")] == [("played", 0.25), ("interrupt", 0.4)]
    assert one(events, "ragvoice.interrupted")["heard_text"] == "You get"
    assert events[-1]["response"]["status_details"] == {"type": "cancelled", "reason": "client_cancelled"}
    assert events[-1]["response"]["output"][0]["status"] == "incomplete"


def test_speech_that_stops_an_answer_is_told_as_such(door):
    with door.connected() as socket:
        loop = started(door, socket)
        loop.tell(*TURN[:3], Interrupted("You", 0.2), SpeechStarted(3.0))
        events = until(socket, "input_audio_buffer.speech_started")

    assert one(events, "response.done")["response"]["status_details"]["reason"] == "turn_detected"


@pytest.mark.parametrize("type_", ["response.cancel", "output_audio_buffer.clear"])
def test_other_ways_to_stop(door, type_):
    with door.connected() as socket:
        loop = started(door, socket)
        socket.send_json({"type": type_})
        socket.send_json({"type": "input_audio_buffer.clear"})
        until(socket, "input_audio_buffer.cleared")
    assert ("interrupt", None) in loop.calls


def test_noise_that_is_no_question(door):
    with door.connected() as socket:
        started(door, socket).tell(SpeechStarted(0.1), SpeechEnded(0.4), NothingHeard())
        events = until(socket, "ragvoice.nothing_heard")

    assert one(events, "conversation.item.input_audio_transcription.completed")["transcript"] == ""
    assert "response.created" not in types(events)


def test_a_turn_that_fails_ends_its_answer_and_the_next_one_works(door):
    with door.connected() as socket:
        loop = started(door, socket)
        loop.tell(*TURN[:3], Failed(BusyError("Eight people are asking. Ask again in a moment.")))
        failed = until(socket, "response.done")
        loop.tell(*TURN)
        worked = until(socket, "response.done")

    error = one(failed, "error")["error"]
    assert (error["type"], error["code"]) == ("rate_limit_error", "busy")
    assert "Ask again" in error["message"]
    assert failed[-1]["response"]["status"] == "failed"
    assert worked[-1]["response"]["status"] == "completed"


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("not json", "one JSON object"),
        ("[1]", "one JSON object"),
        ("{}", "type None is unknown"),
        ('{"type": "make_coffee"}', "input_audio_buffer.append"),
        ('{"type": ["session.update"]}', "unknown"),
        (b"odd", "half a sample"),
        ('{"type": "input_audio_buffer.append"}', "needs audio"),
        ('{"type": "input_audio_buffer.append", "audio": "%%%"}', "not base64"),
        ('{"type": "input_audio_buffer.append", "audio": "YWJj"}', "half a sample"),
        ('{"type": "input_audio_buffer.commit"}', "no sound to commit"),
        ('{"type": "response.create"}', "nothing to answer"),
        ('{"type": "conversation.item.create", "item": {"type": "function_call_output"}}', "no tools"),
        ('{"type": "conversation.item.create", "item": 3}', "An item is"),
        ('{"type": "conversation.item.truncate", "item_id": "x"}', "audio_end_ms"),
        ('{"type": "conversation.item.truncate", "item_id": "x", "audio_end_ms": 5}', "newest answer"),
        ('{"type": "ragvoice.playback", "position_ms": -1}', "not negative"),
        ('{"type": "ragvoice.playback", "position_ms": NaN}', "not negative"),
    ],
)
def test_what_cannot_be_used_is_explained_and_the_connection_lives_on(door, message, words):
    with door.connected() as socket:
        if isinstance(message, bytes):
            socket.send_bytes(message)
        else:
            socket.send_text(message)
        error = error_of(socket)
        started(door, socket).tell(*TURN)
        assert until(socket, "response.done")[-1]["response"]["status"] == "completed"

    assert words in error["message"]
    assert error["type"] == "invalid_request_error"


def test_a_text_of_nothing_and_one_without_end(door):
    with door.connected() as socket:
        for text in (" ", "x" * (client_events.MAX_TEXT + 1)):
            item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}
            socket.send_json({"type": "conversation.item.create", "item": item})
            assert "1 to 20000 characters" in error_of(socket)["message"]


def test_too_large_a_message(door, monkeypatch):
    monkeypatch.setattr(client_events, "MAX_MESSAGE_BYTES", 1000)
    with door.connected() as socket:
        socket.send_text(json.dumps({"type": "input_audio_buffer.append", "audio": "A" * 1000}))
        assert "at most 1000 bytes" in error_of(socket)["message"]
        socket.send_bytes(bytes(1002))
        assert "not 1002" in error_of(socket)["message"]


def test_sound_faster_than_it_can_be_heard_is_refused_once_a_second():
    door = Door(full=True)
    with door.connected() as socket:
        for _ in range(20):
            socket.send_bytes(SECOND_OF_PCM)
        socket.send_json({"type": "input_audio_buffer.clear"})
        events = until(socket, "input_audio_buffer.cleared")

    assert 1 <= len(events) - 1 < 20
    assert events[0]["error"]["code"] == "audio"
    assert "no faster" in events[0]["error"]["message"]


def test_a_loop_that_cannot_be_opened_is_tried_again_later(door, monkeypatch):
    monkeypatch.setattr(connection, "_RETRY_AFTER_S", 0.2)
    door.fails.append(VectorIndexError("There is no index yet. Add documents first."))
    with door.connected() as socket:
        socket.send_bytes(SECOND_OF_PCM)
        socket.send_bytes(SECOND_OF_PCM)
        assert error_of(socket)["code"] == "index"
        time.sleep(0.25)
        started(door, socket).tell(*TURN)
        assert until(socket, "response.done")
    assert len(door.loops) == 1


def test_a_slow_client_makes_the_loop_wait_and_can_leave_meanwhile(door):
    with door.connected() as socket:
        loop = started(door, socket)
        for _ in range(40):
            loop.tell(*TURN)
        until(socket, "response.done")
    assert loop.calls[-1] == ("close", None)


def test_the_ticket_says_who_speaks_and_in_which_conversation():
    door = Door(accounts=True)
    ada = Person("ada", "asker", ("hr",))
    ticket = door.tickets.issue(ada, "c1")
    protocols = {"sec-websocket-protocol": f"realtime, openai-insecure-api-key.{ticket}"}
    with door.connected(**protocols) as socket:
        assert socket.accepted_subprotocol == "realtime"
        assert started(door, socket).admitted == Admitted(ada, "c1")
    with door.connected(authorization=f"Bearer {door.tickets.issue(ada)}", path=f"{PATH}?conversation_id=c2") as socket:
        assert started(door, socket).admitted == Admitted(ada, "c2")

    refused(door, **protocols)  # used already
    refused(door)
    refused(door, authorization="Bearer sk-anything")


def test_a_page_of_another_site_is_refused(door):
    refused(door, origin="https://evil.example")
    with door.connected(origin="http://localhost:8501"):
        pass
    door.address = "ws://evil.example:8501"
    refused(door, origin="http://evil.example:8501")


def test_a_full_server_says_so():
    door = Door(max_connections=1)
    with door.connected():
        refused(door, code=1013)
    with door.connected():
        pass


def test_one_person_does_not_take_the_places_of_all():
    door = Door(accounts=True, max_connections=4, per_person=2)
    ada, bob = Person("ada"), Person("bob")

    def as_(person: Person) -> dict[str, str]:
        return {"authorization": f"Bearer {door.tickets.issue(person)}"}

    with door.connected(**as_(ada)):
        with door.connected(**as_(ada)):
            assert "2 pages open" in refused(door, code=1013, **as_(ada))
            with door.connected(**as_(bob)):
                pass
        with door.connected(**as_(ada)):
            pass


def refused(door: Door, code: int = 4401, **headers: str) -> str:
    with door.client.websocket_connect(door.address + PATH, headers=headers) as socket:
        message = error_of(socket)["message"]
        with pytest.raises(WebSocketDisconnect) as closed:
            socket.receive_json()
    assert closed.value.code == code
    assert not door.loops or door.loops[-1].calls[-1] == ("close", None)
    assert message
    return message


def test_what_is_told_of_nothing_said_is_still_an_answer(door):
    with door.connected() as socket:
        started(door, socket).tell(ANSWER)
        events = until(socket, "response.done")
    assert types(events)[0] == "response.created"
    assert one(events, "ragvoice.answer")["answer"] == "You get 25 days."


def test_a_sentence_without_sound_has_no_audio(door):
    with door.connected() as socket:
        started(door, socket).tell(Said("You get 25 days.", None, None), ANSWER)
        events = until(socket, "response.done")
    assert "response.output_audio.delta" not in types(events)
    assert one(events, "ragvoice.sentence")["audio_end_ms"] == 0
