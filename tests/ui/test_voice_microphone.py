"""The microphone of the page, run by Node with a browser of a few lines: who is heard, and when nobody is any more."""

from __future__ import annotations

import json
import shutil
import subprocess
from importlib.resources import files

import pytest

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="Node is not installed")

_HARNESS = """
const WORKLETS = "", opened = [], asked = [], messages = [];
class AudioContext {
  constructor() { Object.assign(this, { state: AudioContext.begins, sampleRate: 24000, destination: {} }); }
  audioWorklet = { addModule: async () => {} };
  async resume() { this.state = "running"; }
  close() {}
  createMediaStreamSource(stream) {
    if (AudioContext.refuses) throw new Error("another rate");
    return { connect: () => (stream.heard = true), disconnect() {} };
  }
}
AudioContext.begins = "suspended";
globalThis.AudioWorkletNode = class {
  port = { postMessage: (told) => messages.push(told) };
  connect() {}
};
const tracks = () => opened.map((track) => track.state).join(" ");
const allow = () => {
  const track = { state: "live", stop() { this.state = "stopped"; } };
  opened.push(track);
  asked.shift()({ getTracks: () => [track] });
};
const getUserMedia = () => new Promise((resolve) => asked.push(resolve));
Object.defineProperty(globalThis, "navigator", { value: { mediaDevices: { getUserMedia } } });
globalThis.location = { protocol: "http:", host: "here" };
globalThis.WebSocket = class { static made = 0; constructor() { WebSocket.made++; } send() {} close() {} };
const later = () => new Promise((resolve) => setTimeout(resolve, 20));
"""


def seen_by(script: str) -> object:
    """:returns: What the script notes with `see`."""
    source = "\n".join(
        files("ragvoice.ui.voice_widget").joinpath(name).read_text(encoding="utf-8") for name in ("audio.js", "talk.js")
    )
    code = f"""{_HARNESS}{source}
    (async () => {{
      const talk = new Talk();
      talk.draw = () => {{}};
      const hear = (type, more) => talk.received({{ type, ...more }});
      talk.attach({{ ticket: "t", conversation_id: "c", path: "/" }}, {{ setTriggerValue() {{}} }});
      hear("session.created");
      const sent = [], see = (what) => console.log(JSON.stringify(what));
      talk.send = ({{ type }}) => sent.push(type);
      {script}
    }})();
    """
    done = subprocess.run(["node", "-"], input=code, capture_output=True, text=True, timeout=60, check=True)
    return json.loads(done.stdout)


def test_a_second_click_while_the_browser_asks_opens_no_second_microphone():
    script = """
        const clicks = [talk.toggle(), talk.toggle()];
        await later();
        const times = asked.length;
        allow();
        await Promise.all(clicks);
        see([times, tracks()]);
    """
    assert seen_by(script) == [1, "live"]


def test_the_microphone_is_given_back_when_the_button_is_pressed_again():
    script = """
        const click = talk.toggle();
        await later();
        allow();
        await click;
        messages.length = 0;
        await talk.toggle();
        see([tracks(), messages[0]]);
    """
    assert seen_by(script) == ["stopped", "over"]


def test_who_leaves_the_page_while_the_browser_asks_is_not_heard():
    script = """
        const click = talk.toggle();
        await later();
        talk.close();
        allow();
        await click;
        see([tracks(), talk.microphone]);
    """
    assert seen_by(script) == ["stopped", False]


def test_a_microphone_that_cannot_be_read_is_given_back():
    script = """
        AudioContext.refuses = true;
        const click = talk.toggle();
        await later();
        allow();
        await click;
        see([tracks(), talk.microphone, talk.trouble]);
    """
    assert seen_by(script) == ["stopped", False, "The microphone cannot be used: another rate"]


@pytest.mark.parametrize(
    ("state", "after", "event"), [("hearing", "idle", ["input_audio_buffer.commit"]), ("speaking", "speaking", [])]
)
def test_a_microphone_that_is_unplugged_is_told_and_asks_what_was_said(state, after, event):
    script = f"""
        const click = talk.toggle();
        await later();
        let unplug;
        const track = {{ stop() {{}}, set onended(told) {{ unplug = told; }} }};
        asked.shift()({{ getTracks: () => [track] }});
        await click;
        talk.state = "{state}";
        sent.length = 0;
        unplug();
        see([talk.microphone, talk.state, talk.trouble === WORDS.unplugged, sent]);
    """
    assert seen_by(script) == [False, after, True, event]


def test_sound_goes_on_after_a_telephone_call():
    script = """
        AudioContext.begins = "interrupted"; // as Safari calls it
        await talk.audio.open();
        see(talk.audio.context.state);
    """
    assert seen_by(script) == "running"


def test_a_page_that_is_left_while_it_waits_to_reconnect_stays_disconnected():
    script = """
        talk.attempts = -8; // for a few milliseconds
        talk.lost(1006);
        talk.attach({ ticket: "t2", conversation_id: "c", path: "/" }, { setTriggerValue() {} });
        talk.close();
        await later();
        see(WebSocket.made);
    """
    assert seen_by(script) == 1
