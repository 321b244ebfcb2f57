"""`ragvoice people` in an empty home."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from ragvoice.cli import main
from ragvoice.people.accounts import Accounts
from ragvoice.people.person import Person
from ragvoice.settings import read_settings


@pytest.fixture(autouse=True)
def _empty_home(clean_environment: Path) -> None:
    pass


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str, password: str = "a long password") -> int:
    monkeypatch.setattr("sys.stdin", io.StringIO(password + "\n"))
    return main(["people", *arguments])


def add(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    return run(monkeypatch, "add", *arguments, "--password-stdin")


def test_people_are_added_changed_and_removed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    accounts = Accounts(read_settings().people_path)
    assert add(monkeypatch, "root", "--role", "admin") == 0
    assert add(monkeypatch, "ada", "--groups", "hr, board") == 0
    assert accounts.sign_in("ada", "a long password").person == Person("ada", "asker", ("hr", "board"))
    assert run(monkeypatch, "role", "ada", "owner") == 0
    assert run(monkeypatch, "role", "ada", "--groups", "") == 0
    assert run(monkeypatch, "password", "ada", "--password-stdin", password="another password") == 0
    assert accounts.sign_in("ada", "another password").person == Person("ada", "owner")
    capsys.readouterr()
    assert run(monkeypatch, "list", "--json") == 0
    assert [json.loads(line)["name"] for line in capsys.readouterr().out.splitlines()] == ["root", "ada"]
    assert run(monkeypatch, "remove", "ada", "--forget") == 0
    assert "0 turns are deleted" in capsys.readouterr().out
    assert accounts.all() == [Person("root", "admin")]


def test_turns_that_could_not_be_deleted_with_the_account_say_how_to_delete_them_later(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert add(monkeypatch, "root", "--role", "admin") == 0
    assert add(monkeypatch, "Ada Holm") == 0
    read_settings().turns_path.mkdir()
    assert run(monkeypatch, "remove", "Ada Holm", "--forget") == 1
    said = capsys.readouterr()
    assert "Ada Holm cannot sign in any more." in said.out
    assert "ragvoice turns forget --person 'Ada Holm'" in said.err
    assert "Traceback" not in said.err


def test_a_first_person_without_rights_is_refused_before_a_password_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("ragvoice.commands.people._password", lambda _: pytest.fail("asked"))
    assert add(monkeypatch, "ada") == 2
    assert "role admin" in capsys.readouterr().err


def test_wrong_use_is_one_sentence_and_exit_code_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert add(monkeypatch, "root", "--role", "admin") == 0
    for arguments in (["password", "bob", "--password-stdin"], ["role", "root", "boss"], ["remove", "root"]):
        capsys.readouterr()
        assert run(monkeypatch, *arguments) == 2
        assert capsys.readouterr().err.startswith("ragvoice: ")
