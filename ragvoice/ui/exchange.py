"""One question and what came of it, as the page shows it: running, just finished, or from the log. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ragvoice.datatypes import Answer, AudioChunk, Citation, Draft, Passage, Place
from ragvoice.desk_turns import Event
from ragvoice.turns.records import Turn, UsedPassage
from ragvoice.voicebot import Found, Heard, Said, SaidOn

State = Literal["running", "answered", "abstained", "clarify", "no_speech", "interrupted", "failed"]

NEAREST = 3
"""Places shown where the documents do not answer."""


@dataclass(frozen=True)
class Spot:
    """A place in a document."""

    doc_id: str
    source: str
    title: str
    section: str
    place: Place | None
    start_index: int
    """In the document's text, in characters."""
    length: int
    quote: str = ""
    """Verbatim where the log has it, else empty."""


@dataclass(frozen=True)
class Exchange:
    key: str
    """Of its widgets: the turn's identifier, or that of the attempt, also after its end."""
    question: str
    state: State
    answer: str = ""
    spoken: bool = False
    confidence: float = 0.0
    cited: tuple[Spot, ...] = ()
    nearest: tuple[Spot, ...] = ()
    """The best passages of a question that the documents do not answer."""
    turn_id: str = ""
    """Empty where nothing is logged that could be rated."""
    rating: int | None = None
    reason: str = ""
    error: BaseException | None = None
    searching: bool = False
    """Nothing is found yet."""
    left_out: bool = False
    """A sentence was written that the documents do not support."""


def of_answer(answer: Answer) -> Exchange:
    """See `of_turn`."""
    return Exchange(
        key=answer.turn_id,
        question=answer.question,
        state=_state(answer),
        answer=answer.answer,
        spoken=answer.transcription is not None,
        confidence=answer.confidence,
        cited=_spots(answer.citations),
        nearest=_spots(answer.passages[:NEAREST]) if answer.outcome == "abstained" else (),
        turn_id=answer.turn_id,
    )


def of_turn(turn: Turn) -> Exchange:
    """An answer without any confidence was cut short: see `ragvoice.desk_turns.cut_short`."""
    return Exchange(
        key=turn.turn_id,
        question=turn.question,
        state=_state(turn),
        answer=turn.answer,
        spoken=turn.heard is not None,
        confidence=turn.confidence,
        cited=_spots(turn.citations),
        nearest=_spots(turn.passages[:NEAREST]) if turn.outcome == "abstained" else (),
        turn_id=turn.turn_id,
        rating=turn.rating,
        reason=turn.reason,
    )


def of_events(
    key: str, question: str, events: Sequence[Event], *, stopped: bool = False, error: BaseException | None = None
) -> Exchange:
    """Of a turn that is running, or ended without its `Answer`.

    :param question: As typed; empty for a spoken one, until it is heard.
    """
    state: State = "failed" if error else "interrupted" if stopped else "running"
    shown = Exchange(key, question, state, error=error, searching=True)
    for event in events:
        match event:
            case Answer():
                return replace(of_answer(event), key=key, left_out=shown.left_out)
            case Heard():
                shown = replace(shown, question=event.transcription.text, spoken=True)
            case Found():  # what is stopped after it is logged, as what was begun
                turn_id = event.begun.turn_id if stopped and event.begun else ""
                shown = replace(shown, searching=False, turn_id=turn_id)
            case Draft(refused=True):
                shown = replace(shown, left_out=True)
            case Said():
                shown = replace(
                    shown,
                    answer=f"{shown.answer} {event.text.strip()}".strip(),
                    cited=tuple(dict.fromkeys([*shown.cited, *_spots([event.citation] if event.citation else [])])),
                )
    return shown


def sounds_of(events: Sequence[Event]) -> list[AudioChunk]:
    """The sound of each sentence that is complete; the page's player would be heard to change from piece to piece."""
    sounds: list[AudioChunk] = []
    pieces: list[NDArray[np.float32]] = []
    for event in events:
        if isinstance(event, Said | SaidOn) and event.audio is not None:
            pieces.append(event.audio.samples_t)
            if event.last:
                sounds.append(AudioChunk(np.concatenate(pieces), event.audio.sample_rate_hz))
                pieces = []
    return sounds


def _state(turn: Answer | Turn) -> State:
    return "interrupted" if turn.outcome == "answered" and turn.confidence == 0 else turn.outcome


def _spots(places: Sequence[Citation | Passage | UsedPassage]) -> tuple[Spot, ...]:
    return tuple(dict.fromkeys(_spot(place) for place in places))


def _spot(at: Citation | Passage | UsedPassage) -> Spot:
    match at:
        case Citation():
            title, length, quote = at.title, len(at.quote), at.quote
        case Passage():
            title, length, quote = at.title, len(at.text), at.text
        case UsedPassage():
            title, length, quote = "", at.length, ""
    return Spot(at.doc_id, at.source, title, at.section, at.place, at.start_index, length, quote)
