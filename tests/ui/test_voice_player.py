"""The player of the live microphone, run by Node as the browser's audio thread would."""

from __future__ import annotations

import json
import shutil
import subprocess
from importlib.resources import files

import pytest

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="Node is not installed")

_HARNESS = """
const RATE = 24000;
const processors = {}, told = [];
globalThis.sampleRate = RATE;
globalThis.currentTime = 0;
globalThis.registerProcessor = (name, processor) => (processors[name] = processor);
globalThis.AudioWorkletProcessor = class { constructor() { this.port = { postMessage: (m) => told.push(m) }; } };
const tell = (player, message) => player.port.onmessage({ data: message });
const render = (player, blocks, until = () => false) => {
  const sound = [];
  for (let i = 0; i < blocks && !until(); i++) {
    const block = [new Float32Array(128)];
    player.process([], [block]);
    sound.push(...block[0]);
    globalThis.currentTime += 128 / RATE;
  }
  return sound;
};
const tone = (seconds) =>
  Float32Array.from({ length: seconds * RATE }, (_, i) => 0.5 * Math.sin((440 * Math.PI * i) / RATE));
const rises = (sound) => sound.filter((s, i) => i > 0 && sound[i - 1] < 0 && s >= 0).length;
const ended = () => told.some((m) => m.ended);
"""


def run(script: str) -> dict[str, object]:
    worklets = files("ragvoice.ui.voice_widget").joinpath("worklets.js").read_text(encoding="utf-8")
    made = 'const player = new processors["ragvoice-player"]();'
    code = f"{_HARNESS}\n{worklets}\n{made}\n{script}"
    done = subprocess.run(["node", "-"], input=code, capture_output=True, text=True, timeout=60, check=True)
    result: dict[str, object] = json.loads(done.stdout)
    return result


@pytest.mark.parametrize("speed", [0.75, 1, 1.25, 1.5])
def test_another_speed_has_another_length_and_the_same_pitch(speed):
    result = run(f"""
        tell(player, {{ reset: true, speed: {speed} }});
        tell(player, {{ push: tone(4) }});
        tell(player, {{ end: true }});
        const sound = render(player, 5000, ended);
        const seconds = sound.length / RATE;
        console.log(JSON.stringify({{ seconds, pitch_hz: rises(sound) / seconds }}));
    """)

    assert result["seconds"] == pytest.approx(4 / speed, abs=0.06)
    assert result["pitch_hz"] == pytest.approx(220, rel=0.03)


def test_pieces_are_played_without_a_gap_and_the_position_is_told():
    result = run("""
        tell(player, { reset: true });
        const whole = tone(1);
        for (let i = 0; i < RATE; i += 4800) tell(player, { push: whole.slice(i, i + 4800) });
        tell(player, { end: true });
        const sound = render(player, 1000, ended).slice(0, RATE);
        const difference = Math.max(...sound.map((s, i) => Math.abs(s - whole[i])));
        console.log(JSON.stringify({ difference, last: told.at(-1), reports: told.length }));
    """)

    assert result["difference"] == 0
    assert result["last"] == {"position": 1, "ended": True}
    assert 8 <= result["reports"] <= 11  # every tenth of a second


def test_a_stop_is_silence_after_a_hundredth_of_a_second_and_says_where_it_was():
    result = run("""
        tell(player, { reset: true });
        tell(player, { push: tone(2) });
        render(player, 100);
        tell(player, { flush: true });
        const sound = render(player, 20);
        tell(player, { push: tone(1) });  // of the answer that was stopped
        const after = render(player, 20);
        const last = told.at(-1);
        tell(player, { reset: true });
        tell(player, { push: tone(1) });
        const next = render(player, 20);
        const loudest = (s) => Math.max(...s.map(Math.abs));
        console.log(JSON.stringify({
          last, tail: loudest(sound.slice(240)), after: loudest(after), next: loudest(next) }));
    """)

    assert (result["tail"], result["after"]) == (0, 0)
    assert result["next"] == pytest.approx(0.5, abs=0.01)
    assert result["last"] == {"position": (100 * 128 + 240) / 24_000, "flushed": True}


def test_a_pause_is_silence_after_a_hundredth_of_a_second_and_loses_nothing():
    result = run("""
        tell(player, { reset: true });
        const whole = tone(1);
        tell(player, { push: whole });
        tell(player, { end: true });
        const before = render(player, 50);
        tell(player, { pause: true });
        const paused = render(player, 20);
        tell(player, { pause: false });
        const after = render(player, 1000, ended);
        const played = [...before, ...paused.slice(0, 240), ...after.slice(0, RATE - before.length - 240)];
        const apart = played.map((s, i) => Math.abs(s - whole[i]));
        console.log(JSON.stringify({
          silence: Math.max(...paused.slice(240).map(Math.abs)),
          faded: apart.findLastIndex((d) => d > 0) - apart.findIndex((d) => d > 0) }));
    """)

    assert result["silence"] == 0
    assert 400 < result["faded"] < 480  # only what fades out and in is softer


def test_a_microphone_that_nobody_listens_to_costs_nothing():
    result = run("""
        const capture = new processors["ragvoice-capture"]();
        const before = capture.process([[new Float32Array(128)]]);
        capture.port.onmessage?.({ data: "over" });
        console.log(JSON.stringify({ before, after: capture.process([[]]) }));
    """)

    assert result == {"before": True, "after": False}
