"""Ours beside two plain pipelines on the visible sets: one table in docs/evaluation.md.

    python benchmarks/side_by_side.py [--sets data squad2 ...] [--limit 40]

Every system answers the same questions with the same model: short answers by all of them, spoken ones by ours beside. A
set without documents, such as `offtopic`, is asked to the sample company. Resumable: answers are kept below
RAGVOICE_HOME/evaluation, where `ragvoice evaluate` takes ours from.
"""

from __future__ import annotations

import argparse
import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import plain_systems
from langchain_core.language_models.chat_models import BaseChatModel

from ragvoice.build import build_chat_model, build_retriever, build_voicebot, open_index
from ragvoice.commands.evaluate import ingest_if_missing
from ragvoice.commands.progress import Report, stage_bars
from ragvoice.datatypes import Style
from ragvoice.evaluation.datasets import Dataset, read_dataset
from ragvoice.evaluation.provenance import commit, fingerprint
from ragvoice.evaluation.runner import Application, System, evaluate
from ragvoice.evaluation.scores import Figure, summarise
from ragvoice.retrieval.index import DocumentIndex
from ragvoice.settings import Settings, home, read_settings

ROOT = Path(__file__).resolve().parent.parent
SHARED = Path(os.environ.get("RAGVOICE_EVAL_DATA", ROOT.parent / "shared" / "data"))
TABLE = ROOT / "docs" / "evaluation.md"
SETS = ("data", "squad2", "clapnq", "mtrag")
COLUMNS = {
    "hit@5": "hit@5",
    "exact match": "exact_match",
    "F1": "f1",
    "contains gold": "contains",
    "right": "right",
    "refused, unanswerable": "refused_unanswerable",
    "refused, answerable": "refused_answerable",
    "grounded": "grounded",
    "citations hold": "citation_precision",
    "leaked": "leak_rate",
    "seconds p50": "total_p50",
}
ROLES = ("embedder", "llm", "adapter")
START, END = "<!-- side by side: begin -->", "<!-- side by side: end -->"


@dataclass(frozen=True)
class Candidate:
    name: str
    style: Style
    open: Callable[[], System]
    """Called only when there are questions left to ask."""
    journal: Path


class Later:
    """A system that is opened at its first question: a finished run loads no model."""

    def __init__(self, name: str, opened: Callable[[], System]):
        self.name = name
        self._open = opened
        self._system: System | None = None

    def __getattr__(self, attribute: str) -> object:
        self._system = self._system or self._open()
        return getattr(self._system, attribute)


def candidates(
    settings: Settings, dataset: Dataset, index: DocumentIndex, chat: Callable[[], BaseChatModel]
) -> list[Candidate]:
    folder = home() / "evaluation" / dataset.name / "journals"
    ours = folder / f"{fingerprint(settings, ROLES, index.manifest)[:16]}.jsonl"
    code = Path(plain_systems.__file__).read_bytes() + index.manifest.generation.encode() + settings.llm.encode()
    plain = hashlib.sha256(code).hexdigest()[:16]

    def application() -> System:
        retriever = build_retriever(settings, index)
        return Application(build_voicebot(settings, listens=False, speaks=False, retriever=retriever), retriever)

    return [
        Candidate(
            plain_systems.Bm25System.name, "short", lambda: plain_systems.Bm25System(chat(), index),
            folder / f"bm25-{plain}.jsonl",
        ),
        Candidate(
            plain_systems.LangChainSystem.name, "short", lambda: plain_systems.LangChainSystem(chat(), index),
            folder / f"langchain-{plain}.jsonl",
        ),
        Candidate("ragvoice", "short", application, ours),
        Candidate("ragvoice, spoken", "spoken", application, ours),
    ]  # fmt: skip


def measured(name: str, limit: int, report: Report, *, plain_only: bool) -> list[tuple[str, str, Mapping[str, Figure]]]:
    """(set, system, figures) of every system; empty when the set is not here."""
    folder = ROOT / "data" if name == "data" else SHARED / name
    if not folder.is_dir():
        print(f"{name} is not here, left out; set RAGVOICE_EVAL_DATA.")
        return []
    dataset = read_dataset(folder, limit)
    asked = dataset if dataset.documents else read_dataset(ROOT / "data")
    settings = read_settings(index=home() / "evaluation" / asked.name)
    ingest_if_missing(replace(dataset, documents=asked.documents), settings)
    index = open_index(settings)
    opened: list[BaseChatModel] = []

    def chat() -> BaseChatModel:
        opened[:] = opened or [build_chat_model(settings)]
        return opened[0]

    rows = []
    for candidate in candidates(settings, dataset, index, chat)[: 2 if plain_only else None]:
        system = Later(candidate.name, candidate.open)
        stage = partial(report, f"{name}, {candidate.name}")
        results = evaluate(dataset, system, candidate.style, candidate.journal, stage)  # type: ignore[arg-type]
        rows.append((f"{name} ({len(results)})", candidate.name, summarise(results)))
    return rows


def table(rows: Sequence[tuple[str, str, Mapping[str, Figure]]]) -> str:
    lines = ["| set (questions) | system | " + " | ".join(COLUMNS) + " |", "| --- | --- |" + " ---: |" * len(COLUMNS)]
    before = ""
    for name, system, figures in rows:
        cells = " | ".join(_cell(figures.get(measure)) for measure in COLUMNS.values())
        lines.append(f"| {name if name != before else ''} | {system} | {cells} |")
        before = name
    return "\n".join(lines)


def _cell(figure: Figure | None) -> str:
    if figure is None or figure.value is None:
        return "-"
    return f"{figure.value:.2f}".replace("0.", ".", 1) if figure.value < 1 else f"{figure.value:.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="+", default=SETS)
    parser.add_argument("--limit", type=int, default=40, help="questions of each set, evenly spread")
    parser.add_argument("--plain-only", action="store_true", help="ask the plain pipelines, and write no table")
    arguments = parser.parse_args()
    rows = []
    with stage_bars() as report:
        for name in arguments.sets:
            rows += measured(name, arguments.limit, report, plain_only=arguments.plain_only)
    if arguments.plain_only:
        print(table(rows))
        return
    made = commit()
    text = f"{table(rows)}\n\nMade by `python benchmarks/side_by_side.py --limit {arguments.limit}`"
    text += f" at commit {made['sha'][:10]}{' with changes' if made['dirty'] else ''}." if made else "."
    print(text)
    page = TABLE.read_text(encoding="utf-8") if TABLE.is_file() else f"# Evaluation\n\n{START}\n{END}\n"
    before, _, rest = page.partition(START)
    TABLE.write_text(f"{before}{START}\n\n{text}\n\n{END}{rest.partition(END)[2]}", encoding="utf-8")


if __name__ == "__main__":
    main()
