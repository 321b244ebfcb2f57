"""`ragvoice ingest` and `python -m ingest`: one command, light to import."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

EPILOG = "Example: ragvoice ingest data/documents --index /tmp/index --json"


def ingest_command(
    paths: Annotated[list[Path], typer.Argument(help="Folders or files to bring the index in step with.")],
    index: Annotated[Path | None, typer.Option(help="Folder of the index. Default: RAGVOICE_HOME/index")] = None,
    name: Annotated[str, typer.Option(help="Put PREFIX/ before these documents' ids.", metavar="PREFIX")] = "",
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Read and embed everything again, also the folders named earlier.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Bring the index in step with folders of documents.

    New and changed files are parsed, split and embedded; files that are gone leave the index; other folders that
    the index knows stay as they are. Files that cannot be read are reported and skipped. Readers keep the old index
    until the new one is complete.
    """
    import dataclasses
    import json

    from ingest.job import Chunking, ingest
    from ingest.loaders.options import LoadOptions
    from ingest.sandbox import ParseLimits
    from ragvoice.build import build_embeddings, embedder_identity, token_offsets
    from ragvoice.commands.progress import stage_bars
    from ragvoice.settings import read_settings

    settings = read_settings(index=index)
    chunking = Chunking(token_offsets(settings), settings.chunk_tokens, settings.overlap_tokens)
    limits = ParseLimits(unit_timeout_s=settings.parse_timeout_s, memory_bytes=int(settings.parse_memory_gib * 2**30))
    with stage_bars() as report:
        summary = ingest(
            paths,
            settings.index_path,
            lambda: build_embeddings(settings),
            embedder_identity(settings),
            chunking,
            prefix=name,
            rebuild=rebuild,
            options=LoadOptions(ocr=settings.ocr),
            limits=limits,
            report=report,
        )
    if as_json:
        typer.echo(json.dumps(dataclasses.asdict(summary)))
        return
    typer.echo(
        f"{summary.added} added, {summary.changed} changed, {summary.removed} removed, {summary.unchanged} unchanged, "
        f"{len(summary.skipped)} skipped; {summary.chunks} chunks in {summary.seconds:.1f} s"
    )
    for skipped in summary.skipped:
        typer.echo(f"  skipped {skipped.doc_id}: {skipped.reason}")
