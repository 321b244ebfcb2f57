"""`ragvoice finetune export`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from finetune.commands.merge import Adapter, Base
from ragvoice.errors import UsageError

if TYPE_CHECKING:
    from finetune.data.examples import Example
    from finetune.serving.trained import Trained

_QUANTISED_BY = "ctranslate2"
"""Runtime of the one export that is quantised by us."""
Format = Literal["ctranslate2-int8", "gguf", "gguf-adapter", "safetensors", "adapter"]
Precision = Literal["q8_0", "f16"]


def export(
    adapter: Adapter,
    out: Annotated[Path, typer.Option(help="Folder to write; not there yet, or empty.", metavar="FOLDER")],
    target: Annotated[Format, typer.Option("--format", help="What is to serve it decides; see below.")],
    precision: Annotated[Precision, typer.Option(help="Of a merged GGUF.")] = "q8_0",
    parity: Annotated[
        int,
        typer.Option(
            min=0, help="Compare served and trained answers on this many of the run's test examples.", metavar="N"
        ),
    ] = 0,
    base: Base = None,
) -> None:
    """Write a folder to serve elsewhere: model, tokenizer, chat template, licence and model card.

    ctranslate2-int8 is for CPUs; gguf (merged) and gguf-adapter are for llama.cpp; safetensors (merged) and adapter
    for vLLM and transformers. --parity goes into the model card; it compares the int8 model with the trained one.
    """
    from finetune.proof.parity import measure_parity
    from finetune.serving.export import export as write
    from finetune.serving.trained import trained
    from ragvoice.commands.progress import stage_bars

    found = trained(adapter, base)
    measured = None
    if parity:
        with stage_bars() as bars:
            measured = measure_parity(_test_examples(found, parity), found.base, found.folder, _QUANTISED_BY, bars)
        typer.echo(measured.sentence)
    typer.echo(write(found, out, target, precision, measured))


def _test_examples(found: Trained, limit: int) -> list[Example]:
    """Of the run that made the adapter."""
    from finetune.data.examples import read_part
    from finetune.proof.measuring import spread

    if found.run is None:
        raise UsageError(f"The adapter {found.adapter.name} is of no run, so there are no test examples of it.")
    return spread(read_part(found.run / "data", "test"), limit)
