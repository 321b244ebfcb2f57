"""`ragvoice finetune data`."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated

import typer

from ragvoice.errors import UsageError

RunName = Annotated[str, typer.Argument(help="A run file, or the name of one in finetune/runs.", metavar="RUN")]


def data(
    run: RunName,
    fresh: Annotated[bool, typer.Option("--fresh", help="Make it anew, and forget the training on the old.")] = False,
) -> None:
    """Make the training data of a run: questions with retrieved passages, split by document, and a data card.

    Questions come from question sets, from rated turns and classified failures, and from the documents themselves;
    the run file says which. Documents that not everyone may read are left out unless it names their groups.
    """
    from finetune.data.job import make_data
    from finetune.run import read_run
    from finetune.run_folder import RunFolder
    from ragvoice.build import build_store
    from ragvoice.commands.progress import stage_bars
    from ragvoice.generation.chat_template import ChatTemplate
    from ragvoice.settings import read_settings

    name, config, text = read_run(run)
    folder = RunFolder.named(name)
    if folder.checkpoints.exists() and not fresh:
        raise UsageError(f"The run {name} is trained on its data already. To make both anew, add --fresh.")
    base = config.base or read_settings().llm
    template = ChatTemplate(build_store().converted(base, "transformers"))
    if fresh and folder.path.exists():
        _forget(folder.path)
    folder.path.mkdir(parents=True, exist_ok=True)
    folder.run_file.write_text(text, encoding="utf-8")
    with stage_bars() as bars:
        made = make_data(name, config, folder.data, template.count_tokens, folder.path / "teacher", bars)
    for part, examples in made.parts.items():
        refusals = sum(example.refuses for example in examples)
        typer.echo(f"{part}: {len(examples)} examples, {refusals} of them refusals")
    typer.echo(f"Data card: {made.card}")
    typer.echo(f"Next: ragvoice finetune train {run}")


def _forget(folder: Path) -> None:
    """All that rests on the data; what a teacher wrote is kept."""
    for entry in folder.iterdir():
        if entry.name != "teacher":
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
