from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from scene import ReadsSamples, answer, level, said

from ragvoice.datatypes import AudioChunk, Transcription
from ragvoice.errors import AudioError
from ragvoice.speech.audio import write_wav
from ragvoice.voice.devices import Player, microphone_and_loudspeaker, play_files
from ragvoice.voice.events import NothingHeard, TurnEvent
from ragvoice.voice.loop import VoiceLoop
from ragvoice.voice.messages import Question


def ones(count: int, rate_hz: int = 1000) -> AudioChunk:
    return AudioChunk(np.ones(count, np.float32), rate_hz)


def test_a_player_gives_what_it_has_and_knows_where_it_is() -> None:
    player = Player(1000)
    player.add(ones(500))
    player.add(ones(700))

    assert len(player.pull(1000)) == 1000
    assert player.position_s == pytest.approx(1.0)
    assert player.waiting_s == pytest.approx(0.2)
    assert len(player.pull(1000)) == 200
    assert len(player.pull(1000)) == 0
    assert player.position_s == pytest.approx(1.2)


def test_an_interrupted_player_is_silent_at_once_and_the_next_answer_begins_at_zero() -> None:
    player = Player(1000)
    player.add(ones(500))
    player.pull(100)
    player.clear()

    assert len(player.pull(100)) == 0
    assert player.position_s == pytest.approx(0.1)
    player.begin()
    assert player.position_s == 0.0


def test_a_paused_player_is_silent_and_goes_on_where_it_was() -> None:
    player = Player(1000)
    player.add(ones(500))
    player.pause()

    assert len(player.pull(100)) == 0
    player.resume()
    assert len(player.pull(1000)) == 500


def test_other_rates_are_converted_for_the_loudspeaker() -> None:
    player = Player(1000)
    player.add(ones(4000, 2000))

    assert player.waiting_s == pytest.approx(2.0)


class Recogniser:
    def transcribe(self, audio: AudioChunk) -> Transcription:
        return Transcription("How many holidays?", "en", audio.duration_s, confidence=0.9)


def ask(question: Question) -> Iterator[TurnEvent]:
    yield said("You get 25.", 0.2)
    yield answer("You get 25.")


def talked(file: Path, *, fast: bool) -> tuple[AudioChunk, list[type]]:
    loop, player, answered, kinds = (
        VoiceLoop(ask, Recogniser(), detector=ReadsSamples()),
        Player(1000),
        threading.Event(),
        [],
    )

    def show() -> None:
        for event in loop.events():
            kinds.append(type(event))
            if isinstance(event, type(said("", 0))) and event.audio:
                player.add(event.audio)
            if isinstance(event, type(answer("")) | NothingHeard):
                answered.set()

    reader = threading.Thread(target=show)
    reader.start()
    played = play_files(loop, [file], player, answered, fast=fast)
    loop.close()
    reader.join()
    return played, kinds


@pytest.mark.parametrize("fast", [True, False])
def test_a_recorded_question_is_answered_into_a_recording(tmp_path: Path, fast: bool) -> None:
    file = tmp_path / "question.wav"
    write_wav(file, level(0.9, 0.5))

    played, kinds = talked(file, fast=fast)

    assert played.duration_s == pytest.approx(0.2)
    assert type(answer("")) in kinds


def test_a_recording_in_which_nobody_speaks_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ragvoice.voice.devices._GIVE_UP_S", 0.2)
    file = tmp_path / "silence.wav"
    write_wav(file, level(0.0, 0.5))

    played, kinds = talked(file, fast=True)

    assert played.duration_s == 0
    assert kinds == [NothingHeard]


def test_without_sounddevice_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)

    with pytest.raises(AudioError, match=r"ragvoice\[talk\].*--input"), microphone_and_loudspeaker(print, Player(1000)):
        pass


def test_a_microphone_lives_on_where_too_much_sound_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    callbacks = list[Callable[..., None]]()

    def stream(*_: object, callback: Callable[..., None], **__: object) -> nullcontext[None]:
        callbacks.append(callback)
        return nullcontext()

    fake = SimpleNamespace(InputStream=stream, OutputStream=stream, PortAudioError=OSError)
    monkeypatch.setitem(sys.modules, "sounddevice", fake)
    heard = list[AudioChunk]()

    def hear(chunk: AudioChunk) -> None:
        heard.append(chunk)
        raise AudioError("120 s of sound are waiting to be recognised; send sound no faster than it is spoken.")

    with microphone_and_loudspeaker(hear, Player(1000)):
        microphone, _ = callbacks
        microphone(np.ones((320, 1), np.float32), 320, None, None)
    assert [len(chunk.samples_t) for chunk in heard] == [320]
