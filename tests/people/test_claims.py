"""Names, groups and roles by the claims of a company's sign-in."""

from __future__ import annotations

from typing import Any

import pytest

from ragvoice.errors import AccessError
from ragvoice.people.claims import ClaimRules, person_of_claims
from ragvoice.people.person import Person

ADA = {"email": "ada@example.com", "email_verified": True, "groups": ["hr", "staff"]}


@pytest.mark.parametrize(
    ("rules", "role"),
    [
        (ClaimRules(), "asker"),
        (ClaimRules(owners=("ada@example.com",)), "owner"),
        (ClaimRules(owners=("group:hr",), admins=("bob@example.com", "group:it")), "owner"),
        (ClaimRules(owners=("group:hr",), admins=("group:staff",)), "admin"),
        (ClaimRules(admins=("hr", "group:ada@example.com")), "asker"),
    ],
)
def test_the_settings_say_who_has_which_role(rules: ClaimRules, role: Any) -> None:
    assert person_of_claims(ADA, rules) == Person("ada@example.com", role, ("hr", "staff"))


def test_nobody_takes_the_rights_of_a_group_by_calling_themselves_so() -> None:
    rules = ClaimRules(name="preferred_username", admins=("group:it",))
    for chosen in ("it", "group:it"):
        assert person_of_claims({"preferred_username": chosen}, rules).role == "asker"


@pytest.mark.parametrize(
    ("claims", "groups"),
    [
        ({"realm_access": {"roles": ["hr"]}}, ("hr",)),
        ({"realm_access.roles": "hr"}, ("hr",)),
        ({"realm_access": "hr"}, ()),
        ({"realm_access": {"roles": 5}}, ()),
        ({}, ()),
    ],
)
def test_groups_may_stand_deeper_or_nowhere(claims: dict[str, Any], groups: tuple[str, ...]) -> None:
    rules = ClaimRules(name="sub", groups="realm_access.roles")
    assert person_of_claims({"sub": "1", **claims}, rules).groups == groups


@pytest.mark.parametrize(
    "claims",
    [
        {},
        {"email": "", "email_verified": True},
        {"email": None, "email_verified": True},
        {"sub": "1", "email_verified": True},
        {"email": "a@b.c"},
        {"email": "a@b.c", "email_verified": None},
        {"email": "a@b.c", "email_verified": False},
    ],
)
def test_who_is_not_named_for_sure_is_not_let_in(claims: dict[str, Any]) -> None:
    with pytest.raises(AccessError):
        person_of_claims(claims, ClaimRules())


def test_a_provider_that_never_says_verified_may_be_trusted_by_a_setting() -> None:
    rules = ClaimRules(sends_verified=False)
    assert person_of_claims({"email": "a@b.c"}, rules).name == "a@b.c"
    with pytest.raises(AccessError, match="not verified yet"):
        person_of_claims({"email": "a@b.c", "email_verified": False}, rules)


def test_other_claims_than_the_address_need_no_verification() -> None:
    assert person_of_claims({"oid": "7", "email": "a@b.c"}, ClaimRules(name="oid")).name == "7"
