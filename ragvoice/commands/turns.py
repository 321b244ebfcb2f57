"""`ragvoice turns`: what was asked and answered, for whoever runs the machine."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ragvoice.commands.options import AsJson
from ragvoice.errors import UsageError

if TYPE_CHECKING:
    from ragvoice.turns.log import TurnLog
    from ragvoice.turns.records import Turn

app = typer.Typer(no_args_is_help=True, help="List, show, rate, export and forget logged turns (docs/turns.md).")

TurnId = Annotated[str, typer.Argument(help="As `turns list` shows it, or its first six characters or more.")]
Person = Annotated[str | None, typer.Option("--person", help="Of this person only.", metavar="NAME")]
Since = Annotated[
    str | None, typer.Option("--since", help="From this day or time on (UTC), or so long ago: 30d.", metavar="WHEN")
]
Until = Annotated[
    str | None, typer.Option("--until", help="Up to this day, which is included, or time.", metavar="WHEN")
]


@app.command("list", epilog="Example: ragvoice turns list --person ada --since 7d")
def list_turns(
    person: Person = None,
    since: Since = None,
    limit: Annotated[int | None, typer.Option(min=1, help="The newest so many.")] = None,
    as_json: AsJson = False,
) -> None:
    """List turns, the newest first. JSON has everything that is kept of each: the answer to who asks what is known."""
    from ragvoice.turns.log import Selection

    for turn in _log().find(Selection(person, _moment(since)), limit):
        if as_json:
            typer.echo(json.dumps(asdict(turn)))
        else:
            rated = {1: " +", -1: " -", None: ""}[turn.rating]
            typer.echo(
                f"{turn.turn_id[:12]}  {turn.asked_at[:16]}  {turn.person or '(nobody)'}  {turn.outcome}{rated}  "
                f"{turn.question}"
            )


@app.command(epilog="Example: ragvoice turns show 3f2a91")
def show(turn_id: TurnId, as_json: AsJson = False) -> None:
    """Show a turn: what was said, and what the answer rests on."""
    turn = _log().get(turn_id)
    typer.echo(json.dumps(asdict(turn)) if as_json else "\n".join(_described(turn)))


@app.command(epilog='Example: ragvoice turns rate 3f2a91 down --reason "It quotes the policy of 2023."')
def rate(
    turn_id: TurnId,
    rating: Annotated[str, typer.Argument(help="up or down; replaces an earlier rating.")],
    reason: Annotated[str, typer.Option(help="Why.")] = "",
    as_json: AsJson = False,
) -> None:
    """Say whether an answer was right."""
    from ragvoice.contract import printable

    number = {"up": 1, "down": -1}.get(rating)
    if number is None:
        raise UsageError(f"The rating is up or down, not {rating!r}.")
    whole = _log().rate(turn_id, number, printable(reason))
    typer.echo(json.dumps({"turn_id": whole, "rating": number}) if as_json else f"{whole[:12]} is rated {rating}.")


@app.command(epilog="Example: ragvoice turns forget --person ada --yes")
def forget(
    person: Person = None,
    before: Annotated[
        str | None, typer.Option("--before", help="Before this day or time, or so long ago: 90d.", metavar="WHEN")
    ] = None,
    since: Since = None,
    until: Until = None,
    turn: Annotated[str | None, typer.Option("--turn", help="This turn.", metavar="TURN_ID")] = None,
    conversation: Annotated[str | None, typer.Option("--conversation", help="This conversation.", metavar="ID")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask first.")] = False,
    as_json: AsJson = False,
) -> None:
    """Delete turns that fulfil every given condition, so that their words are in no byte of the log any more."""
    from ragvoice.turns.log import Selection

    if before is not None and until is not None:
        raise UsageError("Give --before (that day is kept) or --until (that day goes too), not both.")
    log = _log()
    selection = Selection(
        person=person,
        since=_moment(since),
        until=_moment(before) if until is None else _moment(until, whole_day=True),
        turn_id=None if turn is None else log.get(turn).turn_id,
        conversation_id=None if conversation is None else log.conversation(conversation),
    )
    if selection == Selection():
        raise UsageError("Say which: --person, --before, --since, --until, --turn or --conversation.")
    if not yes:
        typer.confirm(f"Delete {log.count(selection)} turns for good?", abort=True, err=True)
    count = log.forget(selection)
    typer.echo(json.dumps({"forgotten": count}) if as_json else f"{count} turns are deleted.")


@app.command(epilog="Example: ragvoice turns export questions.jsonl --rating up")
def export(
    file: Annotated[Path, typer.Argument(help="JSON lines to write.")],
    rating: Annotated[str, typer.Option(help="up, down, or any.")] = "any",
    since: Since = None,
    as_json: AsJson = False,
) -> None:
    """Write rated turns as questions for an evaluation or a training set, oldest first.

    What was rated up has its answer as the gold one. To the others somebody must add `answers`, `gold_ids` and
    `answerable`. Names are left out; questions may hold some.
    """
    from ragvoice.turns.log import Selection
    from ragvoice.turns.records import question_json

    ratings = {"up": (1,), "down": (-1,), "any": (1, -1)}.get(rating)
    if ratings is None:
        raise UsageError(f"The rating is up, down or any, not {rating!r}.")
    turns = _log().find(Selection(since=_moment(since), ratings=ratings))
    lines = [json.dumps(question_json(turn), ensure_ascii=False) + "\n" for turn in reversed(turns)]
    file.expanduser().write_text("".join(lines), encoding="utf-8")
    typer.echo(json.dumps({"file": str(file), "turns": len(lines)}) if as_json else f"{file}: {len(lines)} turns")


def _log() -> TurnLog:
    from ragvoice.build_turns import build_turn_log
    from ragvoice.settings import read_settings

    return build_turn_log(read_settings())


def _moment(text: str | None, *, whole_day: bool = False) -> datetime | None:
    """`2026-11-24`, `2026-11-24T09:30`, or `30d` ago. :param whole_day: A bare day stands for its end."""
    if text is None:
        return None
    try:
        if text.endswith("d") and text[:-1].isdecimal():
            return datetime.now(UTC) - timedelta(days=int(text[:-1]))
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        is_day = len(text) <= len("2026-11-24")  # or 20261124
        return moment + timedelta(days=1) if whole_day and is_day else moment
    except (ValueError, OverflowError) as error:
        raise UsageError(
            f"A time is written 2026-11-24, 2026-11-24T09:30 (UTC), or 30d for days ago, not {text!r}."
        ) from error


def _described(turn: Turn) -> list[str]:
    lines = [
        f"turn {turn.turn_id}, {turn.asked_at}",
        f"  person {turn.person or '(nobody)'}; groups {', '.join(turn.groups) or 'everyone'}; style {turn.style}",
    ]
    if turn.conversation_id:
        lines.append(f"  conversation {turn.conversation_id}")
    if turn.heard:
        sure = "" if turn.heard.confidence is None else f", confidence {turn.heard.confidence:.2f}"
        lines.append(f"  heard in {turn.heard.duration_s:.1f} s of sound ({turn.heard.language}{sure})")
    lines += [f"  earlier, {line.speaker}: {line.text}" for line in turn.history]
    lines += [f"  question: {turn.question}", f"  searched for: {turn.standalone_question}"]
    lines += [f"  {turn.outcome}, confidence {turn.confidence:.2f}: {turn.answer}", f"  the model wrote: {turn.draft}"]
    lines += [f'  cites {one.source}, {one.section}: "{" ".join(one.quote.split())}"' for one in turn.citations]
    lines += [
        f"  found {one.score:.3f} {one.source}, {one.section or 'top'} (text {one.text_hash[:8]})"
        for one in turn.passages
    ]
    lines.append(f"  index generation {turn.index_generation}, content {turn.index_id}; prompt {turn.prompt_hash[:16]}")
    lines += [f"  {part} {model.name} ({model.fingerprint or 'no fingerprint'})" for part, model in turn.models.items()]
    lines.append(f"  ragvoice {turn.version}, code {turn.code_hash}")
    lines.append("  settings: " + ", ".join(f"{name} {value}" for name, value in turn.settings.items()))
    seconds = ((name, value) for name, value in asdict(turn.timings).items() if value is not None)
    lines.append("  seconds: " + ", ".join(f"{name.replace('_', ' ')} {value:.2f}" for name, value in seconds))
    if turn.rating is not None:
        lines.append(f"  rated {'up' if turn.rating == 1 else 'down'}. {turn.reason}".rstrip())
    return lines
