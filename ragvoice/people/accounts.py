"""The people of a small installation, with their passwords, in one file that its owner alone may read."""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args

from filelock import FileLock

from ragvoice.errors import AccessError, UsageError
from ragvoice.files import write_whole
from ragvoice.people.passwords import Brake, hashed, matches, nobodys
from ragvoice.people.person import Person, Role
from ragvoice.toml import toml_value

_NAME = re.compile(r"[^\W_][\w.@+ -]{0,63}")
NO_ADMIN = "Somebody must be an admin, to look after people and settings: give one person the role admin."
_ROLES: tuple[Role, ...] = get_args(Role)


@dataclass(frozen=True)
class Account:
    person: Person
    password: str
    """As `passwords.hashed` gives it."""


class Accounts:
    """For any thread and several processes. Names differ by more than upper and lower case.

    Every method raises UsageError when the file cannot be read or is not what it should be.
    """

    def __init__(self, file: Path, brake: Brake | None = None):
        self.file = file
        self._brake = brake or Brake()

    def exist(self) -> bool:
        """Whether people have to sign in; a file that cannot be read counts, too."""
        return self.file.exists()

    def all(self) -> list[Person]:
        return [account.person for account in self.accounts()]

    def accounts(self) -> list[Account]:
        return list(self._read().values())

    def get(self, name: str) -> Account:
        """:raises UsageError: when there is none."""
        return _known(self._read(), name)

    def sign_in(self, name: str, password: str) -> Account:
        """:raises AccessError: for a wrong name or password, which look and cost the same, or too many of them."""
        key = _key(name)
        self._brake.begin(key)
        account = self._read().get(key)
        right = matches(password, account.password if account else nobodys())
        if account is None or not right:
            raise AccessError("That name and password do not belong together.")
        self._brake.forget(key)
        return account

    def add(self, person: Person, password: str) -> None:
        """:raises UsageError: for a name that is taken or unfit, a poor password, or a first person without rights."""
        self.check_new(person)
        account = Account(person, hashed(password))

        def change(accounts: dict[str, Account]) -> None:
            _check_new(accounts, person)
            accounts[_key(person.name)] = account

        self._change(change)

    def check_new(self, person: Person) -> None:
        """Before somebody types a password in vain. :raises UsageError: as `add`."""
        _check(person)
        _check_new(self._read(), person)

    def change(self, name: str, *, role: Role | None = None, groups: Iterable[str] | None = None) -> Person:
        """:raises UsageError: when nobody is called so, or the last admin would be none any more."""
        changed: list[Person] = []

        def change(accounts: dict[str, Account]) -> None:
            account = _known(accounts, name)
            person = replace(
                account.person,
                role=account.person.role if role is None else role,
                groups=account.person.groups if groups is None else tuple(groups),
            )
            _check(person)
            accounts[_key(name)] = replace(account, person=person)
            changed.append(person)

        self._change(change)
        return changed[0]

    def set_password(self, name: str, password: str) -> None:
        """:raises UsageError: when nobody is called so, or for a poor password."""
        stored = hashed(password)

        def change(accounts: dict[str, Account]) -> None:
            accounts[_key(name)] = replace(_known(accounts, name), password=stored)

        self._change(change)
        self._brake.forget(_key(name))

    def remove(self, name: str) -> None:
        """Their turns stay in the log. :raises UsageError: when nobody is called so, or for the last admin."""

        def change(accounts: dict[str, Account]) -> None:
            _known(accounts, name)
            del accounts[_key(name)]

        self._change(change)

    def _change(self, change: Callable[[dict[str, Account]], None]) -> None:
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(f"{self.file}.lock", timeout=10, mode=0o600):
                accounts = self._read()
                change(accounts)
                if not any(account.person.role == "admin" for account in accounts.values()):
                    raise UsageError(NO_ADMIN)
                _write(self.file, accounts.values())
        except OSError as error:
            raise UsageError(f"The file {self.file} cannot be written: {error.strerror or error}.") from error

    def _read(self) -> dict[str, Account]:
        """By `_key` of the name."""
        try:
            if self.file.stat().st_mode & 0o077:
                raise UsageError(f"Others may read or write {self.file}, which holds passwords. Run: chmod 600 on it.")
            rows = tomllib.loads(self.file.read_text(encoding="utf-8")).get("person", [])
            accounts = [
                Account(Person(row["name"], row["role"], tuple(row["groups"])), row["password"]) for row in rows
            ]
            for account in accounts:
                _check(account.person)
            return {_key(account.person.name): account for account in accounts}
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise UsageError(f"The file {self.file} cannot be read: {error.strerror or error}.") from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise UsageError(
                f"The file {self.file} is not a list of people: {error}. docs/people.md shows one."
            ) from error


def _check(person: Person) -> None:
    if not _NAME.fullmatch(person.name):
        raise UsageError(
            f"A name has up to 64 letters, digits, spaces and . @ + - _ and begins with a letter or digit, "
            f"unlike {person.name!r}."
        )
    if person.role not in _ROLES:
        raise UsageError(f"The role is {', '.join(_ROLES[:-1])} or {_ROLES[-1]}, not {person.role!r}.")
    for group in person.groups:
        if not group.strip() or "," in group or not group.isprintable():
            raise UsageError(f"A group is a word without commas, not {group!r}.")


def _check_new(accounts: dict[str, Account], person: Person) -> None:
    if _key(person.name) in accounts:
        raise UsageError(f"There is somebody called {person.name!r} already.")
    if not accounts and person.role != "admin":
        raise UsageError(NO_ADMIN)


def _known(accounts: dict[str, Account], name: str) -> Account:
    account = accounts.get(_key(name))
    if account is None:
        raise UsageError(f"There is nobody called {name!r}. See: ragvoice people list")
    return account


def _key(name: str) -> str:
    return unicodedata.normalize("NFKC", name).casefold().strip()


def _write(file: Path, accounts: Iterable[Account]) -> None:
    """All of it or, after a crash, nothing."""
    lines = ["# Written by `ragvoice people`; passwords are scrypt hashes.\n"]
    for account in accounts:
        person = account.person
        lines.append(
            f"\n[[person]]\nname = {toml_value(person.name)}\nrole = {toml_value(person.role)}\n"
            f"groups = {toml_value(person.groups)}\npassword = {toml_value(account.password)}\n"
        )
    write_whole(file, "".join(lines), mode=0o600)
