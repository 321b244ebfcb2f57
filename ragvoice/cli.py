"""The `ragvoice` command: assembles the commands, turns errors into one sentence and an exit code.

Exit codes: 0 done, 1 failed, 2 wrong use. Nothing heavy is imported before a command runs, so `--help` is instant.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence

import typer

from finetune.command import app as finetune_app
from ingest.command import EPILOG as INGEST_EPILOG
from ingest.command import ingest_command
from ragvoice.commands import (
    ask,
    conversations,
    documents,
    evaluate,
    index,
    models,
    people,
    replay,
    speech,
    talk,
    turns,
    ui,
)
from ragvoice.errors import RagVoiceError, UsageError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Ask your company's documents aloud: grounded, cited, spoken answers, on your own machines.",
)
app.add_typer(models.app, name="models")
app.command("ingest", epilog=INGEST_EPILOG)(ingest_command)
app.add_typer(finetune_app, name="finetune")
app.command("search", epilog='Example: ragvoice search "parental leave in Poland" -k 5')(ask.search)
app.command("ask", epilog='Example: ragvoice ask "How many holidays do I get?" --speak answer.wav')(ask.ask)
app.command("talk", epilog="Example: ragvoice talk --pause 0.8")(talk.talk)
app.command("status", epilog="Example: ragvoice status --json")(index.status)
app.add_typer(documents.app, name="documents")
app.add_typer(index.app, name="index")
app.add_typer(turns.app, name="turns")
app.add_typer(conversations.app, name="conversations")
app.add_typer(people.app, name="people")
app.command("replay", epilog="Example: ragvoice replay 3f2a91")(replay.replay)
app.command("ui", epilog="Example: ragvoice ui --port 8600")(ui.ui)
app.command("transcribe", epilog="Example: ragvoice transcribe question.wav --json")(speech.transcribe)
app.command("speak", epilog='Example: ragvoice speak "Good morning." -o hello.wav')(speech.speak)
app.command("evaluate", epilog="Example: ragvoice evaluate data --limit 40 --json report.json")(evaluate.evaluate)

_WrongUse: type[Exception] = next(kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException")
"""Root of what a wrong command line raises; typer brings its own copy of click, or uses the installed one."""

_INTERRUPTED = 130

_PHONES_HOME = {
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "LANGSMITH_TRACING": "false",
    "ANONYMIZED_TELEMETRY": "false",
    "DO_NOT_TRACK": "1",
}
"""Switches of libraries that would report usage; a company's questions are nobody else's business."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    for name, value in _PHONES_HOME.items():
        os.environ.setdefault(name, value)
    logging.basicConfig(stream=sys.stderr, level=os.environ.get("RAGVOICE_LOG_LEVEL", "WARNING"))
    try:
        result = app(args=None if arguments is None else list(arguments), standalone_mode=False)
        if result == _INTERRUPTED:  # typer makes this exit code of Ctrl-C
            raise KeyboardInterrupt
        return result if isinstance(result, int) else 0
    except UsageError as error:
        print(f"ragvoice: {error}", file=sys.stderr)
        return 2
    except RagVoiceError as error:
        print(f"ragvoice: {error}", file=sys.stderr)
        return 1
    except _WrongUse as error:
        error.show()  # type: ignore[attr-defined]
        return 2
    except (KeyboardInterrupt, typer.Abort):
        print("ragvoice: interrupted; nothing that was there is changed.", file=sys.stderr)
        return _INTERRUPTED
    except BrokenPipeError:  # the reader of our output, `head` for instance, has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        print(
            f"ragvoice: {error.strerror or error}: {error.filename or 'a file'}. Check space and permissions.",
            file=sys.stderr,
        )
        return 1


def run() -> None:
    """Entry point of the console script."""
    sys.exit(main())
