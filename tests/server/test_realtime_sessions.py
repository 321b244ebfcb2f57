"""The live route before and around its turns: settings, what cannot be used, who may come in."""

from __future__ import annotations

import base64
import json
import time

import pytest
from fake_loop import TURN
from starlette.websockets import WebSocketDisconnect
from voice_door import SECOND_OF_PCM, Door, error_of, one, refused, started, until

from ragvoice.errors import AccessError, VectorIndexError
from ragvoice.people.person import Person
from ragvoice.server import client_events, connection, sign_ins
from ragvoice.server.realtime import PATH
from ragvoice.server.sign_ins import SignIn
from ragvoice.server.tickets import Admitted
from ragvoice.voice.events import Failed, Interrupted, SpeechEnded, SpeechStarted


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


@pytest.mark.parametrize(
    ("session", "words"),
    [
        ("none", "session is an object"),
        ({"type": "transcription"}, "transcription alone"),
        ({"output_modalities": ["smell"]}, "output_modalities"),
        ({"audio": {"input": {"format": {"type": "audio/opus"}}}}, "audio/pcm, audio/pcmu or audio/pcma"),
        ({"audio": {"input": {"format": {"type": "audio/pcmu", "rate": 16_000}}}}, "8000; leave it out"),
        ({"audio": {"output": {"format": {"type": "audio/pcm", "rate": 400_000}}}}, "8000 to 192000"),
        ({"audio": {"input": {"turn_detection": {"silence_duration_ms": 5}}}}, "100 to 10000"),
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
        assert started(door, socket).admitted == Admitted(ada, "c1", by_page=True)
    with door.connected(authorization=f"Bearer {door.tickets.issue(ada)}", path=f"{PATH}?conversation_id=c2") as socket:
        assert started(door, socket).admitted == Admitted(ada, "c2", by_page=True)

    refused(door, **protocols)  # used already
    refused(door)
    refused(door, authorization="Bearer sk-anything")


def ended(socket) -> str:
    """The connection is closed by the server. :returns: What it says at last."""
    said = until(socket, "error")[-1]["error"]
    assert said["type"] == "authentication_error"
    with pytest.raises(WebSocketDisconnect) as closed:
        until(socket, "the end")
    assert closed.value.code == 4401
    return said["message"]


def signed_in(door: Door, name: str = "ada") -> tuple[SignIn, dict[str, str]]:
    sign_in = door.sign_ins.begin(name, "hash", 3600.0)
    return sign_in, {"authorization": f"Bearer {door.tickets.issue(Person(name), None, sign_in.id)}"}


def test_a_connection_ends_with_its_sign_in_and_no_other():
    door = Door(accounts=True)
    ada, headers = signed_in(door)
    _, late = signed_in(door, "bob")
    unused = {"authorization": f"Bearer {door.tickets.issue(Person('ada'), None, ada.id)}"}
    with door.connected(**headers) as socket, door.connected(**late) as other:
        loop = started(door, socket)
        door.sign_ins.end(ada)
        socket.send_bytes(SECOND_OF_PCM)
        assert "Sign in again" in ended(socket)
        assert len(loop.heard) == 1
        started(door, other).tell(*TURN)
        assert until(other, "response.done")
    assert loop.calls[-1] == ("close", None)
    assert "Sign in again" in refused(door, **unused)


def test_an_answer_is_told_no_further_than_the_sign_in_lasts(monkeypatch):
    door = Door(accounts=True)
    ada, headers = signed_in(door)
    with door.connected(**headers) as socket:
        loop = started(door, socket)
        loop.tell(*TURN[:3])
        until(socket, "response.output_audio.delta")
        monkeypatch.setattr(sign_ins.time, "time", lambda: ada.until)
        loop.tell(*TURN[3:])
        assert "Sign in again" in ended(socket)


def test_who_may_not_ask_any_more_is_told_and_disconnected(door):
    with door.connected() as socket:
        started(door, socket).tell(Failed(AccessError("You may not ask questions.")))
        assert ended(socket) == "You may not ask questions."


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
