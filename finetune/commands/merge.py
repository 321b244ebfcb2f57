"""`ragvoice finetune merge`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Adapter = Annotated[
    str, typer.Argument(metavar="RUN|ADAPTER", help="Name of a trained run, folder of an adapter, or hub id.")
]
Base = Annotated[
    str | None, typer.Option(help="Model that it is for, when the adapter does not say so.", metavar="MODEL")
]


def merge(
    adapter: Adapter,
    out: Annotated[
        Path | None, typer.Option(help="Folder to write it to. Default: the model store.", metavar="FOLDER")
    ] = None,
    base: Base = None,
) -> None:
    """Add an adapter to its base model: a transformers folder, 16-bit safetensors with tokenizer and chat template.

    The CPU runtime does this by itself; `export` writes a folder for others, with licence and model card.
    """
    from finetune.serving.trained import trained
    from ragvoice.build import build_store
    from ragvoice.errors import UsageError

    found = trained(adapter, base)
    if out is None:
        typer.echo(build_store().converted(found.base, "transformers", str(found.folder)))
        return
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{out} is not empty. Name a folder that is not there yet.")
    build_store().write_converted(found.base, "transformers", out, str(found.folder))
    typer.echo(out)
