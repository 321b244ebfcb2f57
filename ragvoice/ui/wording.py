"""What the page says in words: how sure an answer is, how a turn ended, what an error means. Pure."""

from __future__ import annotations

import errno
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from ragvoice.errors import RagVoiceError

Colour = Literal["green", "orange", "red", "blue", "gray"]

HIGH_CONFIDENCE = 0.75
FAIR_CONFIDENCE = 0.5
"""Three of four, one of two: it is a fitted probability of being right (`ragvoice.generation.confidence`)."""


@dataclass(frozen=True)
class Badge:
    label: str
    icon: str
    """Name of a Material symbol, as Streamlit takes it."""
    colour: Colour
    explanation: str


def confidence_words(confidence: float) -> Badge:
    """:param confidence: Of an answer that was given, 0 to 1."""
    share = f"Answers like this one are right in about {round(confidence * 10)} of 10 cases."
    if confidence >= HIGH_CONFIDENCE:
        return Badge("High confidence", ":material/verified:", "green", share)
    if confidence >= FAIR_CONFIDENCE:
        return Badge("Fair confidence", ":material/rule:", "orange", f"{share} Have a look at the source.")
    return Badge("Low confidence", ":material/warning:", "red", f"{share} Check the source before you rely on it.")


ENDINGS: dict[str, Badge] = {
    "abstained": Badge(
        "Not in the documents",
        ":material/search_off:",
        "gray",
        "No document that you may read answers this reliably, so no answer is given.",
    ),
    "clarify": Badge(
        "A question back", ":material/help:", "blue", "The question can be understood in more than one way."
    ),
    "no_speech": Badge(
        "No question heard", ":material/mic_off:", "gray", "The recording holds no speech that could be understood."
    ),
    "interrupted": Badge(
        "Stopped", ":material/stop_circle:", "gray", "You stopped this answer; it may be incomplete and is not rated."
    ),
}
"""By the state of an exchange that is not a plain answer."""
LEFT_OUT = "A sentence was left out: the documents do not support it."


def waiting_words(ahead: int) -> str:
    """:param ahead: Turns that run or come first."""
    return "One question is answered before yours" if ahead == 1 else f"{ahead} questions are answered before yours"


@dataclass(frozen=True)
class Trouble:
    title: str
    message: str
    advice: str


_TROUBLE: dict[str, tuple[str, str]] = {
    "usage": ("That question cannot be answered", "Ask a short question in your own words."),
    "audio": ("This recording cannot be read", "Record it again, or type the question."),
    "speech": ("The speech models do not work", "Type your question; an administrator can look at the models."),
    "index": ("The documents are not ready", "They may be being read right now. If this stays, tell an administrator."),
    "model": ("A model is missing", "An administrator can install it: ragvoice models pull"),
    "generation": ("The language model did not answer", "Ask again. If this stays, tell an administrator."),
    "access": ("You may not do that", "An administrator can change what you may do."),
    "busy": ("Many people are asking right now", "Nothing is lost: ask again in a moment."),
    "turn_log": ("Your earlier questions cannot be read", "You can still ask. An administrator can look at the log."),
}


_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


def trouble(error: BaseException) -> Trouble:
    """Kind words for an error. Of one that nobody foresaw the details, as paths, are for the server's log, not for the
    page."""
    if isinstance(error, OSError):
        words = f"{error.strerror or 'A file or a connection of the server failed'}."
        if error.errno in _DISK:
            advice = (
                "If this stays, an administrator can look at the room on the disk, and whether it may be written to."
            )
            return Trouble("The server's disk is full or cannot be written to", words, f"Try again. {advice}")
        return Trouble("The server could not do that", words, "Try again. If this stays, tell an administrator.")
    if not isinstance(error, RagVoiceError):
        return Trouble(
            "Something went wrong",
            "This should not have happened, and it has been noted on the server.",
            "Ask again. If it happens again, tell an administrator what you asked and when.",
        )
    title, advice = _TROUBLE.get(error.code, ("That did not work", "Try again. If this stays, tell an administrator."))
    return Trouble(title, str(error), advice)


def label(text: str, longest: int = 80) -> str:
    """Text as the label of a widget: one line, not longer than that, none of it taken for Markdown."""
    line = " ".join(text.split())
    if len(line) > longest:
        line = line[: longest - 1].rsplit(" ", 1)[0].rstrip(" ,;:") + "…"
    return re.sub(r"([\\`*_{}\[\]()<>#+.!|~$:&-])", r"\\\1", line)


def day_words(moment: str, now: datetime) -> str:
    """`Today`, `Yesterday` or a date.

    :param moment: ISO 8601 in UTC, as the log has it.
    :param now: With a time zone.
    """
    then = datetime.fromisoformat(moment).astimezone(now.tzinfo)
    days = (now.date() - then.date()).days
    if days < 2:
        return "Yesterday" if days == 1 else "Today"
    return f"{then.day} {then:%B}" if then.year == now.year else f"{then.day} {then:%B %Y}"
