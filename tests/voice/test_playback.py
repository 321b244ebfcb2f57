from __future__ import annotations

from dataclasses import replace

import pytest
from scene import said

from ragvoice.voice.playback import Playback
from ragvoice.voicebot import Said, SaidOn


@pytest.fixture
def playback() -> Playback:
    """Two seconds, then four: 16 and 19 letters and spaces."""
    playback = Playback()
    playback.add(said("You get 25 days.", 2.0), now=10.0)
    playback.add(said("Ask Ada in Leeds now", 4.0), now=10.5)
    return playback


def test_without_reports_it_plays_on_from_the_first_sentence(playback: Playback) -> None:
    assert playback.position(11.0) == pytest.approx(1.0)
    assert playback.position(99.0) == pytest.approx(6.0)
    assert playback.sounding(15.9)
    assert not playback.sounding(16.1)
    assert playback.sounding(16.1, tail_s=0.3)


def test_whole_sentences_and_the_words_of_the_next_are_heard(playback: Playback) -> None:
    # 4.5 s: the first sentence, and 2.5 of 4 s: 12.5 of 20 letters; "Ask Ada in" has 10, with " Leeds" 16.
    assert playback.heard(14.5) == "You get 25 days. Ask Ada in"
    assert playback.heard(16.0) == "You get 25 days. Ask Ada in Leeds now"
    assert playback.heard(10.0) == ""


def test_the_players_own_position_counts(playback: Playback) -> None:
    playback.played(0.5, now=14.0)
    assert playback.position(14.0) == 0.5
    # 0.5 of 2 s: 4 of 16 letters; "You" has 3, with " get" 7.
    assert playback.heard(14.0) == "You"
    assert playback.position(15.0) == pytest.approx(1.5)
    playback.played(99.0, now=15.0)
    assert playback.position(15.0) == 6.0


def test_a_player_that_has_run_dry_begins_the_next_sentence_when_it_comes() -> None:
    playback = Playback()
    playback.add(said("One.", 1.0), now=0.0)
    playback.add(said("Two.", 1.0), now=5.0)

    assert playback.position(5.5) == pytest.approx(1.5)


def test_a_sentence_in_pieces_is_heard_word_by_word_and_ends_with_the_last_piece() -> None:
    playback = Playback()
    first, second = said("Ask Ada in Leeds now", 1.0), said("", 3.0)
    playback.add(replace(first, rest_s=3.0, last=False), now=0.0)

    # 1 of 4 s, whatever else there is to play: 5 of 20 letters; "Ask" has 3, with " Ada" 7.
    assert playback.heard(0.5) == ""
    assert playback.heard(9.0) == "Ask"
    assert playback.position(9.0) == 1.0
    assert second.audio is not None
    playback.add(SaidOn(second.audio, 0.0, last=True), now=2.0)
    assert playback.position(3.5) == pytest.approx(2.5)
    assert playback.heard(3.5) == "Ask Ada in"
    assert playback.sounding(4.9)
    playback.add(said("Or Bo.", 1.0), now=4.0)
    assert playback.heard(5.0) == "Ask Ada in Leeds now"
    assert playback.heard(6.0) == "Ask Ada in Leeds now Or Bo."


def test_what_has_no_sound_was_read() -> None:
    playback = Playback()
    assert not playback.begun
    playback.add(Said("Silent words.", None, None), now=0.0)

    assert playback.begun
    assert not playback.sounding(0.0)
    assert playback.heard(0.0) == "Silent words."
