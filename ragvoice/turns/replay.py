"""A logged turn beside the same question asked again: the same answer, or what changed. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from ragvoice.datatypes import EVERYONE, Answer, Message, Transcription
from ragvoice.turns.records import (
    Circumstances,
    Setting,
    Turn,
    UsedModel,
    UsedPassage,
    history_hash,
    text_hash,
    used_passage,
)

UNEXPLAINED = (
    "Nothing that is recorded has changed, yet the answer is another one: the model's arithmetic is not the same to "
    "the last bit in every run (int8 weights, a cached prefix of the prompt, another processor or number of threads)."
)

_HEARD_OR_SPOKEN = ("stt", "tts")
"""Take no part in a replay: it begins at the transcript and ends with the text."""


class StoredDocument(Protocol):
    """`IndexedDocument` is one."""

    @property
    def text(self) -> str: ...

    @property
    def allowed_groups(self) -> tuple[str, ...]: ...


@dataclass(frozen=True)
class Change:
    what: str
    before: str
    now: str


@dataclass(frozen=True)
class PassageState:
    """A passage of the logged turn in the index of today."""

    doc_id: str
    section: str
    state: Literal["unchanged", "changed", "gone", "closed"]
    """closed: the groups of the turn may not read it any more."""


@dataclass(frozen=True)
class Replay:
    turn: Turn
    answer: Answer
    same: bool
    """Outcome, words and cited quotes."""
    changes: tuple[Change, ...]
    """That the answer may depend on."""
    passages: tuple[PassageState, ...]
    settings: tuple[Change, ...] = field(default=())
    """That are configured otherwise today; the replay used those of the turn."""

    @property
    def unexplained(self) -> bool:
        return not self.same and not self.changes and all(passage.state == "unchanged" for passage in self.passages)


def replay(
    turn: Turn,
    ask: Callable[[str | Transcription, Sequence[Message]], Answer],
    used: Circumstances,
    configured: dict[str, Setting],
    index_id: Callable[[str], str],
    document: Callable[[str], StoredDocument | None],
) -> Replay:
    """Ask again and compare.

    :param ask: With the groups, style and settings of the turn; a spoken question is given as it was recognised.
    :param used: What that asking depends on.
    :param configured: Today's settings.
    :param document: doc_id -> what the index has of it now.
    """
    answer = ask(_question(turn), turn.history)
    pairs = [
        ("index generation", turn.index_generation, answer.index_generation),
        ("content of the index", turn.index_id, index_id(answer.index_generation)),
        ("history", turn.history_hash, history_hash(turn.history)),
        ("question as searched for", turn.standalone_question, answer.standalone_question),
        ("passages found", _found(turn.passages), _found([used_passage(passage) for passage in answer.passages])),
        ("prompt", turn.prompt_hash, answer.prompt_hash),
        ("version", turn.version, used.version),
        ("code", turn.code_hash, used.code_hash),
        *((part, _model(turn.models.get(part)), _model(used.models.get(part))) for part in _parts(turn, used)),
        *_pairs(turn.settings, used.settings),
    ]
    return Replay(
        turn,
        answer,
        _outcome(turn) == _outcome(answer),
        _changes(pairs),
        tuple(_state(passage, document(passage.doc_id), turn.groups) for passage in turn.passages),
        _changes(_pairs(used.settings, configured)),
    )


def _question(turn: Turn) -> str | Transcription:
    """How sure the recogniser was decides, too."""
    if turn.heard is None:
        return turn.question
    return Transcription(turn.question, turn.heard.language, turn.heard.duration_s, (), turn.heard.confidence)


def _outcome(said: Turn | Answer) -> tuple[str, str, list[tuple[str, str]]]:
    return said.outcome, said.answer, [(citation.doc_id, citation.quote) for citation in said.citations]


def _found(passages: Sequence[UsedPassage]) -> str:
    """Equal for the same passages in the same order; readable enough to see which."""
    return ", ".join(f"{passage.doc_id}@{passage.start_index} ({passage.text_hash[:8]})" for passage in passages)


def _parts(turn: Turn, used: Circumstances) -> list[str]:
    return sorted((turn.models.keys() | used.models.keys()) - set(_HEARD_OR_SPOKEN))


def _model(model: UsedModel | None) -> str:
    return f"{model.name} ({model.fingerprint or 'no fingerprint'})" if model else "none"


def _pairs(before: dict[str, Setting], now: dict[str, Setting]) -> list[tuple[str, str, str]]:
    names = [*before, *(name for name in now if name not in before)]
    return [(name, _value(before.get(name, "not there")), _value(now.get(name, "not there"))) for name in names]


def _value(setting: Setting) -> str:
    return "not set" if setting is None else str(setting)


def _changes(pairs: Sequence[tuple[str, str, str]]) -> tuple[Change, ...]:
    return tuple(Change(*pair) for pair in pairs if pair[1] != pair[2])


def _state(passage: UsedPassage, document: StoredDocument | None, groups: Sequence[str]) -> PassageState:
    if document is None:
        return PassageState(passage.doc_id, passage.section, "gone")
    if not {*groups, EVERYONE} & set(document.allowed_groups):
        return PassageState(passage.doc_id, passage.section, "closed")
    text = document.text[passage.start_index : passage.start_index + passage.length]
    same = text_hash(text) == passage.text_hash
    return PassageState(passage.doc_id, passage.section, "unchanged" if same else "changed")
