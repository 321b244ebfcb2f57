"""What a client is told while somebody may be speaking over the answer."""

from __future__ import annotations

from fake_loop import TURN

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
