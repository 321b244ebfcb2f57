"""A password is known only to its person, and guessing is slow."""

from __future__ import annotations

import base64

import pytest

from ragvoice.errors import AccessError, UsageError
from ragvoice.people.passwords import Brake, hashed, matches


def test_only_the_same_password_matches_and_no_two_hashes_are_alike() -> None:
    stored = hashed("corréct horse")
    assert matches("corréct horse", stored)
    assert matches("corre\u0301ct horse", stored)
    assert not matches("correct horse", stored)
    assert hashed("corréct horse") != stored
    assert "horse" not in stored


def test_a_published_hash_is_read_by_its_own_parameters() -> None:
    """RFC 7914, section 12: scrypt("pleaseletmein", "SodiumChloride", N=16384, r=8, p=1); its first 32 bytes."""
    known = "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2"
    digest = base64.b64encode(bytes.fromhex(known)).decode()
    salt = base64.b64encode(b"SodiumChloride").decode()
    assert matches("pleaseletmein", f"scrypt$16384$8$1${salt}${digest}")


def test_a_guess_costs_what_owasp_asks_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    assert hashed("corréct horse").startswith("scrypt$32768$8$3$")


@pytest.mark.parametrize("password", ["", "ninechars", "x" * 257])
def test_a_password_that_is_too_short_or_long_is_refused(password: str) -> None:
    with pytest.raises(UsageError, match="10 to 256 characters"):
        hashed(password)


@pytest.mark.parametrize("stored", ["", "plain", "md5$1$1$1$a$b", "scrypt$0$8$1$YQ==$YQ==", "scrypt$a$8$1$YQ==$YQ=="])
def test_what_is_no_hash_is_said(stored: str) -> None:
    with pytest.raises(UsageError, match="set it anew"):
        matches("anything at all", stored)


def test_wrong_passwords_cost_longer_and_longer_waits() -> None:
    now = 0.0
    brake = Brake(free=3, longest_s=4, clock=lambda: now)
    heard: list[float] = []
    while len(heard) < 7:
        try:
            brake.begin("ada")
            heard.append(now)
        except AccessError:
            now += 0.5
    assert heard == [0, 0, 0, 1, 3, 7, 11]


def test_another_name_and_the_right_password_are_not_held_up() -> None:
    brake = Brake(free=2, clock=lambda: 0.0)
    brake.begin("ada")
    brake.begin("ada")
    with pytest.raises(AccessError, match="Try again in 1 seconds"):
        brake.begin("ada")
    brake.begin("bob")
    brake.forget("ada")
    brake.begin("ada")


def test_names_that_are_made_up_do_not_fill_the_memory() -> None:
    brake = Brake(names=3, clock=lambda: 0.0)
    for number in range(10):
        brake.begin(f"name {number}")
    assert list(brake._wrong) == ["name 7", "name 8", "name 9"]
