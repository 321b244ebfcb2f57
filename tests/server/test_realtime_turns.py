"""Turns over the live route: what is said on both sides."""

from __future__ import annotations

import base64

import numpy as np
import pytest
from fake_loop import ANSWER, CITATION, TURN
from voice_door import ASK_IN_WRITING, SECOND_OF_PCM, one, started, types, until

from ragvoice.datatypes import AudioChunk
from ragvoice.errors import BusyError
from ragvoice.fair_queue import Waiting
from ragvoice.server.realtime import PATH
from ragvoice.speech.audio import resample
from ragvoice.voice.events import (
    Failed,
    Interrupted,
    NothingHeard,
    NothingToAnswer,
    Partial,
    SpeechEnded,
    SpeechStarted,
)
from ragvoice.voicebot import Said, SaidOn


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


def test_a_microphone_that_a_browser_does_not_resample_is_heard_at_its_own_rate(door):
    with door.connected() as socket:
        session = {"audio": {"input": {"format": {"type": "audio/pcm", "rate": 96_000}}}}
        socket.send_json({"type": "session.update", "session": session})
        assert socket.receive_json()["type"] == "session.updated"
        loop = started(door, socket)

    assert [chunk.sample_rate_hz for chunk in loop.heard] == [96_000]


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


def test_a_turn_that_voice_detection_has_ended_waits_for_a_client_that_answers_when_it_likes(door):
    with door.connected() as socket:
        detection = {"type": "server_vad", "create_response": False}
        socket.send_json({"type": "session.update", "session": {"audio": {"input": {"turn_detection": detection}}}})
        session = until(socket, "session.updated")[-1]["session"]
        loop = started(door, socket)
        loop.tell(SpeechStarted(0.3), SpeechEnded(1.9), TURN[0])
        until(socket, "conversation.item.input_audio_transcription.completed")
        socket.send_json({"type": "response.create"})
        events = until(socket, "response.done")

    assert session["audio"]["input"]["turn_detection"]["create_response"] is False
    assert not loop.session.responds
    assert [name for name, _ in loop.calls if name in ("respond", "commit")] == ["respond"]
    assert "error" not in types(events)


def test_who_asks_for_an_answer_and_there_is_nothing_to_answer_is_told(door):
    with door.connected() as socket:
        started(door, socket).tell(*TURN[1:3], NothingToAnswer())
        events = until(socket, "error")
        door.loop.tell(*TURN[3:])
        assert until(socket, "response.done")[-1]["response"]["status"] == "completed", "that goes on"

    assert "nothing to answer" in events[-1]["error"]["message"]


def test_what_the_client_has_committed_and_cleared_is_not_answered(door):
    with door.connected() as socket:
        session = {"type": "realtime", "audio": {"input": {"turn_detection": None}}}
        socket.send_json({"type": "session.update", "session": session})
        until(socket, "session.updated")
        socket.send_bytes(SECOND_OF_PCM)
        for type_ in ("input_audio_buffer.commit", "input_audio_buffer.clear", "response.create"):
            socket.send_json({"type": type_})
        before = until(socket, "error")
        socket.send_json({"type": "input_audio_buffer.commit"})
        after = until(socket, "input_audio_buffer.committed")

    assert "nothing to answer" in before[-1]["error"]["message"]
    assert after[-1]["item_id"] != one(before, "input_audio_buffer.committed")["item_id"]


def test_a_turn_that_is_committed_is_not_cleared(door):
    with door.connected() as socket:
        loop = started(door, socket)
        loop.tell(SpeechStarted(0.3), SpeechEnded(1.9))
        item_id = one(until(socket, "conversation.item.done"), "input_audio_buffer.committed")["item_id"]
        socket.send_json({"type": "input_audio_buffer.clear"})
        until(socket, "input_audio_buffer.cleared")
        loop.tell(TURN[0])
        heard = until(socket, "conversation.item.input_audio_transcription.completed")[-1]

    assert heard["item_id"] == item_id


def test_a_sentence_that_comes_in_pieces_is_one_sound(door):
    tone = AudioChunk((0.5 * np.sin(np.arange(33_075) / 9)).astype(np.float32), 22_050)
    first, second, third = (AudioChunk(part, 22_050) for part in np.split(tone.samples_t, [9_000, 20_000]))
    with door.connected() as socket:
        said = Said("You get 25 days.", CITATION, first, second.duration_s + third.duration_s, last=False)
        remainder_s = 1e-17  # as sums of seconds leave it
        pieces = SaidOn(second, third.duration_s, last=False), SaidOn(third, remainder_s, last=True)
        started(door, socket).tell(said, *pieces, ANSWER)
        events = until(socket, "response.done")

    pieces = [event["delta"] for event in events if event["type"] == "response.output_audio.delta"]
    pcm = np.frombuffer(b"".join(base64.b64decode(piece) for piece in pieces), "<i2")
    assert np.allclose(pcm / 32767, resample(tone, 24_000).samples_t, atol=1e-3)
    (sentence,) = [event for event in events if event["type"] == "ragvoice.sentence"]
    assert (sentence["audio_start_ms"], sentence["audio_end_ms"]) == (0, 1500)


def test_an_answer_in_writing(door):
    with door.connected() as socket:
        socket.send_json({"type": "session.update", "session": {"output_modalities": ["text"]}})
        until(socket, "session.updated")
        started(door, socket).tell(*TURN)
        events = until(socket, "response.done")

    assert [e["delta"] for e in events if e["type"] == "response.output_text.delta"] == ["You get 25 days.", " A year."]
    assert not [name for name in types(events) if name.startswith("response.output_audio")]
    # Its sound, which nobody plays, does not say how much was read when it is interrupted.
    assert door.loop.calls.count(("played", float("inf"))) == 2


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
