"""`ragvoice people`: who may sign in to the page of a small installation."""

from __future__ import annotations

import json
import shlex
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, cast

import typer

from ragvoice.commands.options import AsJson, group_names

if TYPE_CHECKING:
    from ragvoice.people.accounts import Accounts
    from ragvoice.people.person import Person, Role

app = typer.Typer(no_args_is_help=True, help="Say who may sign in to the page, and what they may do. docs/people.md")

Name = Annotated[str, typer.Argument(help="As `people list` shows it; upper and lower case are the same.")]
RoleName = Annotated[str, typer.Option("--role", help="asker, owner or admin.")]
GroupNames = Annotated[
    str | None, typer.Option("--groups", help="Whose documents they may read, besides everyone's: A,B", metavar="A,B")
]
FromStdin = Annotated[bool, typer.Option("--password-stdin", help="Read the password from standard input.")]


@app.command("list", epilog="Example: ragvoice people list --json")
def list_people(as_json: AsJson = False) -> None:
    """List everybody with an account."""
    for person in _accounts().all():
        typer.echo(json.dumps(asdict(person)) if as_json else _line(person))


@app.command(epilog="Example: ragvoice people add ada --role owner --groups hr,board")
def add(name: Name, role: RoleName = "asker", groups: GroupNames = None, password_stdin: FromStdin = False) -> None:
    """Add a person. From the first one on everybody has to sign in, so the first one is an admin."""
    from ragvoice.people.person import Person

    person = Person(name, cast("Role", role), group_names(groups, ()))
    accounts = _accounts()
    accounts.check_new(person)
    accounts.add(person, _password(password_stdin))
    typer.echo(_line(person))


@app.command(epilog="Example: ragvoice people role ada admin")
def role(
    name: Name,
    role: Annotated[str | None, typer.Argument(help="asker, owner or admin.", show_default="unchanged")] = None,
    groups: GroupNames = None,
) -> None:
    """Change what a person may do, or which groups they are in. It holds from their next click on."""
    changed = _accounts().change(
        name, role=cast("Role | None", role), groups=None if groups is None else group_names(groups, ())
    )
    typer.echo(_line(changed))


@app.command(epilog="Example: ragvoice people password ada")
def password(name: Name, password_stdin: FromStdin = False) -> None:
    """Set a new password. Whoever is signed in with the old one has to sign in again."""
    accounts = _accounts()
    accounts.get(name)
    accounts.set_password(name, _password(password_stdin))
    typer.echo(f"{name} has a new password.")


@app.command(epilog="Example: ragvoice people remove ada --forget")
def remove(
    name: Name,
    forget: Annotated[bool, typer.Option("--forget", help="Delete what they have asked, too.")] = False,
) -> None:
    """Take away a person's account. What they asked stays, and would belong to a later person of the same name."""
    accounts = _accounts()
    person = accounts.get(name).person
    accounts.remove(name)
    typer.echo(f"{person.name} cannot sign in any more.")
    if forget:
        from ragvoice.build_turns import build_turn_log
        from ragvoice.errors import TurnLogError
        from ragvoice.settings import read_settings
        from ragvoice.turns.log import Selection

        try:
            count = build_turn_log(read_settings()).forget(Selection(person=person.name))
        except TurnLogError as error:
            raise TurnLogError(
                f"What {person.name} has asked may still be there. {error} To delete it, run: "
                f"ragvoice turns forget --person {shlex.quote(person.name)}"
            ) from error
        typer.echo(f"{count} turns are deleted.")


def _accounts() -> Accounts:
    from ragvoice.people.accounts import Accounts
    from ragvoice.settings import read_settings

    return Accounts(read_settings().people_path)


def _line(person: Person) -> str:
    return f"{person.name:<24} {person.role:<6} {','.join(person.groups)}".rstrip()


def _password(from_stdin: bool) -> str:
    """Never an argument, which other users of the machine and the shell's history would see."""
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))
