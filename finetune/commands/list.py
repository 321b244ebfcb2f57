"""`ragvoice finetune list`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import typer

from ragvoice.commands.options import AsJson

if TYPE_CHECKING:
    from finetune.proof.runs import RunSummary


def list_runs(as_json: AsJson = False) -> None:
    """Show the runs: what they were trained on, how far they are, whether they help."""
    from finetune.proof.runs import summary
    from finetune.run_folder import all_runs, runs_folder

    found = [summary(run) for run in all_runs()]
    if as_json:
        for run in found:
            typer.echo(json.dumps(run.as_json()))
    elif not found:
        typer.echo(f"No run in {runs_folder()} yet. Begin with: ragvoice finetune data RUN")
    else:
        _show(found)


def _show(found: list[RunSummary]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD)
    for name in ("run", "base", "date", "state"):
        table.add_column(name)
    for name in ("examples", "steps", "held-out loss", "score, base -> adapter"):
        table.add_column(name, justify="right")
    for run in found:
        loss = "-" if run.held_out_loss is None else f"{run.held_out_loss:.3f}"
        score = "-"
        if run.base_score is not None and run.adapter_score is not None:
            score = f"{run.measure} {run.base_score:.3f} -> {run.adapter_score:.3f}"
        steps = "-" if run.steps is None else str(run.steps)
        cells = (run.run, run.base, run.date, run.state, str(run.examples), steps, loss, score)
        table.add_row(*(escape(cell) for cell in cells))
    console = Console()
    console.print(table)
    for run in found:
        if run.note:
            console.print(escape(f"{run.run}: {run.note}"))
