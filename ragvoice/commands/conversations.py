"""`ragvoice conversations`: what one person has asked in a row."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ragvoice.commands.options import AsJson, Person

if TYPE_CHECKING:
    from ragvoice.turns.conversations import Conversations

app = typer.Typer(no_args_is_help=True, help="List, show, export and delete your stored conversations.")

ConversationId = Annotated[
    str, typer.Argument(help="As `conversations list` shows it, its first six characters or more, or `last`.")
]


@app.command("list", epilog="Example: ragvoice conversations list --person ada")
def list_conversations(person: Person = None, as_json: AsJson = False) -> None:
    """List the conversations of one person, the latest first."""
    for one in _of(person).list():
        if as_json:
            typer.echo(json.dumps(asdict(one)))
        else:
            typer.echo(f"{one.conversation_id[:12]}  {one.latest[:16]}  {one.turns} turns  {one.first_question}")


@app.command(epilog="Example: ragvoice conversations show last")
def show(conversation_id: ConversationId, person: Person = None, as_json: AsJson = False) -> None:
    """Show what was said, oldest first."""
    from ragvoice.contract import turn_json

    for turn in _of(person).turns(conversation_id):
        if as_json:
            typer.echo(json.dumps(turn_json(turn)))
        else:
            typer.echo(f"{turn.asked_at[:16]}  {turn.question or '(nothing heard)'}\n    {turn.answer}")
            for citation in turn.citations:
                typer.echo(f"    [{', '.join(part for part in (citation.source, citation.section) if part)}]")


@app.command(epilog="Example: ragvoice conversations delete 3f2a91")
def delete(conversation_id: ConversationId, person: Person = None, as_json: AsJson = False) -> None:
    """Delete a conversation with all its turns."""
    count = _of(person).delete(conversation_id)
    typer.echo(json.dumps({"deleted": count}) if as_json else f"{count} turns are deleted.")


@app.command(epilog="Example: ragvoice conversations export last talk.jsonl")
def export(
    conversation_id: ConversationId,
    file: Annotated[Path, typer.Argument(help="JSON lines to write, one a turn.")],
    person: Person = None,
    as_json: AsJson = False,
) -> None:
    """Write a conversation to a file."""
    from ragvoice.contract import turn_json

    lines = [json.dumps(turn_json(turn), ensure_ascii=False) + "\n" for turn in _of(person).turns(conversation_id)]
    file.expanduser().write_text("".join(lines), encoding="utf-8")
    typer.echo(json.dumps({"file": str(file), "turns": len(lines)}) if as_json else f"{file}: {len(lines)} turns")


def _of(person: str | None) -> Conversations:
    from ragvoice.build_turns import build_turn_log
    from ragvoice.settings import read_settings
    from ragvoice.turns.conversations import Conversations

    settings = read_settings(person=person)
    return Conversations(build_turn_log(settings), settings.person)
