"""`ragvoice status` and `ragvoice index`: look after an index."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ragvoice.commands.options import AsJson, Index, Wait
from ragvoice.files import megabytes

if TYPE_CHECKING:
    from ingest.state import IndexState

app = typer.Typer(no_args_is_help=True, help="Check, compact, back up and restore an index.")


def status(index: Index = None, as_json: AsJson = False) -> None:
    """Show what the index holds, how large it is, what was skipped, and whether a job is running."""
    import dataclasses

    from ingest.state import index_state
    from ragvoice.build import build_vector_store
    from ragvoice.settings import read_settings

    settings = read_settings(index=index)
    state = index_state(settings.index_path, build_vector_store(settings))
    if as_json:
        typer.echo(json.dumps(dataclasses.asdict(state)))
        return
    for line in _lines(state):
        typer.echo(line)


@app.command(epilog="Example: ragvoice index verify --json")
def verify(
    index: Index = None,
    sample: Annotated[int, typer.Option(min=0, help="Embed so many chunks again and compare.")] = 100,
    as_json: AsJson = False,
) -> None:
    """Hash every file, compare every part with the others, and embed some chunks again.

    Exit code 1 when the index is not whole.
    """
    import dataclasses

    from ingest.verification import verify as check
    from ragvoice.build import build_embeddings, build_vector_store, embedder_identity
    from ragvoice.errors import VectorIndexError
    from ragvoice.retrieval.generations import current_generation, read_manifest, rebuild_hint
    from ragvoice.settings import read_settings

    settings = read_settings(index=index)
    made_with = read_manifest(current_generation(settings.index_path)).embedder
    ours = sample > 0 and made_with.name == embedder_identity(settings).name
    found = check(
        settings.index_path,
        build_vector_store(settings),
        (lambda: build_embeddings(settings)) if ours else None,
        sample,
    )
    if as_json:
        typer.echo(json.dumps(dataclasses.asdict(found)))
    else:
        typer.echo(
            f"Generation {found.generation}: {found.documents} documents, {found.chunks} chunks, {found.files} files "
            f"hashed, {found.embedded_again} chunks embedded again."
        )
        for problem in found.problems:
            typer.echo(f"  {problem}")
    if found.problems:
        raise VectorIndexError(f"The index is not whole. {rebuild_hint(settings.index_path)}")
    if not as_json:
        typer.echo("The index is whole.")


@app.command(epilog="Example: ragvoice index compact")
def compact(index: Index = None, wait: Wait = 0.0) -> None:
    """Write the index anew and as small as it can be; drop older generations and what killed jobs have left."""
    from ingest.job import compact as compact_index
    from ragvoice.build import build_vector_store
    from ragvoice.settings import read_settings

    settings = read_settings(index=index)
    before = _size_bytes(settings.index_path)
    compact_index(settings.index_path, build_vector_store(settings), wait_s=wait)
    typer.echo(f"{megabytes(before)} before, {megabytes(_size_bytes(settings.index_path))} now.")


@app.command(epilog="Example: ragvoice index export backup.tar")
def export(
    file: Annotated[Path, typer.Argument(help="The backup to write.")], index: Index = None, as_json: AsJson = False
) -> None:
    """Write the index to one file, checked; people may go on asking and ingesting."""
    from ingest.backup import export as write_backup
    from ragvoice.settings import read_settings

    manifest = write_backup(read_settings(index=index).index_path, file)
    size = file.expanduser().stat().st_size
    if as_json:
        typer.echo(json.dumps({"file": str(file), "generation": manifest.generation, "bytes": size}))
    else:
        typer.echo(f"{file}: {manifest.documents} documents, {manifest.chunks} chunks, {megabytes(size)}")


@app.command("import", epilog="Example: ragvoice index import backup.tar --index restored")
def import_(
    file: Annotated[Path, typer.Argument(help="A backup that `ragvoice index export` has made.", exists=True)],
    index: Index = None,
    replace: Annotated[bool, typer.Option("--replace", help="Also where there is an index already.")] = False,
    wait: Wait = 0.0,
    as_json: AsJson = False,
) -> None:
    """Make the index of a backup the current one, after every file of it has been checked."""
    from ingest.backup import restore
    from ragvoice.settings import read_settings

    settings = read_settings(index=index)
    manifest = restore(file, settings.index_path, replace=replace, wait_s=wait)
    if as_json:
        typer.echo(json.dumps({"index": str(settings.index_path), "generation": manifest.generation}))
    else:
        typer.echo(f"{settings.index_path}: {manifest.documents} documents, {manifest.chunks} chunks")


@app.command(epilog="Example: ragvoice index forget ~/company/old-handbook")
def forget(
    folder: Annotated[Path, typer.Argument(help="A folder or file that was ingested; `ragvoice status` lists them.")],
    index: Index = None,
    wait: Wait = 0.0,
    as_json: AsJson = False,
) -> None:
    """Take a whole ingested folder out of the index; it need not exist any more."""
    from ingest.job import forget as forget_root
    from ragvoice.build import build_vector_store
    from ragvoice.settings import read_settings

    settings = read_settings(index=index)
    removed = forget_root(folder, settings.index_path, build_vector_store(settings), wait_s=wait)
    typer.echo(
        json.dumps({"forgotten": str(folder), "removed": removed}) if as_json else f"{removed} documents removed."
    )


def _lines(state: IndexState) -> list[str]:
    lines = [f"Index {state.index}"]
    if state.problem:
        lines.append(f"  {state.problem}")
    if state.manifest is None:
        lines += [] if state.problem else ["  nothing published yet: ragvoice ingest FOLDER"]
    else:
        manifest = state.manifest
        size = ", ".join(f"{part} {megabytes(count)}" for part, count in sorted(state.bytes.items()))
        lines += [
            f"  {manifest.documents} documents, {manifest.chunks} chunks; published {manifest.published}"
            f" (generation {manifest.generation})",
            f"  embedder {manifest.embedder.name}, chunks of {manifest.embedder.chunk_tokens} tokens at most",
            f"  vectors in {manifest.vector_store}: {state.vectors.get('kind', 'not looked at')}; {size}",
        ]
        groups = [f"{name or 'nobody'} {count}" for name, count in sorted(state.groups.items())]
        lines.append(f"  documents by group: {', '.join(groups) or 'none'}")
        for root in state.roots:
            name = f" as {root.prefix}/" if root.prefix else ""
            gone = "" if root.there else "  (is not there now)"
            lines.append(
                f"  {root.folder}{name}: {root.files} files, {root.documents} documents, {root.chunks} chunks{gone}"
            )
        lines += [f"  skipped {one.doc_id}: {one.reason}" for one in state.skipped]
    if state.running is not None:
        stages = ", ".join(
            f"{name} {done} of {total}" if total else f"{name} {done}"
            for name, (done, total) in state.running.get("stages", {}).items()
        )
        lines.append(f"  a job is running (process {state.running.get('pid', 'unknown')}): {stages or 'starting'}")
    if state.unfinished:
        lines.append(
            f"  a job was stopped after it had read {state.unfinished['files_read']} files and embedded "
            f"{state.unfinished['chunks_embedded']} chunks; the next ingest goes on from there"
        )
    return lines


def _size_bytes(index: Path) -> int:
    return sum({(s := file.stat()).st_ino: s.st_size for file in index.rglob("*") if file.is_file()}.values())
