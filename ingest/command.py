"""`ragvoice ingest` and `python -m ingest`: one command, light to import."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ragvoice.commands.options import Wait

if TYPE_CHECKING:
    from ingest.embedding import Engine
    from ingest.job import Reading
    from ingest.loaders.options import LoadOptions
    from ingest.summary import IngestSummary
    from ragvoice.settings import Settings

EPILOG = "Example: ragvoice ingest ~/company/handbook --watch"
_WATCHING_WAITS_S = 3600.0


def ingest_command(
    paths: Annotated[list[Path], typer.Argument(help="Folders or files to bring the index in step with.")],
    index: Annotated[Path | None, typer.Option(help="Folder of the index. Default: RAGVOICE_HOME/index")] = None,
    name: Annotated[str, typer.Option(help="Put PREFIX/ before these documents' ids.", metavar="PREFIX")] = "",
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Read and embed everything again, also the folders named earlier.")
    ] = False,
    retry_skipped: Annotated[
        bool, typer.Option("--retry-skipped", help="Try unchanged files again that could not be read before.")
    ] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Go on: follow every change until Ctrl-C.")] = False,
    engine: Annotated[
        Literal["local", "ray"] | None, typer.Option(help="What embeds: this process, or Ray on many. Default: local")
    ] = None,
    wait: Wait = 0.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Bring the index in step with folders of documents.

    New and changed files are parsed, split and embedded; files that are gone leave the index; other folders that
    the index knows stay as they are. Files that cannot be read are reported and skipped. Readers keep the old index
    until the new one is complete. A run that was stopped goes on where it was.
    """
    import sys
    from contextlib import redirect_stdout

    from ragvoice.commands.progress import stage_bars
    from ragvoice.settings import read_settings

    settings = read_settings(index=index, engine=engine)
    once = ingest_job(settings, paths, name, retry_skipped=retry_skipped)

    def run(*, rebuilding: bool, wait_s: float) -> IngestSummary:
        with redirect_stdout(sys.stderr), stage_bars() as report:  # Ray prints; stdout is for the summary
            return once(rebuilding, wait_s, report)

    first = run(rebuilding=rebuild, wait_s=wait)
    show(first, as_json=as_json)
    if watch:
        from ingest.watching import watch as watch_folders

        typer.echo("Watching. Ctrl-C ends it.", err=True)
        watch_folders(
            paths,
            settings.index_path,
            lambda: run(rebuilding=False, wait_s=_WATCHING_WAITS_S),
            first,
            lambda summary: show(summary, as_json=as_json),
            lambda problem: typer.echo(f"ragvoice: {problem} The index stays as it is; watching goes on.", err=True),
        )


def ingest_job(
    settings: Settings, paths: list[Path], name: str, *, retry_skipped: bool
) -> Callable[[bool, float, Callable[[str, int, int], None]], IngestSummary]:
    """The same job for each run, with one embedder for all of them."""
    from functools import cache

    from ingest.documents import Chunking
    from ingest.job import ingest
    from ragvoice.build import (
        build_embeddings,
        build_vector_store,
        embedder_identity,
        embedder_max_tokens,
        token_offsets,
    )

    embeddings = cache(lambda: build_embeddings(settings))
    chunking = Chunking(
        token_offsets(settings), settings.chunk_tokens, settings.overlap_tokens, embedder_max_tokens(settings)
    )
    engine = _engine(settings)

    def once(rebuild: bool, wait_s: float, report: Callable[[str, int, int], None]) -> IngestSummary:
        return ingest(
            paths,
            settings.index_path,
            embeddings,
            embedder_identity(settings),
            chunking,
            prefix=name,
            rebuild=rebuild,
            reading=_reading(settings, retry_skipped=retry_skipped),
            store=build_vector_store(settings),
            engine=engine,
            wait_s=wait_s,
            report=report,
        )

    return once


def _engine(settings: Settings) -> Engine | None:
    """:raises UsageError: when Ray is asked for and not installed."""
    if settings.engine == "local":
        return None
    import os
    from functools import partial

    from ingest.ray_engine import Actors, ray_engine
    from ragvoice.build import build_embeddings

    cpus = settings.ray_actor_cpus
    return ray_engine(
        partial(build_embeddings, settings.model_copy(update={"threads": cpus})),
        Actors(cpus, settings.ray_actor_gpus, settings.ray_actors),
        os.environ.get("RAY_ADDRESS") or "local",
    )


def _reading(settings: Settings, *, retry_skipped: bool) -> Reading:
    from ingest.job import Reading
    from ingest.sandbox import ParseLimits

    limits = ParseLimits(unit_timeout_s=settings.parse_timeout_s, memory_bytes=int(settings.parse_memory_gib * 2**30))
    models = f"{settings.stt} {settings.language} {settings.captioner}"
    return Reading(load_options(settings), limits, settings.parse_workers, models, retry_skipped)


def show(summary: IngestSummary, *, as_json: bool) -> None:
    """On stdout: one JSON object, or a line of counts and a line for each file that was skipped."""
    import dataclasses
    import json

    if as_json:
        typer.echo(json.dumps(dataclasses.asdict(summary)))
        return
    typer.echo(
        f"{summary.added} added, {summary.changed} changed, {summary.removed} removed, {summary.unchanged} unchanged, "
        f"{len(summary.skipped)} skipped; {summary.embedded} chunks embedded, {summary.chunks} in the index; "
        f"{summary.seconds:.1f} s"
    )
    for skipped in summary.skipped:
        typer.echo(f"  skipped {skipped.doc_id}: {skipped.reason}")
    for warning in summary.warnings:
        typer.echo(f"  note: {warning}")


def load_options(settings: Settings) -> LoadOptions:
    """How files are read; models load in the process that parses, when the first file needs them.

    :raises ModelError: the model of `captioner` is not on this machine.
    """
    from functools import partial

    from ingest.loaders.captions import TransformersCaptioner
    from ingest.loaders.options import DEFAULT_OPTIONS, LoadOptions
    from ragvoice.build import build_speech_to_text, build_store

    # Every worker has a recogniser of its own.
    each = settings.model_copy(update={"threads": max(1, settings.threads // settings.parse_workers)})
    max_file_bytes = settings.max_file_mib * 2**20
    return LoadOptions(
        ocr=settings.ocr,
        transcriber=partial(build_speech_to_text, each) if settings.recordings else None,
        captioner=partial(TransformersCaptioner, build_store().path(settings.captioner))
        if settings.captioner
        else None,
        max_file_bytes=max_file_bytes,
        max_unpacked_bytes=max(max_file_bytes, DEFAULT_OPTIONS.max_unpacked_bytes),
    )
