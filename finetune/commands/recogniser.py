"""`ragvoice finetune recogniser`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from finetune.recogniser.proof import Compared

EPILOG = "Example: ragvoice finetune recogniser spoken/manifest.jsonl --base whisper-base"


def recogniser(
    manifest: Annotated[Path, typer.Argument(help="manifest.jsonl of recordings and their words, or its folder.")],
    base: Annotated[str | None, typer.Option(help="Whisper to train. Default: the configured recogniser.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the run. Default: RAGVOICE_HOME/recognisers/tuned")
    ] = None,
    method: Annotated[Literal["lora", "full"], typer.Option(help="Train an adapter, or all weights.")] = "lora",
    rank: Annotated[int, typer.Option(min=1, help="Of the adapter.")] = 16,
    epochs: Annotated[int, typer.Option(min=1, help="How often each recording is heard.")] = 3,
    batch: Annotated[int, typer.Option(min=1, help="Recordings in a batch.")] = 8,
    accumulate: Annotated[int, typer.Option(min=1, help="Batches before a step.")] = 1,
    learning_rate: Annotated[float | None, typer.Option(help="Default: 1e-3 for lora, 1e-5 for full.")] = None,
    seed: Annotated[int, typer.Option(help="Of the order and the dropout.")] = 0,
    fresh: Annotated[bool, typer.Option("--fresh", help="Begin anew in this folder.")] = False,
) -> None:
    """Train Whisper on recordings, and prove it on those that were held out. Meant for a GPU.

    A run that was stopped goes on where it was. Nothing is switched: the command ends with the setting that puts the
    trained recogniser into service, or with 1 when it does not make fewer errors.
    """
    import hashlib
    from dataclasses import asdict
    from functools import partial

    from finetune.alone import alone
    from finetune.recogniser.manifest import read_manifest
    from finetune.recogniser.proof import compared, heard, is_better
    from finetune.recogniser.training import RecogniserTraining, train
    from finetune.same_run import begin
    from finetune.transformers_trainer import Schedule
    from ragvoice.build import build_store
    from ragvoice.commands.progress import stage_bars
    from ragvoice.errors import UsageError
    from ragvoice.files import write_json
    from ragvoice.settings import home, read_settings
    from ragvoice.speech.transformers_whisper import TransformersWhisperSpeechToText

    settings = read_settings()
    clips = read_manifest(manifest)
    learning = [clip for clip in clips if clip.split == "train"]
    proving = [clip for clip in clips if clip.split == "test"]
    name = base or settings.stt
    language = "en" if settings.language == "auto" else settings.language
    folder = (out or home() / "recognisers" / "tuned").expanduser().resolve()
    for used, who in ((settings.stt, "recogniser in service"), (name, "base")):
        if Path(used).expanduser().resolve().is_relative_to(folder):
            raise UsageError(f"The {who} lies in {folder}. Name another folder with --out.")
    store = build_store()
    original = store.converted(name, "transformers")
    training = RecogniserTraining(epochs, method, rank, language, accumulate)
    rate = learning_rate or (1e-3 if method == "lora" else 1e-5)
    schedule = Schedule(batch, rate, seed, threads=settings.threads)
    words = "\n".join(f"{clip.file} {clip.split} {clip.text}" for clip in clips)
    with alone(folder):
        begin(
            folder,
            {
                "base": name,
                "base_fingerprint": store.fingerprint(name),
                "clips": hashlib.sha256(words.encode()).hexdigest(),
                "training": asdict(training),
                "schedule": schedule.decisive(),
            },
            fresh=fresh,
        )
        typer.echo(f"{len(learning)} recordings to train on, {len(proving)} for the proof.")
        model = folder / "model"
        with stage_bars() as report:
            if not model.is_dir():
                train(learning, original, folder, training, schedule, report)
            before, after = (
                heard(
                    proving,
                    TransformersWhisperSpeechToText(path, language=language),
                    partial(report, stage),
                )
                for path, stage in ((original, "hear with the base"), (model, "hear with the trained"))
            )
    rows = compared(proving, before, after, seed)
    better = is_better(rows)
    write_json(
        folder / "evaluation.json",
        {
            "better": better,
            "trained_on": len(learning),
            "word_error_rate": [{**asdict(row), "change": row.change._asdict()} for row in rows],
        },
    )
    _show(rows)
    if not better:
        typer.echo(f"Not better, so nothing changes. {folder} can be deleted.", err=True)
        raise typer.Exit(1)
    typer.echo(f'Better. To use it, set:\nstt = "{model}"')


def _show(rows: Sequence[Compared]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    table = Table(title="word error rate", box=SIMPLE_HEAD)
    for column in ("recordings", "n", "base", "trained", "change", "95 % interval"):
        table.add_column(column)
    for row in rows:
        span = f"{row.change.low:+.3f} to {row.change.high:+.3f}"
        change = f"{row.change.value:+.3f}"
        table.add_row(row.condition, str(row.clips), f"{row.base:.3f}", f"{row.trained:.3f}", change, span)
    Console().print(table)
