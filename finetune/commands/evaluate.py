"""`ragvoice finetune evaluate`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ragvoice.commands.options import style_name

if TYPE_CHECKING:
    from finetune.proof.evaluation import Evaluation
    from finetune.run import Evaluation as Configuration
    from finetune.run import QuestionSet
    from ragvoice.datatypes import Style

_OWN = Path("data")
"""The sample company; asked where neither the run file nor the command names a set."""


def evaluate(
    run: Annotated[str, typer.Argument(help="Name of a trained run; `ragvoice finetune list` shows them.")],
    dataset: Annotated[
        list[Path] | None,
        typer.Option(help="Folder of a question set for the application, instead of the run file's; may be repeated."),
    ] = None,
    style: Annotated[str, typer.Option(help="short (compares with gold strings), spoken, or both.")] = "short",
    limit: Annotated[
        int | None, typer.Option(min=1, help="Questions of each set. Default: as the run file says.")
    ] = None,
    reading_limit: Annotated[
        int | None, typer.Option(min=1, help="Examples of the reading test. Default: as the run file says.")
    ] = None,
    parity: Annotated[
        int | None,
        typer.Option(
            min=0, help="Examples of it that the trained model answers, too; 0 is none. Default: as the run file says."
        ),
    ] = None,
    reading_only: Annotated[
        bool,
        typer.Option("--reading-only", help="Leave the application out: quicker, but not enough to promote."),
    ] = False,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Ask everything again, also what is answered already.")
    ] = False,
) -> None:
    """Measure the base model and the adapter on documents that the training never saw, and compare them.

    The run's own test examples are read with their passages; question sets go through the whole application; general
    questions without documents show what was forgotten; and some examples are also answered by the trained model, to
    see what merging and quantising cost. An evaluation that was stopped goes on where it was, and the base is
    asked once for all runs. Writes evaluation.json, evaluation.md and evaluation.png into the run's folder. Ends with 1
    when every answer failed; an adapter that is no better is a result, too.
    """
    from finetune.data.examples import read_part
    from finetune.proof.evaluating import base_flags, evaluate_run, write_evaluation
    from finetune.proof.gates import gates_in_force
    from finetune.proof.measuring import application_runs, chosen_questions
    from finetune.proof.verdict import objections
    from finetune.run import read_run
    from finetune.run_folder import RunFolder
    from ragvoice.commands.evaluate import ingest_if_missing
    from ragvoice.commands.progress import stage_bars

    styles: list[Style] = ["short", "spoken"] if style == "both" else [style_name(style)]
    folder = RunFolder.existing(run)
    flags = base_flags(folder)
    made_by = read_run(str(folder.run_file))[1]
    config = made_by.evaluation
    gates, _ = gates_in_force(config.gates)
    seen = [*read_part(folder.data, "train"), *read_part(folder.data, "validation")]
    questions = chosen_questions(
        [] if reading_only else _sets(dataset, config),
        read_part(folder.data, "test"),
        seen,
        styles,
        limit or config.limit,
        reading_limit or config.reading_limit,
        pretrained=made_by.training.pretrain,
    )
    for asked in application_runs(questions.sets, flags):
        ingest_if_missing(asked.dataset, asked.settings)
    with stage_bars() as bars:
        made = evaluate_run(folder, questions, bars, parity=config.parity if parity is None else parity, fresh=fresh)
    verdict = objections(made.evaluation, config.measure, gates)
    write_evaluation(folder, made, verdict)
    _show(made.evaluation)
    if made.evaluation.parity:
        typer.echo(made.evaluation.parity.sentence)
    typer.echo(f"Written: {folder.evaluation_report} and {folder.evaluation}")
    answers = [*made.base, *made.adapted]
    failed = [result for result in answers if result.error is not None]
    if failed:
        typer.echo(
            f"{len(failed)} of {len(answers)} answers of the reading test failed; the same command asks them again. "
            f"The first one, {failed[0].id}: {failed[0].error}",
            err=True,
        )
    if verdict:
        typer.echo("It would not be promoted:" + "".join(f"\n  - {sentence}" for sentence in verdict))
    else:
        typer.echo(f"Nothing speaks against it. To put it in service: ragvoice finetune promote {run}")
    if answers and len(failed) == len(answers):
        raise typer.Exit(1)


def _sets(folders: Sequence[Path] | None, config: Configuration) -> list[QuestionSet]:
    from finetune.run import QuestionSet

    if folders:
        return [QuestionSet.model_validate({"folder": folder}) for folder in folders]
    named = list(config.datasets) or [QuestionSet.model_validate({"folder": _OWN})]
    return [*named, *([config.offtopic] if config.offtopic else [])]


def _show(evaluation: Evaluation) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from finetune.proof.report import COLUMNS, rows

    table = Table(title=escape(f"{evaluation.run} on {evaluation.base}"), title_justify="left", box=SIMPLE_HEAD)
    for number, column in enumerate(("set", *COLUMNS)):
        table.add_column(escape(column), justify="right" if number > 1 else "left")
    for comparison in (*evaluation.comparisons, *evaluation.by_source):
        for number, row in enumerate(rows(comparison)):
            style = "" if row.style == "all" else f", {row.style}"
            table.add_row(escape(f"{row.set}{style}") if number == 0 else "", *(escape(cell) for cell in row.cells))
        table.add_section()
    Console().print(table)
