"""The spoken answer: starts by itself, sentence after sentence as they come; stop, replay, slower and faster.

A component rather than `st.audio`: that one would have to wait for the whole answer, or play two sentences at once.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.resources import files

import streamlit as st

from ragvoice.datatypes import AudioChunk
from ragvoice.speech.audio import wav_bytes

KEPT = 10
"""Latest spoken answers that can be heard again; they are kept in the memory of the session only."""

_FOLDER = files("ragvoice.ui") / "player_widget"
_mount = st.components.v2.component(
    "ragvoice_player",
    html=(_FOLDER / "player.html").read_text(encoding="utf-8"),
    css=(_FOLDER / "player.css").read_text(encoding="utf-8"),
    js=(_FOLDER / "player.js").read_text(encoding="utf-8"),
)


@dataclass
class Player:
    """What one session has heard."""

    clips: dict[str, list[str]] = field(default_factory=dict)
    """By exchange: WAV files in base64, one a sentence."""
    current: str = ""
    """Of the exchange that is being played; empty for silence."""
    plays: int = 0
    """Counts the wishes to hear something, so that the same answer can be heard again."""

    def play(self, key: str) -> None:
        self.current = key
        self.plays += 1

    def silence(self) -> None:
        self.current = ""

    def add(self, key: str, audio: Sequence[AudioChunk]) -> None:
        """:param audio: All sentences so far; those that are there already are not encoded again."""
        known = self.clips.setdefault(key, [])
        known += [base64.b64encode(wav_bytes(chunk)).decode() for chunk in audio[len(known) :]]
        while len(self.clips) > KEPT:
            del self.clips[next(iter(self.clips))]

    def draw(self) -> None:
        clips = self.clips.get(self.current, [])
        if clips:
            _mount(key="player", data={"answer": f"{self.current}/{self.plays}", "clips": clips})
