"""`ragvoice finetune ...`: from documents and questions to an adapter that is proven and in service."""

from __future__ import annotations

import typer

from finetune.commands import (
    ask,
    audio,
    calibrate,
    data,
    embedder,
    evaluate,
    export,
    list,
    merge,
    promote,
    recogniser,
    train,
)

app = typer.Typer(
    no_args_is_help=True,
    help="Train the language model on your documents, prove that it helps, put it into service. docs/finetuning.md",
)
app.command("data", epilog="Example: ragvoice finetune data answers")(data.data)
app.command("train", epilog="Example: ragvoice finetune train answers")(train.train)
app.command("calibrate", epilog="Example: ragvoice finetune calibrate answers")(calibrate.calibrate)
app.command("evaluate", epilog="Example: ragvoice finetune evaluate answers")(evaluate.evaluate)
app.command("ask", epilog='Example: ragvoice finetune ask answers "How long is parental leave?"')(ask.ask)
app.command("promote", epilog="Example: ragvoice finetune promote answers")(promote.promote)
app.command("list", epilog="Example: ragvoice finetune list --json")(list.list_runs)
app.command("merge", epilog="Example: ragvoice finetune merge answers")(merge.merge)
app.command("export", epilog="Example: ragvoice finetune export answers --out exported --format gguf")(export.export)
app.command("embedder", epilog=embedder.EPILOG)(embedder.embedder)
app.command("audio", epilog=audio.EPILOG)(audio.audio)
app.command("recogniser", epilog=recogniser.EPILOG)(recogniser.recogniser)
