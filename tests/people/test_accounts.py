"""The password file: what goes in comes out, nobody else may read it, and somebody always is an admin."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from ragvoice.errors import AccessError, UsageError
from ragvoice.people import accounts as accounts_module
from ragvoice.people.accounts import Accounts
from ragvoice.people.passwords import Brake
from ragvoice.people.person import Person

ADMIN, ADA = Person("Root", "admin"), Person("ada@example.com", "owner", ("hr", "Größe \\ 5"))
GOOD = "a long password"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "home" / "people.toml"


@pytest.fixture
def accounts(file: Path) -> Accounts:
    found = Accounts(file, Brake(free=3, clock=lambda: 0.0))
    assert not found.exist()
    found.add(ADMIN, GOOD + " of root")
    found.add(ADA, GOOD)
    return found


def test_people_are_kept_and_their_passwords_are_not(accounts: Accounts, file: Path) -> None:
    assert accounts.exist()
    assert Accounts(file).all() == [ADMIN, ADA]
    assert file.stat().st_mode & 0o777 == 0o600
    assert GOOD not in file.read_text()
    assert tomllib.loads(file.read_text())["person"][1]["groups"] == ["hr", "Größe \\ 5"]
    assert [part.name for part in file.parent.iterdir() if part.name.startswith(".")] == []


def test_who_knows_the_password_is_let_in_whatever_the_case_of_the_name(accounts: Accounts) -> None:
    assert accounts.sign_in("ADA@example.com ", GOOD).person == ADA


@pytest.mark.parametrize(("name", "password"), [("ada@example.com", "a wrong password"), ("nobody", GOOD), ("", "")])
def test_a_wrong_name_looks_like_a_wrong_password(accounts: Accounts, name: str, password: str) -> None:
    with pytest.raises(AccessError, match="do not belong together"):
        accounts.sign_in(name, password)


def test_a_wrong_name_costs_as_much_as_a_wrong_password(accounts: Accounts, monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[str] = []

    def matches(password: str, stored: str) -> bool:
        compared.append(stored.rsplit("$", 2)[0])
        return False

    monkeypatch.setattr(accounts_module, "matches", matches)
    for name in ("ada@example.com", "nobody"):
        with pytest.raises(AccessError):
            accounts.sign_in(name, "a wrong password")
    assert compared == ["scrypt$16$8$1"] * 2


def test_after_some_wrong_passwords_even_the_right_one_waits(accounts: Accounts) -> None:
    for _ in range(3):
        with pytest.raises(AccessError, match="do not belong"):
            accounts.sign_in("Ada@example.com", "a wrong password")
    with pytest.raises(AccessError, match="Too many wrong passwords"):
        accounts.sign_in("ada@example.com", GOOD)
    assert accounts.sign_in("root", GOOD + " of root").person == ADMIN


def test_roles_groups_and_passwords_change(accounts: Accounts) -> None:
    assert accounts.change("ADA@example.com", role="asker") == Person(ADA.name, "asker", ADA.groups)
    assert accounts.change(ADA.name, groups=["it"]) == Person(ADA.name, "asker", ("it",))
    accounts.set_password(ADA.name, "another password")
    assert accounts.sign_in(ADA.name, "another password").person == Person(ADA.name, "asker", ("it",))
    with pytest.raises(AccessError):
        accounts.sign_in(ADA.name, GOOD)


def test_who_is_removed_is_gone(accounts: Accounts) -> None:
    accounts.remove(ADA.name)
    assert accounts.all() == [ADMIN]
    with pytest.raises(AccessError):
        accounts.sign_in(ADA.name, GOOD)


@pytest.mark.parametrize(
    "act",
    [
        lambda accounts: accounts.remove("root"),
        lambda accounts: accounts.change("root", role="owner"),
        lambda accounts: Accounts(accounts.file.with_name("other.toml")).add(ADA, GOOD),
    ],
)
def test_somebody_is_an_admin_always(accounts: Accounts, act: Callable[[Accounts], None]) -> None:
    with pytest.raises(UsageError, match="Somebody must be an admin"):
        act(accounts)
    assert accounts.all() == [ADMIN, ADA]
    assert not accounts.file.with_name("other.toml").exists()


@pytest.mark.parametrize(
    ("person", "password"),
    [
        (Person("ROOT"), GOOD),
        (Person(""), GOOD),
        (Person("-dash"), GOOD),
        (Person("two\nlines"), GOOD),
        (Person("x" * 65), GOOD),
        (Person("bob", "boss"), GOOD),  # type: ignore[arg-type]
        (Person("bob", groups=("a,b",)), GOOD),
        (Person("bob", groups=("\x7f",)), GOOD),
        (Person("bob"), "short"),
    ],
)
def test_what_does_not_fit_is_refused_and_changes_nothing(accounts: Accounts, person: Person, password: str) -> None:
    before = accounts.file.read_bytes()
    with pytest.raises(UsageError):
        accounts.add(person, password)
    assert accounts.file.read_bytes() == before


@pytest.mark.parametrize("act", [Accounts.get, Accounts.remove, Accounts.change])
def test_nobody_is_said(accounts: Accounts, act: Callable[[Accounts, str], object]) -> None:
    with pytest.raises(UsageError, match="There is nobody called 'bob'"):
        act(accounts, "bob")


def test_a_file_that_others_may_read_is_not_used(accounts: Accounts) -> None:
    accounts.file.chmod(0o640)
    for use in (accounts.all, lambda: accounts.sign_in("root", GOOD)):
        with pytest.raises(UsageError, match="chmod 600"):
            use()


@pytest.mark.parametrize(
    "text",
    ["person = 3", "[[person]]\nname = 'a'", "not toml", "[[person]]\nname=1\nrole=2\ngroups=[]\npassword=''", "\xff"],
)
def test_a_file_that_is_something_else_lets_nobody_in(accounts: Accounts, text: str) -> None:
    accounts.file.write_bytes(text.encode("latin-1"))
    assert accounts.exist()
    with pytest.raises(UsageError, match="not a list of people"):
        accounts.sign_in("root", GOOD + " of root")
