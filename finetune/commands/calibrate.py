"""`ragvoice finetune calibrate`."""

from __future__ import annotations

from typing import Annotated

import typer

from ragvoice.errors import UsageError


def calibrate(
    run: Annotated[str, typer.Argument(help="Name of a trained run; `ragvoice finetune list` shows them.")],
    limit: Annotated[int, typer.Option(min=1, help="Questions of each set.")] = 80,
    most_refused: Annotated[
        float, typer.Option(min=0, max=0.9, help="Share of the right answers that the threshold may hold back.")
    ] = 0.1,
) -> None:
    """Fit the confidence of a run's adapter: when to say that it is not in the documents.

    The threshold that was fitted for the bare model is wrong for an adapter, which refuses by itself. It is fitted on
    questions of the validation documents and on half of the off-topic ones, and goes into service together with the
    adapter.
    """
    from finetune.data.examples import read_part
    from finetune.proof.calibration import calibrate_run, validation_questions
    from finetune.run import read_run
    from finetune.run_folder import RunFolder
    from ragvoice.commands.evaluation_tables import show_fit
    from ragvoice.commands.progress import stage_bars

    folder = RunFolder.existing(run)
    _, config, _ = read_run(str(folder.run_file))
    questions = validation_questions(
        config.data.sets, read_part(folder.data, "validation"), limit, config.evaluation.offtopic
    )
    if not questions:
        raise UsageError(
            f"No question set of the run {run} has validation questions. Fit it on a set of your own: ragvoice "
            f"evaluate DATASET --fit-abstention --confidence-out {folder.confidence}"
        )
    with stage_bars() as bars:
        fit = calibrate_run(folder, questions, most_refused, bars)
    show_fit(fit)
    typer.echo(f"Confidence written to {folder.confidence}. Next: ragvoice finetune evaluate {run}")
