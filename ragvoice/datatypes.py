"""What crosses a border between two rooms: frozen dataclasses, nothing else.

Array legend: `t` audio samples.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Outcome = Literal["answered", "abstained", "clarify", "no_speech"]
Style = Literal["spoken", "short"]

EVERYONE = "everyone"
"""The group that every asker belongs to and that a document without a rule is open to."""


@dataclass(frozen=True)
class AudioChunk:
    """Mono sound."""

    samples_t: NDArray[np.float32]
    """Shape (t,), range -1 to 1."""
    sample_rate_hz: int

    @property
    def duration_s(self) -> float:
        return len(self.samples_t) / self.sample_rate_hz


@dataclass(frozen=True)
class Segment:
    """A stretch of recognised speech; times in seconds from the start of the audio."""

    start_s: float
    end_s: float
    text: str


@dataclass(frozen=True)
class Transcription:
    text: str
    """Empty when nobody spoke."""
    language: str
    """ISO 639-1 code, as Whisper names it."""
    duration_s: float
    """Length of the audio, not of the speech in it."""
    segments: tuple[Segment, ...] = ()
    confidence: float | None = None
    """exp(mean log probability of the tokens), 0 to 1; None where the recogniser does not say."""


@dataclass(frozen=True)
class Message:
    """One line of the conversation so far."""

    speaker: Literal["user", "agent"]
    text: str


@dataclass(frozen=True)
class Place:
    """Where in its file a passage stands, in the unit that a person would use to look it up."""

    kind: Literal["page", "slide", "sheet", "time_s", "line"]
    value: int | float | str


@dataclass(frozen=True)
class Passage:
    """A retrieved chunk. `text` is a slice of the document's text that begins at `start_index` (characters)."""

    doc_id: str
    source: str
    """What a person is shown; never an absolute path."""
    title: str
    section: str
    """Heading path, outermost first: `Leave > Annual leave`; empty when the document has no headings."""
    page: int | None
    place: Place | None
    text: str
    start_index: int
    score: float
    """Fused retrieval score, 0 to 1; higher is better. Comparable within one query only."""
    similarity: float = 0.0
    """Cosine similarity of question and passage, -1 to 1."""
    content_hash: str = ""
    table_header: str = ""
    """Header rows of the table in which the passage begins, when they stand in an earlier chunk."""


@dataclass(frozen=True)
class Citation:
    """The words of a document that support the answer. `quote` is verbatim."""

    doc_id: str
    source: str
    title: str
    section: str
    page: int | None
    place: Place | None
    quote: str
    start_index: int
    """Of the quote in the document's text, in characters."""


@dataclass(frozen=True)
class Timings:
    """Seconds from the start of the turn's own work; None where a stage did not run."""

    transcribe: float | None = None
    """Duration of recognition."""
    retrieve: float | None = None
    """Duration of the search."""
    first_token: float | None = None
    """From the start of the turn to the first token of the model."""
    first_audio: float | None = None
    """From the start of the turn to the first sample of the spoken answer."""
    total: float | None = None


@dataclass(frozen=True)
class ModelNames:
    """What produced an answer: the names as configured, of the adapter its own and the first digits of its fingerprint.

    None stands for a part that was not used."""

    embedder: str | None = None
    llm: str | None = None
    adapter: str | None = None
    stt: str | None = None
    tts: str | None = None


@dataclass(frozen=True)
class Draft:
    """A sentence that is being written and that nothing has been checked of: to be seen as such, never to be spoken.

    The next one takes its place, and the sentence itself once it may be said; none outlives the answer."""

    text: str
    refused: bool = False
    """The check has come to its end, and the sentence is left out."""


@dataclass(frozen=True)
class Answer:
    """One finished turn."""

    turn_id: str
    question: str
    standalone_question: str
    outcome: Outcome
    answer: str
    """What would be said: no citation markers, no Markdown."""
    confidence: float
    """Estimated P(the answer is right), 0 to 1."""
    citations: tuple[Citation, ...] = ()
    passages: tuple[Passage, ...] = ()
    transcription: Transcription | None = None
    index_generation: str = ""
    models: ModelNames = field(default_factory=ModelNames)
    timings: Timings = field(default_factory=Timings)
    draft: str = ""
    """What the model wrote and would have been said if nothing spoke against it; for evaluation."""
    evidence: dict[str, float] = field(default_factory=dict)
    """What the confidence was estimated from, by feature; empty when the model was not asked."""
    prompt_hash: str = ""
    """SHA-256 of the messages that the model was sent; empty when it was not asked."""

    @property
    def abstained(self) -> bool:
        return self.outcome != "answered"
