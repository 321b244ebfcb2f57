"""`ragvoice finetune train`."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING, Annotated

import typer

from finetune.commands.data import RunName
from ragvoice.errors import UsageError

if TYPE_CHECKING:
    from finetune.run import RunConfig, Training
    from finetune.run_folder import RunFolder
    from finetune.training.callbacks import Step
    from finetune.training.finished import Trained
    from ragvoice.settings import Settings

_PACKAGES = ("torch", "transformers", "peft", "accelerate")


def train(
    run: RunName,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the last checkpoint.")] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Forget the checkpoints and begin anew.")] = False,
    processes: Annotated[
        int, typer.Option(min=1, help="Processes that share the work: one for each GPU, or for each core.")
    ] = 1,
) -> None:
    """Train the adapter of a run on its data, with the loss on the answers only.

    The held-out figures are shown as it goes: exact answers, and both refusal rates. The run stops when they get no
    better, and keeps the best step; at its end it says which. Stopped with Ctrl-C or killed, it goes on with --resume
    to the same result.
    """
    import shutil

    from finetune.alone import alone
    from finetune.run import read_run
    from finetune.run_folder import RunFolder
    from finetune.training.processes import errors_told, launch

    if resume and fresh:
        raise UsageError("--resume goes on and --fresh begins anew: give one of them.")
    name, config, text = read_run(run)
    folder = RunFolder.named(name)
    if not folder.data.is_dir():
        raise UsageError(f"The run {name} has no data yet. Make it first: ragvoice finetune data {run}")
    if fresh:
        with alone(folder.path):
            shutil.rmtree(folder.checkpoints, ignore_errors=True)
            shutil.rmtree(folder.path / "tensorboard", ignore_errors=True)
            folder.metrics.unlink(missing_ok=True)
    try:
        if processes > 1:
            launch(["-m", "finetune", "train", run, *(["--resume"] if resume else [])], processes)
        else:
            with errors_told():
                _train(folder, config, text, resume)
    except KeyboardInterrupt:
        typer.echo(f"Stopped. It goes on with: ragvoice finetune train {run} --resume", err=True)
        raise


def _train(folder: RunFolder, config: RunConfig, text: str, resume: bool) -> None:
    if not config.training.quantised:  # peft imports it all the same, and it says which of its kernels are missing
        logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    from finetune.data.examples import data_hash
    from finetune.data.rehearsal import GENERAL
    from finetune.data.twins import twin_of
    from finetune.training.job import train as run_training
    from finetune.training.memory import return_freed_memory
    from ragvoice.build import build_store
    from ragvoice.generation.prompts import prompt_fingerprint
    from ragvoice.settings import read_settings

    return_freed_memory()
    served = read_settings()
    base = config.base or served.llm
    training = read_as_served(config.training, served)
    store = build_store()
    first = int(os.environ.get("RANK", "0")) == 0
    made = {
        "run": folder.name,
        "base": base,
        "base_fingerprint": store.fingerprint(base),
        "data": data_hash(folder.data),
        "prompt": prompt_fingerprint(),
        "passages": "apart" if training.passages_apart else "",
    }
    if resume:
        _check_unchanged(folder, made)
    weights = {chosen.folder.resolve().name: chosen.weight for chosen in config.data.sets}
    weights |= {twin_of(name): weight for name, weight in weights.items()}
    if config.data.general:
        weights[GENERAL] = config.data.general
    with _shown(first) as progress:
        trained = run_training(
            folder.path,
            store.converted(base, "transformers"),
            training,
            config.seed,
            weights,
            made,
            resume=resume,
            progress=progress,
            begins=partial(_write_beginning, folder, made, text) if first else lambda: None,
        )
    if not first:
        return
    found = ", ".join(f"{key.replace('_', ' ')} {value:.3f}" for key, value in trained.figures.items())
    typer.echo(_ended(trained, training))
    typer.echo(f"Kept is step {trained.step}, the best one: {found}")
    typer.echo(f"Plot: {folder.loss_plot}")
    if training.method == "full":
        typer.echo(f"Model: {trained.folder}\nIt is a whole model. Use it: RAGVOICE_LLM={trained.folder}")
    else:
        typer.echo(f"Adapter: {trained.folder}\nNext: ragvoice finetune calibrate {folder.name}")


def read_as_served(training: Training, served: Settings) -> Training:
    """Passages apart or not, where the run leaves it to the runtime that is configured."""
    apart = served.llm_runtime == "torch" and served.passages_apart
    return training if training.passages_apart is not None else training.model_copy(update={"passages_apart": apart})


def _ended(trained: Trained, settings: Training) -> str:
    if not trained.stopped_early:
        return f"Trained to the last step, {trained.ended}."
    looked_at = "loss" if settings.pretrain else "balanced"
    return (
        f"Stopped early, at step {trained.ended} of {trained.planned}: the held-out {looked_at} has not been better "
        f"since step {trained.step}, for {settings.patience} looks in a row (patience = {settings.patience})."
    )


def _write_beginning(folder: RunFolder, made: dict[str, str], text: str) -> None:
    """:param text: Of the run file; the commands that follow read it from the folder."""
    from ragvoice.evaluation.provenance import commit
    from ragvoice.files import write_json, write_whole

    versions = {package: version(package) for package in _PACKAGES}
    write_json(folder.provenance, {**made, "commit": commit(), "versions": versions})
    write_whole(folder.run_file, text)


def _check_unchanged(folder: RunFolder, made: dict[str, str]) -> None:
    """:raises UsageError: when the run began from something else; going on would mix two runs."""
    from finetune.run_folder import read_object

    if not folder.provenance.is_file():
        return
    began = read_object(folder.provenance)
    changed = [name.replace("_", " ") for name, value in made.items() if began.get(name, value) != value]
    if changed:
        raise UsageError(
            f"The run {folder.name} began with other things than there are now: {', '.join(changed)}. Begin anew with "
            "--fresh."
        )


@contextmanager
def _shown(first: bool) -> Iterator[Callable[[Step], None]]:
    """A bar on a terminal and a line for every look at the held-out part; nothing from the other processes."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    from ragvoice.jobs.progress import StageFile

    console = Console(stderr=True, quiet=not first)
    filed = StageFile.of_environment() if first else None
    columns = (TextColumn("training"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[said]}"))
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("training", total=None, said="")

        def report(step: Step) -> None:
            if filed:
                filed.report("train", step.step, step.steps)
            speed = f"{step.tokens_per_s:.0f} tokens/s, {step.left_s / 60:.0f} min left"
            if "loss" in step.figures:
                said = f"loss {step.figures['loss']:.3f}, {speed}"
                progress.update(task, completed=step.step, total=step.steps, said=said)
                if not console.is_terminal:
                    console.print(f"step {step.step} of {step.steps}: {said}", highlight=False, soft_wrap=True)
            held = {name.removeprefix("eval_"): x for name, x in step.figures.items() if name.startswith("eval_")}
            if held:
                found = ", ".join(f"{name.replace('_', ' ')} {value:.3f}" for name, value in held.items())
                console.print(f"step {step.step}, held out: {found}", highlight=False, soft_wrap=True)

        yield report
