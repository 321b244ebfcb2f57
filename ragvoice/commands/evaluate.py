"""`ragvoice evaluate`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ragvoice.commands.options import Index, style_name

if TYPE_CHECKING:
    from ragvoice.evaluation.datasets import Dataset
    from ragvoice.settings import Settings


def evaluate(
    dataset: Annotated[Path, typer.Argument(help="Folder with documents or corpus.jsonl, and questions.jsonl.")],
    index: Index = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Take this many questions, evenly spread.")] = None,
    style: Annotated[str, typer.Option(help="short (compares with gold strings) or spoken.")] = "short",
    json_out: Annotated[Path | None, typer.Option("--json", help="Write every question and the scores here.")] = None,
) -> None:
    """Measure retrieval, answers and refusals on a set of questions.

    The documents are ingested first when the index is missing; without --index they get one of their own below
    RAGVOICE_HOME, apart from the index that people ask.
    """
    from ragvoice.build import build_retriever, build_voicebot, open_index
    from ragvoice.commands.progress import stage_bars
    from ragvoice.evaluation.datasets import read_dataset
    from ragvoice.evaluation.runner import CUTOFFS, report_json, summarise
    from ragvoice.evaluation.runner import evaluate as run
    from ragvoice.settings import home, read_settings

    wanted = style_name(style)
    data = read_dataset(dataset, limit)
    settings = read_settings(index=index or home() / "evaluation" / data.name)
    ingest_if_missing(data, settings)
    retriever = build_retriever(settings, open_index(settings))
    bot = build_voicebot(settings, listens=False, speaks=False, retriever=retriever)
    # A document counts once, so its further chunks must not use up the largest cut-off.
    depth = 5 * max(CUTOFFS)
    with stage_bars() as report:
        results = run(
            data,
            bot,
            lambda query, groups: retriever.search(query, depth, groups),
            wanted,
            lambda done, total: report("ask", done, total),
        )
    scores = summarise(results)
    if json_out:
        json_out.write_text(json.dumps(report_json(data, wanted, results), indent=1), encoding="utf-8")
    typer.echo(f"{data.name}: {scores.questions} questions, style {style}")
    for k, value in scores.hit_at.items():
        typer.echo(f"  hit@{k:<22} {_shown(value)}")
    for name in ("exact_match", "f1", "contains", "refused_unanswerable", "refused_answerable", "cites_gold"):
        typer.echo(f"  {name.replace('_', ' '):<26} {_shown(getattr(scores, name))}")
    typer.echo(f"  {'seconds a question (median)':<26} {_shown(scores.seconds_median)}")


def ingest_if_missing(dataset: Dataset, settings: Settings) -> None:
    if (settings.index_path / "CURRENT").is_file():
        return
    from ingest.command import ingest_command

    typer.echo(f"Ingesting {dataset.name} first.", err=True)
    ingest_command([dataset.documents], index=settings.index_path)


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
