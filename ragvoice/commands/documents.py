"""`ragvoice documents`: what the index holds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ragvoice.commands.options import AsJson, Index, Wait, described

if TYPE_CHECKING:
    from ragvoice.retrieval.index import DocumentIndex

app = typer.Typer(no_args_is_help=True, help="List, show and remove indexed documents.")

DocId = Annotated[str, typer.Argument(help="As `documents list` shows it.")]


@app.command("list", epilog="Example: ragvoice documents list --json")
def list_documents(index: Index = None, as_json: AsJson = False) -> None:
    """List every document of the index. This is the owner's view: it shows restricted ones too."""
    for document in _opened(index).documents():
        if as_json:
            row = {
                "doc_id": document.doc_id,
                "source": document.source,
                "title": document.title,
                "allowed_groups": list(document.allowed_groups),
                "content_hash": document.content_hash,
                "metadata": document.metadata,
            }
            typer.echo(json.dumps(row))
        else:
            groups = ",".join(document.allowed_groups) or "(nobody)"
            typer.echo(f"{document.doc_id}  [{groups}]  {document.title}")


@app.command(epilog="Example: ragvoice documents show hr/employee-handbook.pdf --json")
def show(doc_id: DocId, index: Index = None, as_json: AsJson = False) -> None:
    """Show a document's text and how it was cut into chunks."""
    from ragvoice.contract import place_json

    opened = _opened(index)
    document, spans = opened.document(doc_id), opened.chunk_spans(doc_id)
    if as_json:
        chunks: list[dict[str, Any]] = [
            {
                "start_index": span.start_index,
                "end_index": span.end_index,
                "section": span.section,
                "page": span.page,
                "place": place_json(span.place),
            }
            for span in spans
        ]
        row = {
            "doc_id": document.doc_id,
            "source": document.source,
            "title": document.title,
            "text": document.text,
            "chunks": chunks,
            "allowed_groups": list(document.allowed_groups),
            "content_hash": document.content_hash,
        }
        typer.echo(json.dumps(row))
        return
    typer.echo(f"{document.title}\n{document.source}, for {', '.join(document.allowed_groups) or 'nobody'}")
    typer.echo(described(document.metadata) + "\n")
    for span in spans:
        page = f"page {span.page}, " if span.page else ""
        typer.echo(f"--- {page}{span.section or 'top'}")
        typer.echo(document.text[span.start_index : span.end_index] + "\n")


@app.command(epilog="Example: ragvoice documents remove hr/archive/travel-policy-2023.pdf")
def remove(doc_id: DocId, index: Index = None, wait: Wait = 0.0, as_json: AsJson = False) -> None:
    """Take a document out of the index. Delete its file as well, or the next ingest brings it back."""
    from ingest.job import remove as remove_document
    from ragvoice.build import build_vector_store
    from ragvoice.settings import read_settings

    settings = read_settings(index=index)
    remove_document(doc_id, settings.index_path, build_vector_store(settings), wait_s=wait)
    typer.echo(json.dumps({"removed": doc_id}) if as_json else f"Removed {doc_id}.")


def _opened(index: Path | None) -> DocumentIndex:
    """The owner's view needs no embedder, so none is compared."""
    from ragvoice.build import build_vector_store
    from ragvoice.retrieval.index import DocumentIndex
    from ragvoice.settings import read_settings

    settings = read_settings(index=index)
    return DocumentIndex.open(settings.index_path, build_vector_store(settings))
