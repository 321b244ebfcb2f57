"""The application as it is evaluated: which index a set is asked to, what answers, and where the answers are kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ragvoice.datatypes import Style
from ragvoice.evaluation.datasets import Dataset
from ragvoice.evaluation.provenance import fingerprint, index_of
from ragvoice.evaluation.results import QuestionResult
from ragvoice.evaluation.runner import Application, Progress, evaluate
from ragvoice.retrieval.generations import Manifest
from ragvoice.settings import Settings, home, read_settings

ROLES = ("embedder", "llm", "adapter")
"""Settings that name the models which answer a typed question."""


@dataclass(frozen=True)
class Run:
    """A set, and the settings it is asked with."""

    dataset: Dataset
    settings: Settings


@dataclass(frozen=True)
class Opened:
    """The application with its models loaded, and the journal of exactly this state of it."""

    system: Application
    manifest: Manifest
    journals: Path
    """Folder of everything that is kept of this set."""
    journal: Path

    @property
    def index(self) -> dict[str, Any]:
        """What a report says of the index."""
        return index_of(self.manifest)

    def ask_all(
        self, dataset: Dataset, style: Style, progress: Progress = lambda done, total: None
    ) -> list[QuestionResult]:
        return evaluate(dataset, self.system, style, self.journal, progress)


def planned(sets: Sequence[Dataset], index: Path | None = None, **flags: Any) -> list[Run]:
    """A set with documents has an index of its own; one without is asked to that of the latest set before it, else of
    the first one that has documents, else to the usual one.

    :param index: Takes the place of all of these.
    :param flags: Further settings, as for `read_settings`.
    """
    runs = []
    own: Path | None = next((home() / "evaluation" / dataset.name for dataset in sets if dataset.documents), None)
    for dataset in sets:
        if dataset.documents:
            own = home() / "evaluation" / dataset.name
        settings = read_settings(index=index or own, **flags)
        runs.append(Run(dataset, settings))
    return runs


def open_application(name: str, settings: Settings) -> Opened:
    """:param name: Of the set, for the folder of its journals.
    :raises VectorIndexError, ModelError: as `ragvoice.build`.
    """
    from ragvoice.build import build_retriever, build_voicebot, open_index

    index = open_index(settings)
    retriever = build_retriever(settings, index)
    bot = build_voicebot(settings, listens=False, speaks=False, retriever=retriever)
    folder = home() / "evaluation" / name / "journals"
    journal = folder / f"{fingerprint(settings, ROLES, index.manifest)[:16]}.jsonl"
    return Opened(Application(bot, retriever), index.manifest, folder, journal)
