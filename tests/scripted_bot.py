"""A bot that says two sentences; for tests of the desk and of the page."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from ragvoice.datatypes import Answer, AudioChunk, Citation, Message, Passage, Style, Transcription
from ragvoice.errors import GenerationError
from ragvoice.voicebot import Event, Found, Heard, Said


def numbered(number: int) -> tuple[Said, Said]:
    quote = Citation("a.md", "a.md", "A", "", None, None, f"Quote {number}.", 0)
    return Said(f"First {number}.", quote, None), Said(f"Second {number}.", None, None)


class ScriptedBot:
    """`gate` holds the second sentence up. Questions with certain words end otherwise; loud recordings are heard as
    "How much leave in Poland?", and silent ones as nothing."""

    recogniser = None

    def __init__(
        self,
        sentences: Callable[[int], tuple[Said, Said]] = numbered,
        passages: tuple[Passage, ...] = (),
    ) -> None:
        """:param sentences: Of the turn with this number, from 1."""
        self.asked: list[tuple[object, tuple[Message, ...], tuple[str, ...]]] = []
        self.prepared: list[tuple[str, tuple[Message, ...], tuple[str, ...]]] = []
        self.gate = threading.Event()
        self.gate.set()
        self.closed = threading.Event()
        self._sentences = sentences
        self._passages = passages

    def prepare(
        self, partial: str, history: Sequence[Message], groups: Iterable[str], *, wanted: Callable[[], bool]
    ) -> bool:
        self.prepared.append((partial, tuple(history), tuple(groups)))
        return True

    def turn(
        self,
        question: str | AudioChunk,
        history: Sequence[Message] = (),
        groups: Iterable[str] = (),
        style: Style = "spoken",
        *,
        speak: bool = False,
    ) -> Iterator[Event]:
        self.asked.append((question, tuple(history), tuple(groups)))
        number = len(self.asked)
        blank = Answer(f"{number:032x}", "", "", "no_speech", "I did not hear a question.", 0.0)
        if isinstance(question, AudioChunk):
            text = "How much leave in Poland?" if np.abs(question.samples_t).max() > 0.1 else ""
            heard = Transcription(text, "en", question.duration_s)
            yield Heard(heard)
            if not text:
                yield replace(blank, transcription=heard)
                return
            question, blank = text, replace(blank, transcription=heard)
        begun = replace(
            blank,
            question=question,
            standalone_question=question,
            outcome="answered",
            answer="",
            passages=self._passages,
            index_generation="g",
        )
        first, second = self._sentences(number)
        try:
            if "broken" in question:
                raise GenerationError("The server of the language model does not answer.")
            if "crash" in question:
                raise ZeroDivisionError("a secret detail")
            yield Found(question, self._passages, begun)
            if "moon" in question:
                yield replace(first, text="That is not in the documents.", citation=None)
                yield replace(begun, outcome="abstained", answer="That is not in the documents.", confidence=0.1)
                return
            if "this one" in question:
                yield replace(begun, outcome="clarify", answer="Which one do you mean?", confidence=0.1)
                return
            yield first
            self.gate.wait(30)
            yield second
            citations = tuple(said.citation for said in (first, second) if said.citation)
            yield replace(begun, answer=f"{first.text} {second.text}", confidence=0.8, citations=citations)
        finally:
            self.closed.set()
