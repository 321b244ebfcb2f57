"""`ragvoice finetune embedder`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ragvoice.commands.options import Index

if TYPE_CHECKING:
    from finetune.embedder.proof import Compared

EPILOG = "Example: ragvoice finetune embedder ~/company/questions --epochs 2"


def embedder(
    sets: Annotated[list[Path], typer.Argument(help="Folders with questions.jsonl, or files of questions.")],
    index: Index = None,
    out: Annotated[Path | None, typer.Option(help="Folder of the run. Default: RAGVOICE_HOME/embedders/tuned")] = None,
    epochs: Annotated[int, typer.Option(min=1, help="How often each question is seen.")] = 1,
    batch: Annotated[int, typer.Option(min=2, help="Questions in a batch; each is a negative for the others.")] = 32,
    mini_batch: Annotated[
        int, typer.Option(min=0, help="Texts in memory at once, by gradient caching; 0: all of a batch.")
    ] = 0,
    learning_rate: Annotated[float, typer.Option(min=0, help="Highest step size.")] = 2e-5,
    negatives: Annotated[int, typer.Option(min=1, help="Hard negatives for each question, from the index.")] = 1,
    margin: Annotated[
        float, typer.Option(min=0, max=1, help="A negative is at most this share as similar as the right passage.")
    ] = 0.95,
    max_tokens: Annotated[
        int, typer.Option(min=0, help="Cut longer passages while training; 0: what the embedder reads.")
    ] = 0,
    held_out: Annotated[
        float, typer.Option(min=0.05, max=0.9, help="Share of the questions that is kept for the proof.")
    ] = 0.3,
    seed: Annotated[int, typer.Option(help="Of the split, the order and the dropout.")] = 0,
    fresh: Annotated[bool, typer.Option("--fresh", help="Begin anew in this folder.")] = False,
) -> None:
    """Train the configured embedder on your questions, prove it on documents it never saw, and index beside.

    A run that was stopped goes on where it was. Nothing is switched: the command ends with the two settings that put
    the new embedder into service, or with 1 when it is not better.
    """
    from finetune.alone import alone
    from finetune.embedder.run import Options, tune, tuned_settings
    from finetune.embedder.training import EmbedderTraining
    from finetune.held_out import documents_of
    from finetune.held_out import held_out as drawn
    from finetune.questions import read_questions, with_gold
    from finetune.transformers_trainer import Schedule
    from ragvoice.build import open_index
    from ragvoice.commands.progress import stage_bars
    from ragvoice.errors import UsageError
    from ragvoice.settings import home, read_settings

    settings = read_settings(index=index)
    folder = (out or home() / "embedders" / "tuned").expanduser().resolve()
    asked = read_questions(sets)
    titles = {document.doc_id: document.title for document in open_index(settings).documents()}
    usable = with_gold(asked, frozenset(titles))
    if not usable:
        raise UsageError(f"Of the {len(asked)} questions none names a document of the index in {settings.index_path}.")
    kept_back = drawn(usable, held_out, seed, titles)
    proving = [question for question in usable if question.id in kept_back]
    learning = [question for question in usable if question.id not in kept_back]
    typer.echo(
        f"{len(asked)} questions, {len(usable)} answered by documents of the index: {len(learning)} to train on, "
        f"{len(proving)} on {len(documents_of(proving))} other documents for the proof."
    )
    options = Options(
        EmbedderTraining(epochs, max_tokens, mini_batch),
        Schedule(batch, learning_rate, seed, threads=settings.threads),
        negatives,
        margin,
    )
    with alone(folder), stage_bars() as report:
        outcome = tune(settings, learning, proving, folder, options, fresh=fresh, report=report)
    for reason, count in outcome.left_out.items():
        typer.echo(f"Not trained on: {count}, {reason}.")
    _show(outcome.measures)
    tuned = tuned_settings(settings, folder)
    if not outcome.better:
        typer.echo(f"Not better, so nothing changes. {tuned.index_path} and {folder} can be deleted.", err=True)
        raise typer.Exit(1)
    typer.echo("Better. To use it, set both, and fit the confidence again (ragvoice evaluate --fit-abstention):")
    typer.echo(f'embedder = "{tuned.embedder}"\nindex = "{tuned.index_path}"')


def _show(rows: Sequence[Compared]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD)
    for column in ("search", "measure", "base", "tuned", "change", "95 % interval"):
        table.add_column(column)
    for row in rows:
        span = f"{row.change.low:+.3f} to {row.change.high:+.3f}"
        change = f"{row.change.value:+.3f}"
        table.add_row(row.search, row.measure, f"{row.base:.3f}", f"{row.tuned:.3f}", change, span)
    Console().print(table)
