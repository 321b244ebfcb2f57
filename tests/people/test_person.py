"""Who may do what, and what somebody without the right is told."""

from __future__ import annotations

import pytest

from ragvoice.errors import AccessError
from ragvoice.people.person import RIGHTS, Person, Right, Role


@pytest.mark.parametrize(
    ("role", "rights"),
    [
        ("asker", {"ask"}),
        ("owner", {"ask", "documents", "quality", "finetuning"}),
        ("admin", {"ask", "documents", "quality", "finetuning", "settings", "people"}),
    ],
)
def test_each_role_has_its_rights_and_no_other(role: Role, rights: set[Right]) -> None:
    person = Person("ada", role)
    assert RIGHTS[role] == rights
    for right in RIGHTS["admin"]:
        assert person.may(right) == (right in rights)
        if right in rights:
            person.require(right)
        else:
            with pytest.raises(AccessError):
                person.require(right)


def test_a_refusal_says_who_could() -> None:
    with pytest.raises(AccessError, match=r"ada may not run evaluations.*owner or admin.*role asker") as refused:
        Person("ada").require("quality")
    assert refused.value.code == "access"
    with pytest.raises(AccessError, match=r"^You may not change the settings: that takes the role admin,"):
        Person("").require("settings")
