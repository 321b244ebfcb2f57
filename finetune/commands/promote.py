"""`ragvoice finetune promote`."""

from __future__ import annotations

from typing import Annotated

import typer

from ragvoice.errors import UsageError


def promote(
    run: Annotated[str | None, typer.Argument(help="Name of an evaluated run.")] = None,
    rollback: Annotated[
        bool, typer.Option("--rollback", help="Take the present adapter out of service: the one before it comes back.")
    ] = False,
) -> None:
    """Put an adapter in service, if its evaluation shows that it is better and breaks no gate.

    Better: the 95 % interval of the difference to the base is above 0. The gates are those of finetune/proof/gates.toml
    and of the file that the run names. Ends with 1 and changes nothing when it is refused.
    """
    if rollback == (run is not None):
        raise UsageError("Name a run to promote, or give --rollback alone.")
    if run is None:
        _rollback()
    else:
        _promote(run)


def _promote(name: str) -> None:
    from finetune.proof.promotion import promote_run
    from finetune.run_folder import RunFolder
    from ragvoice.build import build_store
    from ragvoice.models.merged import merged_models
    from ragvoice.settings import AUTO_ADAPTER, home, read_settings

    run = RunFolder.existing(name)
    promotion = promote_run(run)
    base = run.adapter_provenance()["base"]
    typer.echo(f"In service for {base}: {promotion.adapter.name}. {promotion.evidence['main']}.")
    for change in promotion.evidence["changed_gates"]:
        typer.echo(f"A gate of its own: {change}.")
    settings = read_settings()
    if settings.llm != base or settings.adapter != AUTO_ADAPTER:
        typer.echo(f"It answers where llm = {base!r} and adapter = 'auto'; here llm = {settings.llm!r} and "
                   f"adapter = {settings.adapter!r}.", err=True)  # fmt: skip
    if not run.confidence.is_file():
        typer.echo(
            "No confidence was fitted with it, so the threshold for abstaining may be off. Fit it, then evaluate and "
            f"promote again: ragvoice finetune calibrate {name}",
            err=True,
        )
    other = f"RAGVOICE_LLM={base} " if settings.llm != base else ""
    typer.echo(f"To undo: {other}ragvoice finetune promote --rollback")
    unneeded = [merged for merged in merged_models(home(), build_store()) if not merged.needed]
    if unneeded:
        size_mb = sum(merged.size_bytes for merged in unneeded) / 1e6
        typer.echo(f"Merged models that nothing needs any more take {size_mb:.0f} MB: ragvoice models prune")


def _rollback() -> None:
    from ragvoice.build_adapter import promoted_adapters
    from ragvoice.settings import read_settings

    settings = read_settings()
    llm = settings.llm
    before = promoted_adapters(settings).rollback()
    if before is None:
        typer.echo(f"In service for {llm}: no promoted adapter; the packaged one if there is one, else the bare model.")
    else:
        typer.echo(f"In service for {llm} again: {before.adapter.name}, promoted {before.promoted}.")
