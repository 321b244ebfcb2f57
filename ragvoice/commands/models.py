"""`ragvoice models`: fetch, check and find model files."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Fetch, check and find the models.")

Names = Annotated[list[str] | None, typer.Argument(help="Catalogue names or hub ids.")]


@app.command(epilog="Example: ragvoice models pull whisper-base")
def pull(names: Names = None) -> None:
    """Download models, check their SHA-256 and convert them for the runtime. Without names: all that are needed, the
    language model with its adapter, too.

    An interrupted download goes on where it stopped. Afterwards no network is needed.
    """
    from ragvoice.build import build_store
    from ragvoice.models.rich_progress import RichPullProgress

    with RichPullProgress() as progress:
        pulled = build_store().pull(names or None, progress)
    for model in pulled:
        typer.echo(f"{model.name}: {model.path}")
    if not names:
        from ragvoice.build_adapter import prepare_adapter
        from ragvoice.settings import read_settings

        settings = read_settings()
        if merged := prepare_adapter(settings):
            typer.echo(f"{settings.llm} with its adapter: {merged}")


@app.command("list", epilog="Example: ragvoice models list")
def list_models() -> None:
    """Show the models of the catalogue and whether they are installed, and what was merged from them and adapters."""
    from ragvoice.build import build_store
    from ragvoice.models.merged import merged_models
    from ragvoice.settings import home

    store = build_store()
    for model in store.list():
        state = "installed" if model.installed else "-"
        typer.echo(f"{model.name:<32} {model.task:<16} {model.licence:<12} {model.size_bytes / 1e6:>7.0f} MB  {state}")
    for merged in merged_models(home(), store):
        needed = merged.needed or "not needed; ragvoice models prune"
        typer.echo(f"{merged.name:<62} {merged.size_bytes / 1e6:>7.0f} MB  {needed}")


@app.command(epilog="Example: ragvoice models prune")
def prune() -> None:
    """Remove the merged models that nothing needs any more: of adapters that were trained again or promoted away.

    Kept are those of the promoted adapter, of the one before it (`finetune promote --rollback`), and of adapters that
    still lie where they were merged from. What is removed is merged again if it is asked for.
    """
    from ragvoice.build import build_store
    from ragvoice.models.merged import merged_models, remove
    from ragvoice.settings import home

    store = build_store()
    unneeded = [merged for merged in merged_models(home(), store) if not merged.needed]
    for merged in unneeded:
        remove(merged, store)
        typer.echo(f"removed {merged.name}, {merged.size_bytes / 1e6:.0f} MB")
    if not unneeded:
        typer.echo("Nothing to remove: every merged model is needed.")


@app.command(epilog="Example: ragvoice models verify")
def verify(names: Names = None) -> None:
    """Hash every file of the installed models again and report what is missing or changed."""
    from ragvoice.build import build_store
    from ragvoice.errors import ModelError

    results = build_store().verify(names or None)
    for result in results:
        typer.echo(f"{result.state:<8} {result.name}/{result.file}")
    bad = sorted({result.name for result in results if result.state != "ok"})
    if bad:
        raise ModelError(f"Not as published: {', '.join(bad)}. Run: ragvoice models pull {' '.join(bad)}")


@app.command(epilog="Example: ragvoice models path whisper-base")
def path(name: Annotated[str, typer.Argument(help="Catalogue name, hub id or folder.")]) -> None:
    """Print the folder of a model."""
    from ragvoice.build import build_store

    typer.echo(build_store().path(name))
