"""The conversation of the live microphone, run by Node; socket and sound only note what is asked of them."""

from __future__ import annotations

import json
import shutil
import subprocess
from importlib.resources import files

import pytest

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="Node is not installed")

_HARNESS = """
const RATE = 24000, sent = [];
class Audio24 {
  listen() { return RATE; }
  deafen() {}
  silence() {}
  begin() {}
  end() { sent.push("(end)"); }
  pause() { sent.push("(pause)"); }
  resume() { sent.push("(resume)"); }
}
globalThis.location = { protocol: "http:", host: "here" };
globalThis.WebSocket = class { send(text) { sent.push(JSON.parse(text).type); } close() {} };
"""


def sent_by(script: str) -> list[str]:
    """:returns: Types of the client's events, and what its player was told."""
    source = files("ragvoice.ui.voice_widget").joinpath("talk.js").read_text(encoding="utf-8")
    code = f"""{_HARNESS}{source}
    (async () => {{
      const talk = new Talk();
      talk.draw = () => {{}};
      talk.attach({{ ticket: "t", conversation_id: "c", path: "/" }}, {{ setTriggerValue() {{}} }});
      const hear = (type, more) => talk.received({{ type, ...more }});
      hear("session.created");
      await talk.toggle();
      sent.length = 0;
      {script}
      console.log(JSON.stringify(sent));
    }})();
    """
    done = subprocess.run(["node", "-"], input=code, capture_output=True, text=True, timeout=60, check=True)
    types: list[str] = json.loads(done.stdout)
    return types


def test_the_button_at_the_end_of_a_question_asks_it():
    assert sent_by('hear("input_audio_buffer.speech_started"); await talk.toggle();') == ["input_audio_buffer.commit"]


def test_the_button_just_after_the_end_of_a_question_does_not_stop_its_answer():
    script = """
        hear("input_audio_buffer.speech_started");
        hear("input_audio_buffer.speech_stopped");
        await talk.toggle();
        sent.push(`${talk.state} ${talk.microphone}`);
        await talk.toggle();
    """
    assert sent_by(script) == ["thinking false", "response.cancel"]


def test_the_button_while_nobody_speaks_only_ends_the_listening():
    assert sent_by("await talk.toggle();") == []


def test_the_player_pauses_while_the_server_doubts_unless_that_answer_was_stopped():
    script = """
        hear("response.created", { response: { id: "r1" } });
        hear("ragvoice.paused", { response_id: "r1" });
        hear("ragvoice.resumed", { response_id: "r1" });
        talk.quiet();
        hear("ragvoice.paused", { response_id: "r1" });
    """
    assert sent_by(script) == ["(pause)", "(resume)"]


def test_a_draft_gives_way_to_its_sentence_and_a_refused_one_to_a_note():
    script = """
        hear("response.created", { response: { id: "r1" } });
        const seen = () => sent.push(`${talk.answer}|${talk.draft}|${talk.note}`);
        hear("ragvoice.draft", { response_id: "r1", text: "You ge", refused: false });
        seen();
        hear("response.output_audio_transcript.delta", { response_id: "r1", delta: "You get 25." });
        seen();
        hear("ragvoice.draft", { response_id: "r1", text: "Elephants", refused: false });
        hear("ragvoice.draft", { response_id: "r1", text: "Elephants too.", refused: true });
        seen();
    """
    left_out = "A sentence was left out: the documents do not support it."
    assert sent_by(script) == ["|You ge|", "You get 25.||", f"You get 25.||{left_out}"]


def test_the_page_learns_of_an_interruption_also_of_an_answer_that_was_written_to_its_end():
    script = """
        talk.component.setTriggerValue = (name, { turn_id, interrupted }) => sent.push(`${turn_id} ${!!interrupted}`);
        hear("response.created", { response: { id: "r1" } });
        hear("ragvoice.interrupted", { heard_text: "" });
        hear("response.created", { response: { id: "r2" } });
        hear("ragvoice.interrupted", { heard_text: "You get" });
        hear("response.created", { response: { id: "r3" } });
        hear("ragvoice.answer", { turn_id: "t3", outcome: "answered" });
        hear("ragvoice.interrupted", { heard_text: "" });
    """
    assert sent_by(script) == ["r2 true", "t3 false", "t3 true"]


def test_no_draft_outlives_its_answer():
    script = """
        const drafted = () => {
          hear("response.created", { response: { id: "r1" } });
          hear("ragvoice.draft", { response_id: "r1", text: "Do you", refused: false });
        };
        drafted();
        hear("ragvoice.answer", { turn_id: "t1", outcome: "answered" });
        sent.push(talk.draft);
        drafted();
        hear("ragvoice.interrupted", { heard_text: "" }); // before there was a sound
        hear("response.done", { response: { id: "r1", status: "cancelled" } });
        hear("input_audio_buffer.speech_started");
        sent.push(talk.draft);
    """
    assert sent_by(script) == ["", ""]


def test_who_stops_a_question_before_its_answer_has_begun_does_not_stop_the_one_before():
    script = """
        talk.component.setTriggerValue = (name, { turn_id }) => sent.push(turn_id);
        hear("response.created", { response: { id: "r1" } });
        hear("response.output_item.added", { item: { id: "i1" } });
        hear("ragvoice.answer", { turn_id: "t1", outcome: "answered" });
        hear("response.done", { response: { id: "r1", status: "completed" } });
        hear("input_audio_buffer.speech_started");
        hear("input_audio_buffer.speech_stopped");
        talk.interrupt();
        hear("ragvoice.interrupted", { heard_text: "" });
    """
    assert sent_by(script) == ["t1", "response.cancel"]


def test_what_was_said_of_an_answer_that_failed_can_be_stopped_until_it_has_been_played():
    script = """
        hear("response.created", { response: { id: "r1" } });
        talk.audio.playing = true;
        talk.state = "speaking";
        hear("error", { error: { message: "no memory" } });
        hear("response.done", { response: { id: "r1", status: "failed" } });
        sent.push(talk.state);
    """
    assert sent_by(script) == ["(end)", "speaking"]


def test_a_question_that_was_stopped_while_it_waited_for_others_waits_no_longer():
    script = """
        hear("input_audio_buffer.speech_started");
        hear("input_audio_buffer.speech_stopped");
        hear("ragvoice.waiting", { ahead: 3 });
        talk.interrupt();
        sent.push(`${talk.state} ${talk.note}`);
        hear("ragvoice.waiting", { ahead: 2 }); // was on its way
        hear("ragvoice.interrupted", { heard_text: "" });
        sent.push(`${talk.state} ${talk.note}`);
    """
    assert sent_by(script) == ["response.cancel", "listening ", "listening "]


def test_a_connection_that_is_lost_twice_within_seconds_is_made_again():
    script = """
        const wanted = () => sent.filter((what) => what === "ticket_wanted").length;
        const component = { setTriggerValue: (name) => sent.push(name) };
        const lose = () => { talk.attempts = -8; talk.lost(1006); };
        const later = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
        talk.attach({ ticket: "t", conversation_id: "c", path: "/" }, component);
        lose();
        await later(20);
        talk.attach({ ticket: "t2", conversation_id: "c", path: "/" }, component);
        lose();
        talk.asked -= 4950; // seconds later
        await later(150);
        sent.push(String(wanted()));
    """
    assert sent_by(script) == ["ticket_wanted", "ticket_wanted", "2"]
