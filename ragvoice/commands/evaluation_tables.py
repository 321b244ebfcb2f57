"""An evaluation on the terminal: a table a set, what changed, what is broken."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import TYPE_CHECKING

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ragvoice.evaluation.failures import count
from ragvoice.evaluation.scores import MEASURES

if TYPE_CHECKING:
    from ragvoice.evaluation.comparison import Comparison
    from ragvoice.evaluation.fit_abstention import Fit
    from ragvoice.evaluation.report import Section, SetReport


def show_set(report: SetReport) -> None:
    """Every measure that the set defines, the sections, and the failures by kind."""
    sample = f"{len(report.results)} of {report.available} questions"
    table = _table(f"{report.name}, {report.style}: {sample}", "measure", "value", "95 % interval", "n")
    group = ""
    for measure in MEASURES:
        figure = report.figures.get(measure.name)
        if figure is None or figure.value is None:
            continue
        if group and measure.group != group:
            table.add_section()
        group = measure.group
        span = "" if figure.low is None or figure.high is None else f"{figure.low:.3f} to {figure.high:.3f}"
        table.add_row(_words(measure.name), f"{figure.value:.3f}", span, str(figure.n))
    console = Console()
    console.print(table)
    for section in report.sections:
        console.print(_section(section))
    failed = count(report.results)
    if failed:
        console.print("What went wrong: " + ", ".join(f"{kind} {number}" for kind, number in failed.items()))


def show_comparison(comparison: Comparison) -> None:
    """What changed over the common questions, and how many there are."""
    if not comparison.common:
        typer.echo(f"{comparison.name}, {comparison.style}: no question in common with the baseline.", err=True)
        return
    left = [
        f"{number} only {where}"
        for number, where in ((comparison.only_before, "in the baseline"), (comparison.only_after, "now"))
        if number
    ]
    over = f"{comparison.common} questions in common" + "".join(f", {text}" for text in left)
    title = f"{comparison.name}, {comparison.style} against the baseline: {over}"
    table = _table(title, "measure", "before", "now", "change", "95 % interval", "n")
    for difference in comparison.differences:
        change = difference.change
        table.add_row(
            _words(difference.measure.name),
            f"{difference.before:.3f}",
            f"{difference.after:.3f}",
            f"{difference.after - difference.before:+.3f}",
            f"{change.low:+.3f} to {change.high:+.3f}",
            str(change.n),
        )
    Console().print(table)


def show_failed(reports: Sequence[SetReport]) -> bool:
    """Say on stderr how many questions failed and why the first one did; True when every one of a set did."""
    results = [result for report in reports for result in report.results]
    errors = [result for result in results if result.error is not None]
    if errors:
        typer.echo(
            f"{len(errors)} of {len(results)} questions failed; the same command asks them again. "
            f"The first one, {errors[0].id}: {errors[0].error}",
            err=True,
        )
    return any(all(result.error is not None for result in report.results) for report in reports)


def show_broken(broken: Sequence[str]) -> None:
    for sentence in broken:
        typer.echo(f"Broken gate: {sentence}.", err=True)


def show_fit(fit: Fit) -> None:
    """Both kinds of model on documents that they were not fitted on; the first one is kept."""
    title = f"Abstention, fitted on {fit.rows} answers, {fit.right} of them right"
    table = _table(title, "on held-out documents", f"{fit.chosen.kind} (kept)", fit.rejected.kind)
    for name in (field.name for field in fields(fit.chosen) if field.name != "kind"):
        table.add_row(_words(name), *(f"{getattr(row, name):.3f}" for row in (fit.chosen, fit.rejected)))
    Console().print(table)


def _section(section: Section) -> Table:
    table = _table(section.title, *section.columns)
    table.caption = escape(section.note) or None
    for row in section.rows:
        table.add_row(*(escape(cell) for cell in row))
    return table


def _table(title: str, *columns: str) -> Table:
    table = Table(title=escape(title), title_justify="left", box=SIMPLE_HEAD)
    for number, column in enumerate(columns):
        table.add_column(escape(column), justify="right" if number else "left")
    return table


def _words(name: str) -> str:
    return name.replace("_", " ")
