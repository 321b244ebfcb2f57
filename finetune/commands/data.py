"""`ragvoice finetune data`."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ragvoice.errors import UsageError

if TYPE_CHECKING:
    from finetune.run_folder import RunFolder

_TEACHER = "teacher"
"""Subfolder of the run."""

RunName = Annotated[
    str, typer.Argument(help="A run file, or the name of one in finetune/runs or of a run.", metavar="RUN")
]


def data(
    run: RunName,
    fresh: Annotated[bool, typer.Option("--fresh", help="Make it anew, and forget the training on the old.")] = False,
    audio: Annotated[
        Path | None,
        typer.Option(help="Speak the run's questions into this folder instead; `finetune audio` has more settings."),
    ] = None,
) -> None:
    """Make the training data of a run: questions with retrieved passages, split by document, and a data card.

    Questions come from question sets, from rated turns and classified failures, and from the documents themselves;
    the run file says which. Documents that not everyone may read are left out unless it names their groups.
    """
    from finetune.alone import alone
    from finetune.commands.audio import audio as speak
    from finetune.data.job import make_data
    from finetune.run import read_run
    from finetune.run_folder import RunFolder
    from ragvoice.build import build_chat_model, build_store
    from ragvoice.commands.progress import stage_bars
    from ragvoice.generation.chat_template import ChatTemplate
    from ragvoice.settings import NO_ADAPTER, read_settings

    name, config, text = read_run(run)
    if audio is not None:
        speak([one.folder / one.questions for one in config.data.sets], out=audio, seed=config.seed)
        return
    folder = RunFolder.named(name)
    base = config.base or read_settings().llm
    with alone(folder.path), stage_bars() as bars:
        if (folder.checkpoints.exists() or folder.adapter.exists()) and not fresh:
            raise UsageError(f"The run {name} is trained on its data already. To make both anew, add --fresh.")
        template = ChatTemplate(build_store().converted(base, "transformers"))
        made = make_data(
            name,
            config,
            folder.data,
            template.count_tokens,
            folder.path / _TEACHER,
            bars,
            lambda: build_chat_model(read_settings(llm=base, adapter=NO_ADAPTER)),
            lambda: _new_run_file(folder, text),
        )
    for part, examples in made.parts.items():
        refusals = sum(example.refuses for example in examples)
        typer.echo(f"{part}: {len(examples)} examples, {refusals} of them refusals")
    typer.echo(f"Data card: {made.card}")
    typer.echo(f"Next: ragvoice finetune train {run}")


def _new_run_file(folder: RunFolder, text: str) -> None:
    """In the place of all that rests on the old data, which goes next; what a teacher wrote is kept."""
    for entry in folder.path.iterdir():
        if entry.name != _TEACHER and not entry.name.startswith(folder.data.name):
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
    folder.run_file.write_text(text, encoding="utf-8")
