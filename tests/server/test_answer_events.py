"""What a client is told of an answer that the Realtime API has no name for."""

from __future__ import annotations

from fake_loop import TURN

from ragvoice.datatypes import Draft
from ragvoice.server.server_events import ServerEvents
from ragvoice.server.session import Session
from ragvoice.voice.events import AnswerPaused, AnswerResumed


def test_a_pause_and_its_end_name_the_answer():
    events = ServerEvents(Session("s"), "c")
    for event in TURN[:3]:
        events.translate(event)

    told = events.translate(AnswerPaused()) + events.translate(AnswerResumed())

    assert [(event["type"], event["response_id"]) for event in told] == [
        ("ragvoice.paused", events.last_response_id),
        ("ragvoice.resumed", events.last_response_id),
    ]
    assert events.last_response_id


def test_a_draft_begins_the_answer_and_is_no_part_of_its_transcript():
    events = ServerEvents(Session("s"), "c")
    told = [
        one
        for event in (*TURN[:2], Draft("You g"), Draft("You grow.", refused=True), *TURN[2:])
        for one in events.translate(event)
    ]

    drafts = [event for event in told if event["type"] == "ragvoice.draft"]
    assert [(draft["text"], draft["refused"]) for draft in drafts] == [("You g", False), ("You grow.", True)]
    assert {draft["response_id"] for draft in drafts} == {events.last_response_id}
    deltas = [event["delta"] for event in told if event["type"] == "response.output_audio_transcript.delta"]
    assert "".join(deltas) == "You get 25 days. A year."
