"""The quote in its context, whatever the document holds, and after it has changed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from ask_desk import CITED, HANDBOOK, LEAVE, QUOTE

from ragvoice.datatypes import Answer, AudioChunk, Transcription
from ragvoice.desk_turns import cut_short
from ragvoice.turns.records import Circumstances, turn_of
from ragvoice.ui.exchange import Spot, of_answer, of_events, of_turn, sounds_of
from ragvoice.ui.sources import Excerpt, excerpt, excerpt_html, folded, on_few_lines, where_html
from ragvoice.voicebot import Found, Heard, Said, SaidOn

SPOT = Spot(
    "a", "hr/handbook.pdf", "Employee handbook", "4 Leave", CITED.place, HANDBOOK.index(QUOTE), len(QUOTE), QUOTE
)


def test_a_quote_stands_in_its_context_cut_between_words() -> None:
    text = "one two three four five six seven"
    spot = replace(SPOT, start_index=text.index("four"), length=4, quote="four")
    assert excerpt(text, spot, 8) == Excerpt("three ", "four", " five", True, True)
    assert excerpt(text, spot, 100) == Excerpt("one two three ", "four", " five six seven", False, False)


def test_a_quote_that_has_moved_is_found_and_one_that_is_gone_is_not_marked() -> None:
    moved = excerpt(f"New first line.\n\n{HANDBOOK}", SPOT, 20)
    assert moved.quote == QUOTE
    gone = excerpt("Nothing of it is left.", SPOT, 20)
    assert gone.quote == ""
    assert "<mark>" not in excerpt_html(gone)


def test_text_of_a_document_is_escaped_also_in_quotes_titles_and_names() -> None:
    whole = excerpt_html(excerpt(HANDBOOK, SPOT, 1000))
    assert "&lt;script&gt;" in whole
    assert "<script>" not in whole
    assert f"<mark>{QUOTE}</mark>" in whole
    evil = "<img src=x onerror=alert(1)>"
    assert excerpt_html(Excerpt("", evil, "", False, False)) == "<mark>&lt;img src=x onerror=alert(1)&gt;</mark>"
    assert "<img" not in where_html(replace(SPOT, title=evil, source=evil, section=evil))


def test_headings_are_bold_and_tables_lose_their_lines() -> None:
    whole = excerpt_html(excerpt(HANDBOOK, SPOT, 1000))
    assert "<strong>4.2 How much leave do I get?</strong>" in whole
    assert "Country · Days\nPoland · 26\n" in whole
    assert "---" not in whole


def test_where_it_stands() -> None:
    html = where_html(SPOT)
    assert "page 6 · 4 Leave" in html
    assert "hr/handbook.pdf" in html
    assert where_html(replace(SPOT, title="")).count("hr/handbook.pdf") == 1


ANSWER = Answer("a" * 32, "q", "q", "answered", "26 days.", 0.8, (CITED, CITED), (LEAVE,), index_generation="g")


def test_an_exchange_from_the_log_is_the_one_of_its_answer() -> None:
    heard = replace(ANSWER, transcription=Transcription("q", "en", 1.0))
    for answer in (ANSWER, heard, replace(ANSWER, outcome="clarify")):
        assert of_turn(logged(answer)) == of_answer(answer)
    assert of_answer(heard).spoken
    assert len(of_answer(ANSWER).cited) == 1


def test_an_answer_that_was_cut_short_shows_as_stopped() -> None:
    assert of_turn(logged(replace(ANSWER, confidence=0.0))).state == "interrupted"


def test_where_nothing_answers_the_nearest_places_are_shown() -> None:
    abstained = replace(ANSWER, outcome="abstained", citations=())
    assert [spot.quote for spot in of_answer(abstained).nearest] == [QUOTE]
    [stored] = of_turn(logged(abstained)).nearest
    assert excerpt(HANDBOOK, stored, 0).quote == QUOTE


def test_a_running_turn_grows_with_its_events() -> None:
    events = [Heard(Transcription("How much leave?", "en", 1.0)), Found("q", ()), Said("26 days.", CITED, None)]
    assert of_events("k", "", events[:1]).question == "How much leave?"
    assert of_events("k", "", events[:1]).searching
    grown = of_events("k", "", [*events, Said("Or 30.", CITED, None)])
    assert (grown.answer, grown.state, len(grown.cited)) == ("26 days. Or 30.", "running", 1)
    assert of_events("k", "", events, stopped=True).state == "interrupted"
    assert of_events("k", "", events, error=ValueError()).state == "failed"
    assert of_events("k", "", [*events, ANSWER]) == replace(of_answer(ANSWER), key="k")


def test_a_stopped_turn_is_the_one_in_the_log() -> None:
    """Otherwise the live voice, which looks into the log for what it told, would show it a second time."""
    begun = replace(ANSWER, answer="", citations=())
    events = [Found("q", (), begun), Said("26 days.", CITED, None)]
    cut = of_turn(logged(cut_short(begun, events[1:])))
    stopped = of_events("k", "q", events, stopped=True)
    assert (stopped.turn_id, stopped.answer, stopped.cited) == (cut.turn_id, cut.answer, cut.cited)
    assert not of_events("k", "q", events).turn_id
    assert not of_events("k", "q", events, error=ValueError()).turn_id


def test_a_sentence_is_played_when_all_its_pieces_are_there() -> None:
    def sound(*samples: float) -> AudioChunk:
        return AudioChunk(np.asarray(samples, np.float32), 10)

    events = [
        Said("26 days.", CITED, sound(1, 2), 0.1, last=False),
        SaidOn(sound(3), 1e-17, last=True),
        Said("Or 30.", None, sound(4), 0.2, last=False),
    ]
    assert [list(one.samples_t) for one in sounds_of(events)] == [[1, 2, 3]]
    assert [list(one.samples_t) for one in sounds_of([*events, SaidOn(sound(5, 6), 0.0, last=True)])] == [
        [1, 2, 3],
        [4, 5, 6],
    ]
    assert sounds_of([Said("26 days.", CITED, None)]) == []


def logged(answer: Answer):  # type: ignore[no-untyped-def]
    from datetime import UTC, datetime

    return turn_of(answer, Circumstances({}, {}, "1", "c"), "i", datetime.now(UTC))


def test_an_opened_document_has_the_place_in_view_and_the_rest_before_it_folded_away() -> None:
    part = excerpt("first line\nsecond line\nthird quoted words end", replace(SPOT, quote="quoted"), 1000)
    earlier, place = folded(part, 12)
    assert (earlier.before, place.before) == ("first line\nsecond line\n", "third ")
    assert folded(part, 1000) == (Excerpt("", "", "", False, False), part)


def test_a_card_has_no_empty_lines() -> None:
    assert on_few_lines(Excerpt("a\n\n\nb", "c\n \nd", "e\nf", True, True)) == Excerpt(
        "a\nb", "c\nd", "e\nf", True, True
    )
