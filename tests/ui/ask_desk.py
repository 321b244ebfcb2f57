"""A real desk and turn log behind the page; only bot and index are scripted."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar, cast

import numpy as np
from scripted_bot import ScriptedBot

from ragvoice.datatypes import EVERYONE, AudioChunk, Citation, Passage, Place
from ragvoice.desk import Desk, Models
from ragvoice.errors import UsageError
from ragvoice.retrieval.index import IndexedDocument
from ragvoice.settings import Settings
from ragvoice.turns.log import TurnLog
from ragvoice.turns.recorder import Recorder
from ragvoice.turns.records import Circumstances
from ragvoice.voicebot import Said

HANDBOOK = (
    "# 4 Leave\n\n## 4.2 How much leave do I get?\n\nIt depends on the country.\n\n| Country | Days |\n|---|---|\n"
    "| Poland | 26 |\n\nEmployees in Poland get 26 days of annual leave. In Germany it is 30.\n\n"
    "<script>alert('leave')</script> Unused days expire in March.\n"
)
QUOTE = "Employees in Poland get 26 days of annual leave."
BOARD = "Minutes of the board: the office in Leeds will close."
TONE = AudioChunk(np.zeros(1600, np.float32), 16_000)


def passage(doc_id: str, title: str, section: str, text: str, start_index: int) -> Passage:
    return Passage(doc_id, doc_id, title, section, 6, Place("page", 6), text, start_index, 0.9)


LEAVE = passage(
    "hr/handbook.pdf", "Employee handbook", "4 Leave > 4.2 How much leave do I get?", QUOTE, HANDBOOK.index(QUOTE)
)
CITED = Citation(
    LEAVE.doc_id, LEAVE.source, LEAVE.title, LEAVE.section, LEAVE.page, LEAVE.place, QUOTE, LEAVE.start_index
)


class Index:
    documents_by_id: ClassVar = {
        "hr/handbook.pdf": IndexedDocument(
            "hr/handbook.pdf", "hr/handbook.pdf", "Employee handbook", HANDBOOK, (EVERYONE,), "h", {}
        ),
        "board.md": IndexedDocument("board.md", "board.md", "Board", BOARD, ("board",), "b", {}),
    }

    def document(self, doc_id: str, groups: Iterable[str] | None = None) -> IndexedDocument:
        found = self.documents_by_id.get(doc_id)
        if found is None or (groups is not None and not {*groups, EVERYONE} & {*found.allowed_groups}):
            raise UsageError(f"There is no document {doc_id!r} in the index.")
        return found


class Retriever:
    def __init__(self) -> None:
        self.index = self
        self.found = [LEAVE, passage("it.md", "IT policy", "2 Passwords", "Long ones.", 0)]

    def current(self) -> Index:
        return Index()

    def search(self, query: str, k: int | None = None, groups: Iterable[str] | None = None) -> list[Passage]:
        return self.found


def handbook_bot() -> ScriptedBot:
    sentences = Said("You get 26 days in <b>Poland</b>.", CITED, TONE), Said("Take them by March.", None, TONE)
    return ScriptedBot(lambda number: sentences, (LEAVE,))


def make_desk(folder: Path, bot: ScriptedBot, *, examples: tuple[str, ...] = (), keep: bool = True) -> Desk:
    log = TurnLog(folder / "turns.sqlite", 90)
    recorder = Recorder(log, lambda: Circumstances({}, {}, "1", "c"), lambda generation: generation, keep=keep)
    models = Models(cast(Any, bot), cast(Any, Retriever()))
    return Desk(Settings.model_construct(examples=examples), lambda: models, log, recorder)
